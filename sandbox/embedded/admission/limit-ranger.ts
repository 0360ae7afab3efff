import { aggregate } from '../auth/rbac.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { compareAmounts, parseQuantities, type Quantities } from '../machinery/quantities.ts'
import { formatQuantity, parseQuantity, type Quantity } from '../schema/quantity.ts'
import type { Container, LimitRange, LimitRangeItem, PersistentVolumeClaim, Pod } from '../schema/types/core.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, isAbout, refuse } from './admission.ts'
import { podLimits, podRequests } from './pod-resources.ts'

/** Gives containers the defaults of the namespace's LimitRanges and refuses what lies outside them. */
export function limitRanger({ cache }: Pick<ClusterContext, 'cache'>): AdmissionPlugin {
  const ranges = ({ namespace }: AdmissionRequest) => cache.list<LimitRange>(resources.limitRanges, namespace)
  return {
    name: 'LimitRanger',
    handles: (request) =>
      !request.oldObject?.metadata.deletionTimestamp &&
      ((request.operation === 'CREATE' && isAbout(request, '', 'pods')) ||
        ((request.operation === 'CREATE' || request.operation === 'UPDATE') && isAbout(request, '', 'persistentvolumeclaims'))),
    mutate(request) {
      if (request.resource.resource !== 'pods') return
      for (const range of ranges(request)) setDefaults(request.object as Pod, range)
    },
    validate(request) {
      for (const range of ranges(request)) {
        const errors =
          request.resource.resource === 'pods'
            ? podErrors(request.object as Pod, range)
            : claimErrors(request.object as PersistentVolumeClaim, range)
        if (errors.length > 0) throw refuse(request, aggregate(errors))
      }
    },
  }
}

function setDefaults(pod: Pod, range: LimitRange): void {
  const items = (range.spec?.limits ?? []).filter((item) => item.type === 'Container')
  const requests = Object.assign({}, ...items.map((item) => item.defaultRequest ?? {})) as Amounts
  const limits = Object.assign({}, ...items.map((item) => item.default ?? {})) as Amounts
  const notes = [
    ...(pod.spec?.containers ?? []).flatMap((container) => fill(container, 'container', requests, limits)),
    ...(pod.spec?.initContainers ?? []).flatMap((container) => fill(container, 'init container', requests, limits)),
  ]
  if (notes.length === 0) return
  pod.metadata.annotations = { ...pod.metadata.annotations, 'kubernetes.io/limit-ranger': `LimitRanger plugin set: ${notes.join('; ')}` }
}

function fill(container: Container, kind: string, requests: Amounts, limits: Amounts): string[] {
  const own = (container.resources ??= {})
  const missing = (held: Amounts | undefined, defaults: Amounts) =>
    Object.keys(defaults)
      .filter((name) => held?.[name] === undefined)
      .sort()
  const newRequests = missing(own.requests, requests)
  const newLimits = missing(own.limits, limits)
  const pick = (names: string[], from: Amounts) => Object.fromEntries(names.map((name) => [name, from[name] as string | number]))
  if (newRequests.length > 0) own.requests = { ...own.requests, ...pick(newRequests, requests) }
  if (newLimits.length > 0) own.limits = { ...own.limits, ...pick(newLimits, limits) }
  return [
    ...(newRequests.length > 0 ? [`${newRequests.join(', ')} request for ${kind} ${container.name}`] : []),
    ...(newLimits.length > 0 ? [`${newLimits.join(', ')} limit for ${kind} ${container.name}`] : []),
  ]
}

function podErrors(pod: Pod, range: LimitRange): string[] {
  return (range.spec?.limits ?? []).flatMap((item) => {
    if (item.type === 'Container') {
      const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]
      return containers.flatMap(({ resources: own }) => itemErrors(item, parseQuantities(own?.requests), parseQuantities(own?.limits)))
    }
    return item.type === 'Pod' ? itemErrors(item, podRequests(pod), podLimits(pod)) : []
  })
}

function claimErrors(claim: PersistentVolumeClaim, range: LimitRange): string[] {
  const requests = parseQuantities(claim.spec?.resources?.requests)
  return (range.spec?.limits ?? [])
    .filter((item) => item.type === 'PersistentVolumeClaim')
    .flatMap((item) => [
      ...each(item.min, (name, bound) => minimum(item.type, name, bound, requests[name], undefined)),
      ...each(item.max, (name, bound) => maximumRequest(item.type, name, bound, requests[name])),
    ])
}

function itemErrors(item: LimitRangeItem, requests: Quantities, limits: Quantities): string[] {
  return [
    ...each(item.min, (name, bound) => minimum(item.type, name, bound, requests[name], limits[name])),
    ...each(item.max, (name, bound) => maximum(item.type, name, bound, requests[name], limits[name])),
    ...each(item.maxLimitRequestRatio, (name, bound) => ratio(item.type, name, bound, requests[name], limits[name])),
  ]
}

function each(bounds: Amounts | undefined, check: (name: string, bound: Quantity) => string | undefined): string[] {
  return Object.entries(bounds ?? {}).flatMap(([name, text]) => check(name, parseQuantity(text)) ?? [])
}

function minimum(type: string, name: string, bound: Quantity, request?: Quantity, limit?: Quantity): string | undefined {
  const start = `minimum ${name} usage per ${type} is ${formatQuantity(bound)}`
  if (!request) return `${start}.  No request is specified`
  if (compareAmounts(request, bound) < 0) return `${start}, but request is ${formatQuantity(request)}`
  return limit && compareAmounts(limit, bound) < 0 ? `${start}, but limit is ${formatQuantity(limit)}` : undefined
}

function maximum(type: string, name: string, bound: Quantity, request?: Quantity, limit?: Quantity): string | undefined {
  const start = `maximum ${name} usage per ${type} is ${formatQuantity(bound)}`
  if (!limit) return `${start}.  No limit is specified`
  if (compareAmounts(limit, bound) > 0) return `${start}, but limit is ${formatQuantity(limit)}`
  return request && compareAmounts(request, bound) > 0 ? `${start}, but request is ${formatQuantity(request)}` : undefined
}

function maximumRequest(type: string, name: string, bound: Quantity, request?: Quantity): string | undefined {
  const start = `maximum ${name} usage per ${type} is ${formatQuantity(bound)}`
  if (!request) return `${start}.  No request is specified`
  return compareAmounts(request, bound) > 0 ? `${start}, but request is ${formatQuantity(request)}` : undefined
}

function ratio(type: string, name: string, bound: Quantity, request?: Quantity, limit?: Quantity): string | undefined {
  const start = `${name} max limit to request ratio per ${type} is ${formatQuantity(bound)}`
  if (!request?.nano) return `${start}, but no request is specified or request is 0`
  if (!limit?.nano) return `${start}, but no limit is specified or limit is 0`
  const provided = Number(limit.nano) / Number(request.nano)
  return provided > Number(bound.nano) / 1e9 ? `${start}, but provided ratio is ${provided.toFixed(6)}` : undefined
}

type Amounts = Record<string, string | number>
