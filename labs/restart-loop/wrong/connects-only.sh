# boots and looks right in every number, but a broken app still accepts connections
kubectl patch deployment api --type=json -p '[
  {"op": "replace", "path": "/spec/template/spec/containers/0/livenessProbe",
   "value": {"tcpSocket": {"port": "http"}, "periodSeconds": 5, "failureThreshold": 3}},
  {"op": "add", "path": "/spec/template/spec/containers/0/startupProbe",
   "value": {"tcpSocket": {"port": "http"}, "periodSeconds": 5, "failureThreshold": 24}}]'
kubectl rollout status deployment/api --timeout=170s
