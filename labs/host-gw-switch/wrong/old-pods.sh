kubectl get configmap kube-flannel-cfg -n kube-flannel -o yaml | sed 's/"Type": "vxlan"/"Type": "host-gw"/' | kubectl apply -f -
kubectl rollout restart daemonset kube-flannel-ds -n kube-flannel
kubectl rollout status daemonset kube-flannel-ds -n kube-flannel --timeout=120s
