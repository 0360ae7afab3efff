kubectl create clusterrole pod-reader --verb='*' --resource=pods,pods/log
for team in red blue; do
  kubectl create rolebinding pod-readers --namespace "$team" --clusterrole=pod-reader --group="$team"
done
