kubectl patch deployment shop --type=json -p '[{"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe",
  "value": {"httpGet": {"path": "/healthz", "port": "http"}, "initialDelaySeconds": 5, "periodSeconds": 30}}]'
kubectl rollout status deployment/shop --timeout=180s
pod=$(kubectl get pods -l app=shop -o name | head -n 1)
until kubectl exec "$pod" -- rm /tmp/ready; do sleep 1; done
