kubectl --namespace shop create configmap report --from-literal=manager=kubectl
kubectl --namespace shop scale deployment shop-web --replicas=3
