#: on worker
mkdir -p /opt/cni/unused
mv /opt/cni/bin/bridge /opt/cni/unused/bridge
cat > /etc/cni/net.d/00-test.conflist <<'JSON'
{
  "cniVersion": "1.0.0",
  "name": "test",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "test0",
      "isGateway": true,
      "ipam": {
        "type": "host-local",
        "subnet": "10.99.0.0/24",
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    }
  ]
}
JSON
#: on toolbox
worker=$(kubectl get nodes -o name | sed -n 's#^node/\(.*worker\)$#\1#p')
kubectl apply -f - <<YAML
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      nodeSelector:
        kubernetes.io/hostname: $worker
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: nginx:1.27
          readinessProbe:
            periodSeconds: 2
            httpGet: {path: /, port: 80}
YAML
