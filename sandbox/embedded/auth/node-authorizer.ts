import type { Cache } from '../machinery/context.ts'
import { resources, type UserInfo } from '../machinery/object.ts'
import { podNode } from '../machinery/pod-indexes.ts'
import type { PersistentVolume, Pod, PodSpec, Volume } from '../schema/types/core.v1.ts'
import { bootstrapRules } from './bootstrap-policy.ts'
import { type AuthorizationAttributes, type Decision, quote, ruleAllows } from './rbac.ts'

/**
 * What kubelets (system:node:NAME in system:nodes) may do: read only what their own pods use, write only what is theirs,
 * and beside that the rules of the ClusterRole system:node. Anyone else gets no opinion.
 */
export class NodeAuthorizer {
  private readonly cache: Cache

  constructor(cache: Cache) {
    this.cache = cache
  }

  authorize(attributes: AuthorizationAttributes): Decision {
    if (!attributes.user.groups.includes('system:nodes') || !attributes.user.username.startsWith(nodeUserPrefix)) return noOpinion('')
    const node = nodeNameOf(attributes.user)
    if (!node) return noOpinion(`unknown node for user ${quote(attributes.user.username)}`)
    const narrow = attributes.resource === undefined ? undefined : this.narrow(node, attributes)
    if (narrow) return narrow
    return bootstrapRules('system:node').some((rule) => ruleAllows(rule, attributes)) ? allow : noOpinion('')
  }

  /** Resources that are divided among nodes; undefined for the others. */
  private narrow(node: string, attributes: AuthorizationAttributes): Decision | undefined {
    const { verb, subresource = '' } = attributes
    switch (attributes.group ? `${attributes.resource}.${attributes.group}` : attributes.resource) {
      case 'secrets':
      case 'configmaps':
        if (!['get', 'list', 'watch'].includes(verb)) return noOpinion('can only read resources of this type')
        if (subresource) return noOpinion('cannot read subresource')
        if (!attributes.namespace) return noOpinion('can only read namespaced object of this type')
        return this.related(node, attributes)
      case 'persistentvolumeclaims':
        if (subresource !== 'status') return this.get(node, attributes)
        if (verb !== 'update' && verb !== 'patch') return noOpinion('can only get/update/patch this type')
        return this.related(node, attributes)
      case 'persistentvolumes':
        return this.get(node, attributes)
      case 'serviceaccounts':
        if (verb === 'get' && !subresource) return this.related(node, attributes)
        if (verb !== 'create' || !attributes.name) return noOpinion('can only create tokens for individual service accounts')
        if (subresource !== 'token') return noOpinion('can only create token subresource of serviceaccount')
        return this.related(node, attributes)
      case 'leases.coordination.k8s.io':
        if (!ownVerbs.includes(verb)) return noOpinion('can only get, create, update, patch, or delete a node lease')
        if (attributes.namespace !== 'kube-node-lease') return noOpinion('can only access leases in the "kube-node-lease" system namespace')
        if (verb !== 'create' && attributes.name !== node)
          return noOpinion('can only access node lease with the same name as the requesting node')
        return allow
      case 'csinodes.storage.k8s.io':
        if (!ownVerbs.includes(verb)) return noOpinion('can only get, create, update, patch, or delete a CSINode')
        if (subresource) return noOpinion('cannot authorize CSINode subresources')
        if (verb !== 'create' && attributes.name !== node)
          return noOpinion('can only access CSINode with the same name as the requesting node')
        return allow
      case 'nodes':
        return nodeObject(node, attributes)
      case 'pods':
        return this.pod(node, attributes)
      default:
        return undefined
    }
  }

  private get(node: string, attributes: AuthorizationAttributes): Decision {
    if (attributes.verb !== 'get') return noOpinion('can only get individual resources of this type')
    if (attributes.subresource) return noOpinion('cannot get subresource')
    return this.related(node, attributes)
  }

  private pod(node: string, attributes: AuthorizationAttributes): Decision {
    const { verb, subresource = '' } = attributes
    if (subresource === 'status') return verb === 'update' || verb === 'patch' ? allow : noOpinion('')
    if (subresource === 'eviction') return verb === 'create' ? allow : noOpinion('')
    if (subresource) return noOpinion('')
    if (verb === 'get') return this.related(node, attributes)
    if (verb === 'create' || verb === 'delete') return allow
    if (verb !== 'list' && verb !== 'watch') return noOpinion('')
    if (attributes.fieldSelector?.split(',').some((part) => /^spec\.nodeName==?/.test(part) && part.endsWith(`=${node}`))) return allow
    if (attributes.name) return this.related(node, attributes)
    return noOpinion('can only list/watch pods with spec.nodeName field selector')
  }

  private related(node: string, attributes: AuthorizationAttributes): Decision {
    const { name, namespace = '', resource = '' } = attributes
    if (!name) return noOpinion('No Object name found')
    const pods = this.cache.indexed<Pod>(resources.pods, podNode, node).filter((pod) => !namespace || pod.metadata.namespace === namespace)
    const found = pods.some((pod) => this.uses(pod, resource, name))
    return found ? allow : noOpinion(`no relationship found between node '${node}' and this object`)
  }

  private uses(pod: Pod, resource: string, name: string): boolean {
    const spec = pod.spec
    if (!spec) return false
    if (resource === 'pods') return pod.metadata.name === name
    if (resource === 'serviceaccounts') return spec.serviceAccountName === name
    if (resource === 'persistentvolumeclaims') return claimsOf(pod).includes(name)
    if (resource === 'persistentvolumes') {
      const claim = this.cache.get<PersistentVolume>(resources.persistentVolumes, name)?.spec?.claimRef
      return claim?.namespace === pod.metadata.namespace && claimsOf(pod).includes(claim?.name ?? '')
    }
    return resource === 'secrets' ? secretsOf(spec).has(name) : configMapsOf(spec).has(name)
  }
}

/** The node that a user speaks for; undefined for any other user. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.groups.includes('system:nodes') || !user.username.startsWith(nodeUserPrefix)) return undefined
  return user.username.slice(nodeUserPrefix.length) || undefined
}

const nodeUserPrefix = 'system:node:'
const ownVerbs = ['get', 'create', 'update', 'patch', 'delete']
const allow: Decision = { allowed: true, reason: '' }

function noOpinion(reason: string): Decision {
  return { allowed: false, reason }
}

function nodeObject(node: string, { verb, subresource, name }: AuthorizationAttributes): Decision {
  if (subresource === 'status') return verb === 'update' || verb === 'patch' ? allow : noOpinion('')
  if (subresource) return noOpinion('')
  if (verb === 'create' || verb === 'update' || verb === 'patch') return allow
  if (verb !== 'get' && verb !== 'list' && verb !== 'watch') return noOpinion('')
  if (name === node) return allow
  if (!name) return noOpinion(`node '${node}' cannot read all nodes, only its own Node object`)
  return noOpinion(`node '${node}' cannot read '${name}', only its own Node object`)
}

function claimsOf(pod: Pod): string[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim) return [volume.persistentVolumeClaim.claimName]
    return volume.ephemeral ? [`${pod.metadata.name}-${volume.name}`] : []
  })
}

function secretsOf(spec: PodSpec): Set<string | undefined> {
  const inVolume = (volume: Volume) => [
    volume.secret?.secretName,
    ...(volume.projected?.sources ?? []).map((source) => source.secret?.name),
  ]
  return new Set([
    ...(spec.imagePullSecrets ?? []).map((reference) => reference.name),
    ...(spec.volumes ?? []).flatMap(inVolume),
    ...containersOf(spec).flatMap((container) => [
      ...(container.env ?? []).map((variable) => variable.valueFrom?.secretKeyRef?.name),
      ...(container.envFrom ?? []).map((source) => source.secretRef?.name),
    ]),
  ])
}

function configMapsOf(spec: PodSpec): Set<string | undefined> {
  const inVolume = (volume: Volume) => [
    volume.configMap?.name,
    ...(volume.projected?.sources ?? []).map((source) => source.configMap?.name),
  ]
  return new Set([
    ...(spec.volumes ?? []).flatMap(inVolume),
    ...containersOf(spec).flatMap((container) => [
      ...(container.env ?? []).map((variable) => variable.valueFrom?.configMapKeyRef?.name),
      ...(container.envFrom ?? []).map((source) => source.configMapRef?.name),
    ]),
  ])
}

function containersOf(spec: PodSpec) {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]
}
