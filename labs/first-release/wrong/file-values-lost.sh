helm install shop ./web --namespace shop --create-namespace -f shop.yaml
helm upgrade shop ./web --namespace shop --set image.tag=v2
helm rollback shop 1 --namespace shop
