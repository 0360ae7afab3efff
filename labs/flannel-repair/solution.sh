kubectl create configmap report --from-literal=scope=cross-node
#: on worker
worker2=$(getent ahostsv4 worker2 | awk 'NR == 1 {print $1}')
mac=$(bridge fdb show dev flannel.1 | awk '/\.250 /{print $1}')
bridge fdb replace "$mac" dev flannel.1 dst "$worker2"
#: on worker2
iptables -D INPUT -p udp --dport 8472 -j DROP
