node=$(kubectl get pod y -o jsonpath='{.spec.nodeName}')
cidr=$(kubectl get node "$node" -o jsonpath='{.spec.podCIDR}')
address=$(kubectl get node "$node" -o jsonpath='{.status.addresses[0].address}')
kubectl create configmap trace \
  --from-literal=cidr="$cidr" \
  --from-literal=hop="${cidr%/24}" \
  --from-literal=device=flannel.1 \
  --from-literal=mac="$(printf '02:42:%02x:%02x:%02x:%02x' ${address//./ })" \
  --from-literal=outer="$address:8472"
