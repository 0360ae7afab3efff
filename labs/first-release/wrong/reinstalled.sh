# "back" by starting over: the history is gone
helm install shop ./web --namespace shop --create-namespace -f shop.yaml
helm upgrade shop ./web --namespace shop -f shop.yaml --set image.tag=v2
helm uninstall shop --namespace shop
helm install shop ./web --namespace shop -f shop.yaml
