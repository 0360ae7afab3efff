# A vxlan between the hosts and routes through it: it reaches, and takes 50 bytes of every frame.
#: on worker
ip link add vx type vxlan id 7 dstport 4789 remote "$(getent hosts worker2 | awk '{print $1}')" dev eth0
ip addr add 10.88.9.1/24 dev vx
ip link set vx up
ip route add 10.88.2.0/24 via 10.88.9.2
#: on worker2
ip link add vx type vxlan id 7 dstport 4789 remote "$(getent hosts worker | awk '{print $1}')" dev eth0
ip addr add 10.88.9.2/24 dev vx
ip link set vx up
ip route add 10.88.1.0/24 via 10.88.9.1
ip -n y route add default via 10.88.2.1
sysctl -w net.ipv4.conf.br-lab.forwarding=1
