import type { ObjectMeta } from '../schema/types/meta.v1.ts'

/** Any API object. Objects read from the store are deeply frozen: copy before changing. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
}

/** Group ('' for core), version and plural resource name, as in a URL path. */
export interface Resource {
  readonly group: string
  readonly version: string
  readonly resource: string
}

/** The parts of an apiVersion: apps/v1, or v1 of the core group (''). */
export function groupVersionOf(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/')
  return { group: slash < 0 ? '' : apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

export interface UserInfo {
  username: string
  uid?: string
  groups: string[]
  extra?: Record<string, string[]>
}

/** The resources that our own parts touch, each at its storage version. */
export const resources = {
  pods: core('pods'),
  nodes: core('nodes'),
  namespaces: core('namespaces'),
  services: core('services'),
  endpoints: core('endpoints'),
  configMaps: core('configmaps'),
  secrets: core('secrets'),
  serviceAccounts: core('serviceaccounts'),
  events: core('events'),
  persistentVolumes: core('persistentvolumes'),
  persistentVolumeClaims: core('persistentvolumeclaims'),
  limitRanges: core('limitranges'),
  replicationControllers: core('replicationcontrollers'),
  resourceQuotas: core('resourcequotas'),
  deployments: named('apps', 'v1', 'deployments'),
  replicaSets: named('apps', 'v1', 'replicasets'),
  statefulSets: named('apps', 'v1', 'statefulsets'),
  daemonSets: named('apps', 'v1', 'daemonsets'),
  controllerRevisions: named('apps', 'v1', 'controllerrevisions'),
  jobs: named('batch', 'v1', 'jobs'),
  cronJobs: named('batch', 'v1', 'cronjobs'),
  endpointSlices: named('discovery.k8s.io', 'v1', 'endpointslices'),
  networkPolicies: named('networking.k8s.io', 'v1', 'networkpolicies'),
  ingresses: named('networking.k8s.io', 'v1', 'ingresses'),
  ipAddresses: named('networking.k8s.io', 'v1', 'ipaddresses'),
  serviceCIDRs: named('networking.k8s.io', 'v1', 'servicecidrs'),
  leases: named('coordination.k8s.io', 'v1', 'leases'),
  horizontalPodAutoscalers: named('autoscaling', 'v2', 'horizontalpodautoscalers'),
  podDisruptionBudgets: named('policy', 'v1', 'poddisruptionbudgets'),
  csiNodes: named('storage.k8s.io', 'v1', 'csinodes'),
  storageClasses: named('storage.k8s.io', 'v1', 'storageclasses'),
  volumeAttributesClasses: named('storage.k8s.io', 'v1', 'volumeattributesclasses'),
  apiServices: named('apiregistration.k8s.io', 'v1', 'apiservices'),
  priorityClasses: named('scheduling.k8s.io', 'v1', 'priorityclasses'),
  runtimeClasses: named('node.k8s.io', 'v1', 'runtimeclasses'),
  roles: named('rbac.authorization.k8s.io', 'v1', 'roles'),
  roleBindings: named('rbac.authorization.k8s.io', 'v1', 'rolebindings'),
  clusterRoles: named('rbac.authorization.k8s.io', 'v1', 'clusterroles'),
  clusterRoleBindings: named('rbac.authorization.k8s.io', 'v1', 'clusterrolebindings'),
  certificateSigningRequests: named('certificates.k8s.io', 'v1', 'certificatesigningrequests'),
  customResourceDefinitions: named('apiextensions.k8s.io', 'v1', 'customresourcedefinitions'),
} as const satisfies Record<string, Resource>

function core(resource: string): Resource {
  return { group: '', version: 'v1', resource }
}

function named(group: string, version: string, resource: string): Resource {
  return { group, version, resource }
}
