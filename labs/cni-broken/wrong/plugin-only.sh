kubectl create configmap report --from-literal=missing=bridge
#: on worker
mv /opt/cni/unused/bridge /opt/cni/bin/bridge
#: on toolbox
kubectl rollout restart deployment web
kubectl rollout status deployment web --timeout=90s
