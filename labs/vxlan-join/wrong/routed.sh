# The hosts route between the two, with the tunnels beside it unused: the pings pass, but through two routers.
#: on worker
set -e
ip link add vx100 type vxlan id 100 dstport 4789 remote "$(getent hosts worker2 | awk '{print $1}')" dev eth0
ip link set vx100 up
ip addr add 10.77.1.1/32 dev br-lab
ip route add 10.77.1.2/32 dev br-lab
ip route add 10.77.1.3/32 via "$(getent hosts worker2 | awk '{print $1}')"
ip -n c route add 10.77.1.1/32 dev eth0
ip -n c route add 10.77.1.3/32 via 10.77.1.1
ip -n c link set eth0 mtu 1450
#: on worker2
set -e
ip link add vx100 type vxlan id 100 dstport 4789 remote "$(getent hosts worker | awk '{print $1}')" dev eth0
ip link set vx100 up
ip addr add 10.77.1.4/32 dev br-lab
ip route add 10.77.1.3/32 dev br-lab
ip route add 10.77.1.2/32 via "$(getent hosts worker | awk '{print $1}')"
ip -n c route add 10.77.1.4/32 dev eth0
ip -n c route add 10.77.1.2/32 via 10.77.1.4
ip -n c link set eth0 mtu 1450
