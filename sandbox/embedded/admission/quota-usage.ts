import type { Cache } from '../machinery/context.ts'
import type { KubeObject } from '../machinery/object.ts'
import { parseQuantities, type Quantities, sumQuantities } from '../machinery/quantities.ts'
import { builtInResources } from '../registry/index.ts'
import { parseQuantity } from '../schema/quantity.ts'
import type { PersistentVolumeClaim, Pod, ResourceQuota, ScopedResourceSelectorRequirement, Service } from '../schema/types/core.v1.ts'
import { podLimits, podRequests } from './pod-resources.ts'

export interface GroupResource {
  group: string
  resource: string
}

/** What one object counts for, by quota name (`pods`, `requests.cpu`, `count/deployments.apps`). `now` in ms since the epoch. */
export function usageOf(about: GroupResource, object: KubeObject, now: number): Quantities {
  const qualified = about.group ? `${about.resource}.${about.group}` : about.resource
  const usage: Quantities = { [`count/${qualified}`]: one }
  if (about.group !== '') return usage
  if (about.resource === 'pods') return sumQuantities(usage, podUsage(object as Pod, now))
  if (about.resource === 'services') return sumQuantities(usage, serviceUsage(object as Service))
  if (about.resource === 'persistentvolumeclaims') return sumQuantities(usage, claimUsage(object as PersistentVolumeClaim))
  return plainCounts.has(about.resource) ? { ...usage, [about.resource]: one } : usage
}

/** Everything in the quota's namespace that it counts, for each name in its `hard`. */
export function usedOf(cache: Cache, quota: ResourceQuota, now: number): Quantities {
  const names = Object.keys(quota.spec?.hard ?? {})
  const used: Quantities = Object.fromEntries(names.map((name) => [name, zero]))
  for (const about of pertinent(names)) {
    for (const object of cache.list(about, quota.metadata.namespace)) {
      if (!inScope(quota, about, object)) continue
      const usage = usageOf(about, object, now)
      for (const name of names)
        if (usage[name]) used[name] = sumQuantities({ [name]: used[name] ?? zero }, { [name]: usage[name] })[name] ?? zero
    }
  }
  return used
}

/** Whether the quota's scopes take the object in. Only pods are in any scope. */
export function inScope(quota: ResourceQuota, about: GroupResource, object: KubeObject): boolean {
  const scopes = scopesOf(quota)
  if (scopes.length === 0) return true
  if (about.group !== '' || about.resource !== 'pods') return false
  return scopes.every((scope) => podInScope(scope, object as Pod))
}

/** Names that every container of a pod must state a request or limit for when a quota bounds them. */
export const statedByContainers: ReadonlySet<string> = new Set([
  'cpu',
  'memory',
  'requests.cpu',
  'requests.memory',
  'limits.cpu',
  'limits.memory',
])

/** What a container's or pod's requests and limits count for. */
export function computeUsage(requests: Quantities, limits: Quantities): Quantities {
  const usage: Quantities = { pods: one }
  for (const name of ['cpu', 'memory', 'ephemeral-storage']) {
    if (requests[name]) usage[name] = usage[`requests.${name}`] = requests[name]
    if (limits[name]) usage[`limits.${name}`] = limits[name]
  }
  for (const [name, request] of Object.entries(requests)) {
    if (name.startsWith('hugepages-')) usage[name] = usage[`requests.${name}`] = request
    else if (name.includes('/')) usage[`requests.${name}`] = request
  }
  return usage
}

const one = parseQuantity('1')
const zero = parseQuantity('0')
const plainCounts = new Set(['configmaps', 'secrets', 'replicationcontrollers', 'resourcequotas'])

function podUsage(pod: Pod, now: number): Quantities {
  const phase = pod.status?.phase
  if (phase === 'Failed' || phase === 'Succeeded') return {}
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
  if (deletionTimestamp && deletionGracePeriodSeconds !== undefined) {
    if (now > Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000) return {}
  }
  return computeUsage(podRequests(pod), podLimits(pod))
}

function serviceUsage({ spec }: Service): Quantities {
  const ports = spec?.ports ?? []
  const counted =
    spec?.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts === false ? ports.filter((port) => port.nodePort) : ports
  const hasNodePorts = spec?.type === 'NodePort' || spec?.type === 'LoadBalancer'
  return {
    services: one,
    'services.loadbalancers': spec?.type === 'LoadBalancer' ? one : zero,
    'services.nodeports': hasNodePorts ? parseQuantity(counted.length) : zero,
  }
}

function claimUsage(claim: PersistentVolumeClaim): Quantities {
  const { storage } = parseQuantities(claim.spec?.resources?.requests)
  const storageClass = claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? claim.spec?.storageClassName
  const usage: Quantities = { persistentvolumeclaims: one }
  if (storage) usage['requests.storage'] = storage
  if (!storageClass) return usage
  usage[`${storageClass}${classSuffix}persistentvolumeclaims`] = one
  if (storage) usage[`${storageClass}${classSuffix}requests.storage`] = storage
  return usage
}

const classSuffix = '.storageclass.storage.k8s.io/'

/** The resources whose objects some of these names count. */
function pertinent(names: readonly string[]) {
  const found = new Set(
    names.map((name) => {
      if (name.startsWith('count/')) return name.slice('count/'.length)
      if (name.startsWith('services')) return 'services'
      if (name === 'persistentvolumeclaims' || name === 'requests.storage' || name.includes(classSuffix)) return 'persistentvolumeclaims'
      return plainCounts.has(name) ? name : 'pods'
    }),
  )
  return [...found].flatMap((qualified) => {
    const dot = qualified.indexOf('.')
    const [resource, group] = dot < 0 ? [qualified, ''] : [qualified.slice(0, dot), qualified.slice(dot + 1)]
    const info = builtInResources.find((candidate) => candidate.group === group && candidate.resource === resource)
    return [info ? info.storage : { group, version: 'v1', resource }]
  })
}

function scopesOf({ spec }: ResourceQuota): ScopedResourceSelectorRequirement[] {
  return [...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })), ...(spec?.scopeSelector?.matchExpressions ?? [])]
}

function podInScope({ scopeName, operator, values = [] }: ScopedResourceSelectorRequirement, pod: Pod): boolean {
  switch (scopeName) {
    case 'Terminating':
      return pod.spec?.activeDeadlineSeconds !== undefined
    case 'NotTerminating':
      return pod.spec?.activeDeadlineSeconds === undefined
    case 'BestEffort':
      return isBestEffort(pod)
    case 'NotBestEffort':
      return !isBestEffort(pod)
    case 'PriorityClass': {
      const name = pod.spec?.priorityClassName ?? ''
      if (operator === 'Exists') return name !== ''
      if (operator === 'DoesNotExist') return name === ''
      return operator === 'In' ? values.includes(name) : !values.includes(name)
    }
    case 'CrossNamespacePodAffinity': {
      const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {}
      const terms = [podAffinity, podAntiAffinity].flatMap((affinity) => [
        ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
        ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((weighted) => weighted.podAffinityTerm),
      ])
      return terms.some((term) => term?.namespaces?.length || term?.namespaceSelector)
    }
    default:
      return false
  }
}

function isBestEffort(pod: Pod): boolean {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])]
  return containers.every(({ resources }) => {
    const amounts = { ...parseQuantities(resources?.requests), ...parseQuantities(resources?.limits) }
    return ['cpu', 'memory'].every((name) => !amounts[name]?.nano)
  })
}
