# a liveness probe that still asks for db, only more patiently
kubectl patch deployment front --type=json -p '[
  {"op": "replace", "path": "/spec/template/spec/containers/0/livenessProbe/failureThreshold", "value": 60},
  {"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe",
   "value": {"httpGet": {"path": "/deep", "port": "http"}, "periodSeconds": 5, "timeoutSeconds": 3}}]'
kubectl scale deployment db --replicas=1
kubectl rollout status deployment/front --timeout=120s
