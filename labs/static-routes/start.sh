#: on worker
ip link add br-lab type bridge
ip addr add 10.88.1.1/24 dev br-lab
ip link set br-lab up
ip netns add x
ip link add veth-x type veth peer name eth0 netns x
ip link set veth-x master br-lab up
ip -n x link set lo up
ip -n x link set eth0 up
ip -n x addr add 10.88.1.2/24 dev eth0
ip -n x route add default via 10.88.1.1
#: on worker2
ip link add br-lab type bridge
ip addr add 10.88.2.1/24 dev br-lab
ip link set br-lab up
ip netns add y
ip link add veth-y type veth peer name eth0 netns y
ip link set veth-y master br-lab up
ip -n y link set lo up
ip -n y link set eth0 up
ip -n y addr add 10.88.2.2/24 dev eth0
sysctl -qw net.ipv4.conf.br-lab.forwarding=0
