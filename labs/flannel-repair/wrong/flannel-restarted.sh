kubectl create configmap report --from-literal=scope=cross-node
kubectl rollout restart daemonset kube-flannel-ds -n kube-flannel
kubectl rollout status daemonset kube-flannel-ds -n kube-flannel --timeout=120s
