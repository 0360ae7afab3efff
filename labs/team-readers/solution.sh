kubectl apply -f - <<'YAML'
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: pod-reader
rules:
  - apiGroups: [""]
    resources: [pods]
    verbs: [get, list, watch]
  - apiGroups: [""]
    resources: [pods/log]
    verbs: [get]
YAML
for team in red blue; do
  kubectl create rolebinding pod-readers --namespace "$team" --clusterrole=pod-reader --group="$team"
done
