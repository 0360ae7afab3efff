#: on worker
set -e
ip link add lab0 type bridge
ip addr add 10.200.0.1/24 dev lab0
ip link set lab0 up
for pod in a:10.200.0.2 b:10.200.0.3; do
  name=${pod%:*} address=${pod#*:}
  ip netns add "$name"
  ip link add "veth-$name" type veth peer name eth0 netns "$name"
  ip link set "veth-$name" master lab0 up
  ip -n "$name" link set lo up
  ip -n "$name" link set eth0 up
  ip -n "$name" addr add "$address/24" dev eth0
  ip -n "$name" route add default via 10.200.0.1
done
sysctl -w net.ipv4.ip_forward=1
iptables -t nat -A POSTROUTING -s 10.200.0.0/24 ! -o lab0 -j MASQUERADE
