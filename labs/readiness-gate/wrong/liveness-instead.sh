kubectl patch deployment shop --type=json -p '[{"op": "add", "path": "/spec/template/spec/containers/0/livenessProbe",
  "value": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 2, "initialDelaySeconds": 20}}]'
kubectl rollout status deployment/shop --timeout=120s
pod=$(kubectl get pods -l app=shop -o name | head -n 1)
until kubectl exec "$pod" -- rm /tmp/ready; do sleep 1; done
