kubectl create configmap report --from-literal=reason=ProgressDeadlineExceeded
kubectl get deployment pay -o yaml | sed 's|/redy|/ready|' > pay.yaml
kubectl replace --force -f pay.yaml
kubectl rollout status deployment/pay --timeout=120s
