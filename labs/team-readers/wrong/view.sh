for team in red blue; do
  kubectl create rolebinding readers --namespace "$team" --clusterrole=view --group="$team"
done
