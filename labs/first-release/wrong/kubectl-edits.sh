# the release is right at first, then everything is done past Helm
helm install shop ./web --namespace shop --create-namespace -f shop.yaml
kubectl --namespace shop set image deployment/shop-web web=labapp:v2
kubectl --namespace shop rollout status deployment/shop-web --timeout=120s
kubectl --namespace shop rollout undo deployment/shop-web
