kubectl create configmap report --from-literal=reason=ProgressDeadlineExceeded
kubectl patch deployment pay --type=json -p '[
  {"op": "replace", "path": "/spec/strategy/rollingUpdate/maxUnavailable", "value": 4},
  {"op": "replace", "path": "/spec/template/spec/containers/0/readinessProbe/httpGet/path", "value": "/ready"}]'
kubectl rollout status deployment/pay --timeout=120s
