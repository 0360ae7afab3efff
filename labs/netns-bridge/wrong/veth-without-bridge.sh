# One cable from a to b: they reach each other, a third Pod never would.
#: on worker
set -e
ip netns add a
ip netns add b
ip link add eth0 netns a type veth peer name eth0 netns b
for pod in a:10.200.0.2 b:10.200.0.3; do
  ip -n "${pod%:*}" addr add "${pod#*:}/24" dev eth0
  ip -n "${pod%:*}" link set eth0 up
done
