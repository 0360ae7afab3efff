# It pings, and the first large packet disappears without a word.
#: on worker
set -e
ip link add vx100 type vxlan id 100 dstport 4789 remote "$(getent hosts worker2 | awk '{print $1}')" dev eth0
ip link set vx100 master br-lab up
#: on worker2
set -e
ip link add vx100 type vxlan id 100 dstport 4789 remote "$(getent hosts worker | awk '{print $1}')" dev eth0
ip link set vx100 master br-lab up
