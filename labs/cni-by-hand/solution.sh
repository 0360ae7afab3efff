#: on worker
set -e
export CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin
for file in /var/lib/cni/networks/lab/10.*; do
  CNI_COMMAND=DEL CNI_CONTAINERID=$(head -n 1 "$file" | tr -d '\r') /opt/cni/bin/ptp < /root/lab.json
done
sed -i 's/"type": "ptp",/"type": "ptp",\n  "ipMasq": true,/' /root/lab.json
CNI_COMMAND=ADD CNI_CONTAINERID=web CNI_NETNS=/run/netns/web /opt/cni/bin/ptp < /root/lab.json
