kubectl patch deployment api --type=json -p '[{"op": "remove", "path": "/spec/template/spec/containers/0/livenessProbe"}]'
kubectl rollout status deployment/api --timeout=120s
