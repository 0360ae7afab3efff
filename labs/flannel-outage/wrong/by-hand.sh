#: on worker
address=$(ip -4 -o addr show cni0 | awk '{print $4}')
printf 'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=%s\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n' "${address:-10.244.1.1/24}" > /run/flannel/subnet.env
cat /etc/cni/net.d/10-flannel.conflist > /dev/null
#: on worker2
cat > /etc/cni/net.d/10-flannel.conflist <<'JSON'
{
  "name": "cbr0",
  "cniVersion": "0.3.1",
  "plugins": [
    {"type": "flannel", "delegate": {"hairpinMode": true, "isDefaultGateway": true}},
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
