helm install shop ./web --namespace shop --create-namespace -f shop.yaml
kubectl --namespace shop scale deployment shop-web --replicas=1
