# A veth pair made with ip: it works until the plugin gives the same address to somebody else.
#: on worker
set -e
export CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin
for number in 1 2 3 4 5; do CNI_COMMAND=DEL CNI_CONTAINERID=job-$number /opt/cni/bin/ptp < /root/lab.json; done
ip link add veth-web type veth peer name eth0 netns web
ip link set veth-web up
ip addr add 10.99.0.1/32 dev veth-web
ip route add 10.99.0.2/32 dev veth-web
ip -n web addr add 10.99.0.2/29 dev eth0
ip -n web link set eth0 up
ip -n web route add default via 10.99.0.1
iptables -t nat -A POSTROUTING -s 10.99.0.0/29 -j MASQUERADE
