import type { ResourceInfo } from '../registry/index.ts'

/** Where Kubernetes keeps an object in etcd, and back. The API server's own layout: mostly without the group. */
const root = '/registry/'

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

/** Keys that are no Kubernetes object's lie in this table, under their own name in hex. */
export const plainTable = 'keys.etcd'

/** The prefix, with a slash at its end, under which a resource's objects lie. */
export function prefixOf(storage: ResourceInfo['storage'], custom: boolean): string {
  const { group, resource } = storage
  const name = special[group ? `${resource}.${group}` : resource]
  if (name) return `${root}${name}/`
  return custom || groupsInKey.has(group) ? `${root}${group}/${resource}/` : `${root}${resource}/`
}

/** The name of the table's key for a plain key of etcd. */
export function plainName(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}
