kubectl create configmap report --from-literal=scope=cross-node
worker=$(kubectl get nodes -o name | sed -n 's#^node/\(.*worker\)$#\1#p')
kubectl patch deployment stock --type=merge -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$worker"'"}}}}}'
kubectl rollout status deployment stock --timeout=90s
