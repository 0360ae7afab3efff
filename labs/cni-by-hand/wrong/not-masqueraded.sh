# Released and added; whoever answers web from another host does not find back.
#: on worker
set -e
export CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin
for number in 1 2 3 4 5; do CNI_COMMAND=DEL CNI_CONTAINERID=job-$number /opt/cni/bin/ptp < /root/lab.json; done
CNI_COMMAND=ADD CNI_CONTAINERID=web CNI_NETNS=/run/netns/web /opt/cni/bin/ptp < /root/lab.json
