import type { ResourceInfo } from './resource-info.ts'

/** Resources that lie under another name than their own. */
const special: Readonly<Record<string, string>> = {
  services: 'services/specs',
  endpoints: 'services/endpoints',
  nodes: 'minions',
  replicationcontrollers: 'controllers',
  'ingresses.networking.k8s.io': 'ingress',
}

/** Groups whose servers put the group into the key, as they do for custom resources. */
const groupsInKey = new Set(['apiextensions.k8s.io', 'apiregistration.k8s.io'])

/** Where Kubernetes keeps a resource's objects, as the API server's own layout has it: mostly without the group. */
export function storagePath({ group, resource }: ResourceInfo['storage'], custom: boolean): string {
  const name = special[group ? `${resource}.${group}` : resource]
  if (name) return `/${name}`
  return custom || groupsInKey.has(group) ? `/${group}/${resource}` : `/${resource}`
}

/** An object's key as the storage tells of it. */
export function registryKey({ storage, definition, namespaced }: ResourceInfo, namespace: string, name: string): string {
  return `${storagePath(storage, definition !== undefined)}/${namespaced ? `${namespace}/` : ''}${name}`
}
