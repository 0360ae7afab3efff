kubectl get configmap kube-flannel-cfg -n kube-flannel -o yaml | sed 's#10\.244\.0\.0/16#10.245.0.0/16#' | kubectl apply -f -
kubectl delete pods -n kube-flannel --all --wait=false
for try in $(seq 40); do
  crashed=$(kubectl get pods -n kube-flannel -o jsonpath='{range .items[*]}{.status.containerStatuses[0].restartCount}{"\n"}{end}' | grep -c '[1-9]' || true)
  [ "$crashed" -ge 3 ] && break
  sleep 1
done
#: on worker
rm -f /run/flannel/subnet.env
#: on worker2
rm -f /etc/cni/net.d/10-flannel.conflist
#: on toolbox
kubectl apply -f - <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 4
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      terminationGracePeriodSeconds: 1
      # the control plane takes no Pods, so it must not count when they are spread
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions:
                  - {key: node-role.kubernetes.io/control-plane, operator: DoesNotExist}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: DoNotSchedule
          labelSelector:
            matchLabels: {app: web}
      containers:
        - name: web
          image: nginx:1.27
YAML
# the lab begins once everybody can see it: a kubelet tells of its runtime every ten seconds
kubectl wait "$(kubectl get nodes -o name | grep 'worker2$')" --for=condition=Ready=false --timeout=40s
