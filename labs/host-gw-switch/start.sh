kubectl rollout status daemonset web --timeout=40s
kubectl wait pod/client --for=condition=Ready --timeout=20s
