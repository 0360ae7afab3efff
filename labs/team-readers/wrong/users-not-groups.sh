# right objects, wrong kind of subject: nobody is called red
kubectl create clusterrole pod-reader --verb=get,list,watch --resource=pods
kubectl patch clusterrole pod-reader --type=json -p '[{"op": "add", "path": "/rules/-",
  "value": {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}}]'
for team in red blue; do
  kubectl create rolebinding pod-readers --namespace "$team" --clusterrole=pod-reader --user="$team"
done
