kubectl get configmap kube-flannel-cfg -n kube-flannel -o yaml | sed 's/"Type": "vxlan"/"Type": "host-gw"/' | kubectl apply -f -
