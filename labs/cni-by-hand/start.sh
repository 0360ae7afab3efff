#: on worker
cat > /root/lab.json <<'JSON'
{
  "cniVersion": "1.0.0",
  "name": "lab",
  "type": "ptp",
  "ipam": {
    "type": "host-local",
    "subnet": "10.99.0.0/29",
    "routes": [{ "dst": "0.0.0.0/0" }]
  }
}
JSON
export CNI_COMMAND=ADD CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin
for number in 1 2 3 4 5; do
  ip netns add "job-$number"
  CNI_CONTAINERID=job-$number CNI_NETNS=/run/netns/job-$number /opt/cni/bin/ptp < /root/lab.json > /dev/null
  # the runtime crashes here: nobody calls DEL
  ip netns del "job-$number"
done
ip netns add web
ip -n web link set lo up
