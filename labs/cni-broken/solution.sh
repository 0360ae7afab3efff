kubectl create configmap report --from-literal=missing=bridge
#: on worker
rm /etc/cni/net.d/00-test.conflist
mv /opt/cni/unused/bridge /opt/cni/bin/bridge
#: on toolbox
kubectl rollout restart deployment web
kubectl rollout status deployment web --timeout=120s
