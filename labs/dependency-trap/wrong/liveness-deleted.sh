kubectl patch deployment front --type=json -p '[
  {"op": "remove", "path": "/spec/template/spec/containers/0/livenessProbe"},
  {"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe",
   "value": {"httpGet": {"path": "/deep", "port": "http"}, "periodSeconds": 5, "timeoutSeconds": 3}}]'
kubectl scale deployment db --replicas=1
kubectl rollout status deployment/front --timeout=120s
