manager=$(kubectl --namespace shop get deployment shop-web --show-managed-fields \
  -o jsonpath='{range .metadata.managedFields[*]}{.manager}{" "}{.fieldsV1.f:spec.f:replicas}{"\n"}{end}' | sed -n 's/ {}$//p')
kubectl --namespace shop create configmap report --from-literal=manager="$manager"
helm rollback shop 1 --namespace shop --force-conflicts --wait --timeout=120s
