helm install shop ./web --namespace shop --create-namespace -f shop.yaml
helm upgrade shop ./web --namespace shop --reuse-values --set image.tag=v2 --wait --timeout=120s
helm rollback shop 1 --namespace shop --wait --timeout=120s
