kubectl get configmap kube-flannel-cfg -n kube-flannel -o yaml | sed 's#10\.245\.0\.0/16#10.244.0.0/16#' | kubectl apply -f -
kubectl rollout restart daemonset kube-flannel-ds -n kube-flannel
kubectl rollout status daemonset kube-flannel-ds -n kube-flannel --timeout=150s
