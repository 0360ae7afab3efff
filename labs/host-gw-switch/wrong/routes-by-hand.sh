#: on worker
route=$(ip route show dev flannel.1 | awk '{print $1}')
worker2=$(getent ahostsv4 worker2 | awk 'NR == 1 {print $1}')
for cidr in $route; do
  bridge fdb show dev flannel.1 | grep -q "dst $worker2 " && ip route replace "$cidr" via "$worker2" dev eth0
done
