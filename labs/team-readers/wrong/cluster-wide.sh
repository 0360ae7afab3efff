kubectl create clusterrole pod-reader --verb=get,list,watch --resource=pods
kubectl patch clusterrole pod-reader --type=json -p '[{"op": "add", "path": "/rules/-",
  "value": {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}}]'
kubectl create clusterrolebinding pod-readers --clusterrole=pod-reader --group=red --group=blue
