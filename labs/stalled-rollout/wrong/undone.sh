kubectl create configmap report --from-literal=reason=ProgressDeadlineExceeded
kubectl rollout undo deployment/pay
kubectl rollout status deployment/pay --timeout=120s
