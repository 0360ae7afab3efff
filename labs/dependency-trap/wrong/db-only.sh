kubectl scale deployment db --replicas=1
kubectl rollout status deployment/db --timeout=60s
