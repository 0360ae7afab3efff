kubectl create clusterrole pod-reader --verb=get,list,watch --resource=pods
for team in red blue; do
  kubectl create rolebinding pod-readers --namespace "$team" --clusterrole=pod-reader --group="$team"
done
