for team in red blue; do
  kubectl create role pod-reader --namespace "$team" --verb=get,list,watch --resource=pods,pods/log
  kubectl create rolebinding pod-readers --namespace "$team" --role=pod-reader --group="$team"
done
