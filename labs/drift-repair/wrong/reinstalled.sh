kubectl --namespace shop create configmap report --from-literal=manager=kubectl
helm uninstall shop --namespace shop
helm install shop ./web --namespace shop -f shop.yaml
helm upgrade shop ./web --namespace shop -f shop.yaml
