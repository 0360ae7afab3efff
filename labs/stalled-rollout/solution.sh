reason=$(kubectl get deployment pay -o jsonpath='{.status.conditions[?(@.type=="Progressing")].reason}')
kubectl create configmap report --from-literal=reason="$reason"
kubectl patch deployment pay --type=json -p '[
  {"op": "replace", "path": "/spec/template/spec/containers/0/readinessProbe/httpGet/path", "value": "/ready"}]'
kubectl rollout status deployment/pay --timeout=120s
