kubectl create configmap report --from-literal=missing=bridge
#: on worker
rm /etc/cni/net.d/00-test.conflist
#: on toolbox
kubectl patch deployment web -p '{"spec":{"replicas":1,"strategy":{"type":"Recreate","rollingUpdate":null},"template":{"spec":{"hostNetwork":true}}}}'
kubectl rollout status deployment web --timeout=90s
