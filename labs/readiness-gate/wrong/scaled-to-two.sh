kubectl patch deployment shop --type=json -p '[{"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe",
  "value": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 2}}]'
kubectl rollout status deployment/shop --timeout=120s
kubectl scale deployment shop --replicas=2
