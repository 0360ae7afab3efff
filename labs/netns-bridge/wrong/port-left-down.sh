# Everything is there, one port was forgotten.
#: on worker
set -e
ip link add lab0 type bridge
ip addr add 10.200.0.1/24 dev lab0
ip link set lab0 up
for pod in a:10.200.0.2 b:10.200.0.3; do
  name=${pod%:*}
  ip netns add "$name"
  ip link add "veth-$name" type veth peer name eth0 netns "$name"
  ip link set "veth-$name" master lab0
  ip -n "$name" addr add "${pod#*:}/24" dev eth0
  ip -n "$name" link set eth0 up
  ip -n "$name" route add default via 10.200.0.1
done
ip link set veth-a up
iptables -t nat -A POSTROUTING -s 10.200.0.0/24 ! -o lab0 -j MASQUERADE
