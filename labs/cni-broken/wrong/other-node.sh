kubectl create configmap report --from-literal=missing=bridge
worker2=$(kubectl get nodes -o name | sed -n 's#^node/\(.*worker2\)$#\1#p')
kubectl patch deployment web --type=merge -p '{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"'"$worker2"'"}}}}}'
kubectl rollout status deployment web --timeout=90s
