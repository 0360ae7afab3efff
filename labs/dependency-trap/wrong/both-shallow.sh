# no restarts, but callers are sent to a front that cannot serve
kubectl patch deployment front --type=json -p '[
  {"op": "replace", "path": "/spec/template/spec/containers/0/livenessProbe/httpGet/path", "value": "/healthz"},
  {"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe",
   "value": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 5}}]'
kubectl scale deployment db --replicas=1
kubectl rollout status deployment/front --timeout=120s
