node=$(kubectl get pod y -o jsonpath='{.spec.nodeName}')
cidr=$(kubectl get node "$node" -o jsonpath='{.spec.podCIDR}')
data=$(kubectl get node "$node" -o jsonpath='{.metadata.annotations.flannel\.alpha\.coreos\.com/backend-data}')
kubectl create configmap trace \
  --from-literal=cidr="$cidr" \
  --from-literal=hop="${cidr%/24}" \
  --from-literal=device=flannel.1 \
  --from-literal=mac="$(sed 's/.*"VtepMAC":"\([^"]*\)".*/\1/' <<<"$data")" \
  --from-literal=outer="$(kubectl get pod y -o jsonpath='{.status.podIP}'):8472"
