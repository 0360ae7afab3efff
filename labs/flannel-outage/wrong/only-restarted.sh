kubectl rollout restart daemonset kube-flannel-ds -n kube-flannel
kubectl delete pods -n kube-flannel --all
sleep 20
