# the numbers agree, so Helm sees no conflict, and both own the field from now on
kubectl --namespace shop create configmap report --from-literal=manager=kubectl
kubectl --namespace shop scale deployment shop-web --replicas=3
helm upgrade shop ./web --namespace shop
