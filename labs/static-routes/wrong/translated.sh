# worker lends its address, so answers come home. But nobody can start from y.
#: on worker
ip route add 10.88.2.0/24 via "$(getent hosts worker2 | awk '{print $1}')"
iptables -t nat -A POSTROUTING -s 10.88.1.0/24 ! -o br-lab -j MASQUERADE
#: on worker2
ip -n y route add default via 10.88.2.1
sysctl -w net.ipv4.conf.br-lab.forwarding=1
