import { isDeepStrictEqual } from 'node:util'
import type { ServiceSpec } from '../schema/types/core.v1.ts'
import { type FieldError, forbidden, invalid, specPath } from './field.ts'

/**
 * What a client may leave out of an update keeps its value, and of the two fields for the address each follows the other. Source:
 * patchAllocatedValues and normalizeClusterIPs in pkg/registry/core/service/storage.
 */
export function keepAllocated(spec: ServiceSpec, old: ServiceSpec): void {
  if (hasAddress(spec) && hasAddress(old)) {
    spec.clusterIP ||= old.clusterIP
    if (!spec.clusterIPs?.length && old.clusterIPs) spec.clusterIPs = [...old.clusterIPs]
    spec.ipFamilyPolicy ??= old.ipFamilyPolicy
  }
  if (hasNodePorts(spec) && hasNodePorts(old)) keepNodePorts(spec, old)
  if (isChecked(spec) && isChecked(old)) spec.healthCheckNodePort ||= old.healthCheckNodePort
  alignAddresses(spec, old)
  for (const field of ['clusterIP', 'clusterIPs', 'ipFamilyPolicy', 'healthCheckNodePort'] as const) {
    if (spec[field] === undefined) delete spec[field]
  }
}

/** Ports go by their names, whatever else has changed about them. */
function keepNodePorts(spec: ServiceSpec, old: ServiceSpec): void {
  const [now, before] = [nodePortsOf(spec), nodePortsOf(old)]
  const named = new Map((old.ports ?? []).map(({ name = '', nodePort }) => [name, nodePort]))
  for (const port of spec.ports ?? []) {
    const known = named.get(port.name ?? '')
    if (!port.nodePort && known && !(now.has(known) && before.has(known))) port.nodePort = known
  }
}

function alignAddresses(spec: ServiceSpec, old: ServiceSpec): void {
  const [now, before] = [spec.clusterIP ?? '', old.clusterIP ?? '']
  if (now === before) {
    if (old.clusterIPs?.length && !spec.clusterIPs?.length) spec.clusterIPs = [...old.clusterIPs]
    return
  }
  if (!isDeepStrictEqual(spec.clusterIPs ?? [], old.clusterIPs ?? [])) return
  // a client that knows only the one field
  if (before === '' || now !== '') spec.clusterIPs = [now]
}

/** What the new type has no use for goes, where the client has not changed it. Source: dropTypeDependentFields. */
export function dropUseless(spec: ServiceSpec, old: ServiceSpec): void {
  if (hasAddress(old) && !hasAddress(spec)) {
    if ((spec.clusterIP ?? '') === (old.clusterIP ?? '') && same(spec, old, 'clusterIPs')) drop(spec, 'clusterIP', 'clusterIPs')
    for (const field of ['ipFamilies', 'ipFamilyPolicy'] as const) if (same(spec, old, field)) drop(spec, field)
  }
  if (hasNodePorts(old) && !hasNodePorts(spec) && nodePortsOf(spec).isSubsetOf(nodePortsOf(old))) {
    for (const port of spec.ports ?? []) delete port.nodePort
  }
  if (isChecked(old) && !isChecked(spec) && same(spec, old, 'healthCheckNodePort')) drop(spec, 'healthCheckNodePort')
  if (old.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    for (const field of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) if (same(spec, old, field)) drop(spec, field)
  }
  if (isOutside(old) && !isOutside(spec) && same(spec, old, 'externalTrafficPolicy')) drop(spec, 'externalTrafficPolicy')
}

/** What is wrong with a Service's change. Source: ValidateServiceUpdate in pkg/apis/core/validation. */
export function validateServiceChange(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  const errors: FieldError[] = []
  if (hasAddress(spec) && hasAddress(old)) errors.push(...addressChanges(spec, old), ...familyChanges(spec, old))
  if (spec.type === 'LoadBalancer' && old.type === 'LoadBalancer' && !same(spec, old, 'loadBalancerClass')) {
    errors.push(invalid(specPath.child('loadBalancerClass'), spec.loadBalancerClass, settled))
  }
  if (isChecked(spec) && isChecked(old) && !same(spec, old, 'healthCheckNodePort')) {
    errors.push(forbidden(specPath.child('healthCheckNodePort'), 'field is immutable'))
  }
  return errors
}

const settled = 'may not change once set'

function addressChanges(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  if (spec.clusterIP === 'None' && old.clusterIP === 'None') return []
  const [now, before] = [spec.clusterIPs ?? [], old.clusterIPs ?? []]
  const at = specPath.child('clusterIPs')
  if (now.length === before.length) {
    return before.flatMap((address, index) => (address === now[index] ? [] : [invalid(at.index(index), now, settled)]))
  }
  const isMoved = now.length > 0 && before.length > 0 && now[0] !== before[0]
  const isUnset = now.length === 0
  return [
    ...(isUnset ? [invalid(at.index(0), now, 'primary clusterIP can not be unset')] : []),
    ...(isMoved ? [invalid(at.index(0), now, settled)] : []),
    ...(before.length > now.length && now.length === 1 ? released(spec, 'clusterIP') : []),
  ]
}

function familyChanges(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  if (spec.clusterIP === 'None' || old.clusterIP === 'None') return []
  const [now, before] = [spec.ipFamilies ?? [], old.ipFamilies ?? []]
  const at = specPath.child('ipFamilies').index(0)
  if (now.length === before.length) return before.flatMap((family, index) => (family === now[index] ? [] : [invalid(at, now, settled)]))
  const isMoved = now.length > 0 && before.length > 0 && now[0] !== before[0]
  return [
    ...(before.length > now.length && !spec.clusterIPs?.length ? [invalid(at, now, 'primary ipFamily can not be unset')] : []),
    ...(isMoved ? [invalid(at, spec.clusterIPs, settled)] : []),
    ...(before.length > now.length && now.length === 1 ? released(spec, 'ipFamily') : []),
  ]
}

function released({ ipFamilyPolicy }: ServiceSpec, what: string): FieldError[] {
  if (ipFamilyPolicy === 'SingleStack') return []
  return [invalid(specPath.child('ipFamilyPolicy'), ipFamilyPolicy, `must be set to 'SingleStack' when releasing the secondary ${what}`)]
}

function hasAddress({ type }: ServiceSpec): boolean {
  return type !== 'ExternalName'
}

function hasNodePorts({ type }: ServiceSpec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer'
}

function isChecked({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local'
}

function isOutside({ type, externalIPs }: ServiceSpec): boolean {
  return type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && !!externalIPs?.length)
}

function nodePortsOf({ ports = [] }: ServiceSpec): Set<number> {
  return new Set(ports.flatMap(({ nodePort }) => (nodePort ? [nodePort] : [])))
}

function same(spec: ServiceSpec, old: ServiceSpec, field: keyof ServiceSpec): boolean {
  return isDeepStrictEqual(spec[field] ?? undefined, old[field] ?? undefined)
}

function drop(spec: ServiceSpec, ...fields: (keyof ServiceSpec)[]): void {
  for (const field of fields) delete spec[field]
}
