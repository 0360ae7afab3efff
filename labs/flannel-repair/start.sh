kubectl rollout status deployment stock --timeout=40s
kubectl wait pod/shop --for=condition=Ready --timeout=20s
#: on worker2
iptables -I INPUT -p udp --dport 8472 -j DROP
#: on worker
worker2=$(getent ahostsv4 worker2 | awk 'NR == 1 {print $1}')
mac=$(bridge fdb show dev flannel.1 | awk -v ip="$worker2" '$3 == ip {print $1}')
bridge fdb replace "$mac" dev flannel.1 dst "${worker2%.*}.250"
