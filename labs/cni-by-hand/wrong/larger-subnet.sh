# More addresses instead of the five that leaked. They will be gone by Friday.
#: on worker
set -e
sed -i 's#10.99.0.0/29#10.99.0.0/24#; s/"type": "ptp",/"type": "ptp",\n  "ipMasq": true,/' /root/lab.json
export CNI_COMMAND=ADD CNI_CONTAINERID=web CNI_NETNS=/run/netns/web CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin
/opt/cni/bin/ptp < /root/lab.json
