import type { ClusterContext } from '../machinery/context.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import { compareAmounts, parseQuantities, type Quantities, subtractQuantities, sumQuantities } from '../machinery/quantities.ts'
import { formatQuantity } from '../schema/quantity.ts'
import type { Pod, ResourceQuota } from '../schema/types/core.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, refuse } from './admission.ts'
import { computeUsage, inScope, statedByContainers, usageOf, usedOf } from './quota-usage.ts'

/**
 * Refuses what would take a namespace over one of its quotas. What has been let through but is not stored yet counts as
 * used, so that requests side by side cannot pass together.
 */
export function resourceQuota({ cache, clock }: Pick<ClusterContext, 'cache' | 'clock'>): AdmissionPlugin {
  let pending: Pending[] = []
  return {
    name: 'ResourceQuota',
    handles: ({ operation, namespace, subresource }) =>
      (operation === 'CREATE' || operation === 'UPDATE') && namespace !== '' && (subresource === '' || subresource === 'resize'),
    validate(request) {
      const quotas = cache.list<ResourceQuota>(resources.resourceQuotas, request.namespace)
      if (quotas.length === 0) return
      const delta = deltaOf(request)
      for (const quota of quotas) check(request, quota, delta)
      if (!request.dryRun && Object.keys(delta).length > 0) pending.push({ request, usage: delta, until: clock.now() + 2000 })
    },
  }

  function check(request: AdmissionRequest, quota: ResourceQuota, delta: Quantities): void {
    const object = request.object as KubeObject
    const hard = parseQuantities(quota.spec?.hard)
    if (!inScope(quota, request.resource, object)) return
    const missing = request.resource.group === '' && request.resource.resource === 'pods' ? unstated(object as Pod, Object.keys(hard)) : ''
    if (missing) throw refuse(request, `failed quota: ${quota.metadata.name}: must specify ${missing}`)
    const names = Object.keys(delta).filter((name) => hard[name])
    if (names.length === 0) return
    const used = withPending(quota, usedOf(cache, quota, clock.now()))
    const after = sumQuantities(used, delta)
    const exceeded = names.filter((name) => compareAmounts(after[name] as never, hard[name] as never) > 0).sort()
    if (exceeded.length === 0) return
    const print = (list: Quantities) => exceeded.map((name) => `${name}=${formatQuantity(list[name] as never)}`).join(',')
    const why = `exceeded quota: ${quota.metadata.name}, requested: ${print(delta)}, used: ${print(used)}, limited: ${print(hard)}`
    throw refuse(request, why)
  }

  function deltaOf(request: AdmissionRequest): Quantities {
    const now = clock.now()
    const usage = usageOf(request.resource, request.object as KubeObject, now)
    const before = request.oldObject ? usageOf(request.resource, request.oldObject, now) : {}
    const delta = Object.entries(usage).map(([name, quantity]) => {
      const old = before[name]
      return [name, old ? subtractQuantities(quantity, old) : quantity] as const
    })
    return Object.fromEntries(delta.filter(([, quantity]) => quantity.nano > 0n))
  }

  function withPending(quota: ResourceQuota, used: Quantities): Quantities {
    const now = clock.now()
    pending = pending.filter(({ request, until }) => now < until && !isStored(request))
    const relevant = pending.filter(({ request }) => request.namespace === quota.metadata.namespace)
    return relevant
      .filter(({ request }) => inScope(quota, request.resource, request.object as KubeObject))
      .reduce((sum, { usage }) => sumQuantities(sum, mask(usage, used)), used)
  }

  function isStored({ resource, namespace, object, oldObject }: AdmissionRequest): boolean {
    const stored = cache.get(resource, object?.metadata.name ?? '', namespace)
    if (!stored) return false
    return !oldObject || stored.metadata.resourceVersion !== oldObject.metadata.resourceVersion
  }
}

interface Pending {
  request: AdmissionRequest
  usage: Quantities
  /** Cluster time in ms after which the write has surely failed. */
  until: number
}

function mask(usage: Quantities, names: Quantities): Quantities {
  return Object.fromEntries(Object.entries(usage).filter(([name]) => names[name]))
}

/** `limits.cpu for: web; requests.cpu for: web`, of what containers leave open though the quota bounds it. */
function unstated(pod: Pod, hard: readonly string[]): string {
  if (pod.spec?.resources) return ''
  const required = hard.filter((name) => statedByContainers.has(name)).sort()
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]
  return required
    .map((name) => {
      const open = containers.filter(
        ({ resources: own }) => !computeUsage(parseQuantities(own?.requests), parseQuantities(own?.limits))[name],
      )
      const names = [...new Set(open.map((container) => container.name))].sort()
      return names.length > 0 ? `${name} for: ${names.join(',')}` : ''
    })
    .filter(Boolean)
    .join('; ')
}
