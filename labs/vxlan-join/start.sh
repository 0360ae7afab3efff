#: on worker
ip link add br-lab type bridge
ip link set br-lab up
ip netns add c
ip link add veth-c type veth peer name eth0 netns c
ip link set veth-c master br-lab up
ip -n c link set lo up
ip -n c link set eth0 up
ip -n c addr add 10.77.1.2/24 dev eth0
#: on worker2
ip link add br-lab type bridge
ip link set br-lab up
ip netns add c
ip link add veth-c type veth peer name eth0 netns c
ip link set veth-c master br-lab up
ip -n c link set lo up
ip -n c link set eth0 up
ip -n c addr add 10.77.1.3/24 dev eth0
