kubectl create configmap report --from-literal=missing=bridge
#: on worker
rm /etc/cni/net.d/00-test.conflist
cp "$(command -v bridge)" /opt/cni/bin/bridge
#: on toolbox
kubectl rollout restart deployment web
