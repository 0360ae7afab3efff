# Linux answers for 10.88.2.1 on eth0 too, so packets pass. But it is nobody's address there: a router that minds would not answer.
#: on worker
ip route add 10.88.2.0/24 via 10.88.2.1 dev eth0 onlink
#: on worker2
ip route add 10.88.1.0/24 via 10.88.1.1 dev eth0 onlink
ip -n y route add default via 10.88.2.1
sysctl -w net.ipv4.conf.br-lab.forwarding=1
