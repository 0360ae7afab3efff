# DEL never complains, not even about a container that it has never seen.
#: on worker
set -e
export CNI_COMMAND=DEL CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin
for number in 1 2 3 4 5; do CNI_CONTAINERID=$number /opt/cni/bin/ptp < /root/lab.json; done
