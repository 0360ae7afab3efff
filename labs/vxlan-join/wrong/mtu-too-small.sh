# 1400 is on the safe side, and gives 50 bytes of every packet away.
#: on worker
set -e
ip link add vx100 type vxlan id 100 dstport 4789 remote "$(getent hosts worker2 | awk '{print $1}')" dev eth0
ip link set vx100 master br-lab up
ip -n c link set eth0 mtu 1400
#: on worker2
set -e
ip link add vx100 type vxlan id 100 dstport 4789 remote "$(getent hosts worker | awk '{print $1}')" dev eth0
ip link set vx100 master br-lab up
ip -n c link set eth0 mtu 1400
