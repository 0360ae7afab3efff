import { compareQuantities, parseQuantity } from '../schema/quantity.ts'
import type { ResourceClaim, ResourceRequirements } from '../schema/types/core.v1.ts'
import { duplicate, type FieldError, forbidden, invalid, notFound, notSupported, type Path, required } from './field.ts'
import { isDns1123Label, isQualifiedName } from './names.ts'

/**
 * Requests may not be more than limits, and nothing may be negative. `whose` decides which resources there are to ask for.
 * Source: validateResourceRequirements.
 */
export function validateResources(
  { limits = {}, requests = {}, claims = [] }: ResourceRequirements,
  path: Path,
  podClaims: readonly string[] = [],
  whose: 'container' | 'pod' = 'container',
): FieldError[] {
  const amount = (name: string, quantity: string | number, at: Path) => [
    ...(whose === 'pod' ? validatePodResourceName(name, at) : validateResourceName(name, at)),
    ...(compareQuantities(quantity, 0) < 0 ? [invalid(at, quantity, 'must be greater than or equal to 0')] : []),
    ...(isWhole(name) && parseQuantity(quantity).nano % 1_000_000_000n !== 0n ? [invalid(at, quantity, 'must be an integer')] : []),
  ]
  const errors = Object.entries(limits).flatMap(([name, quantity]) => amount(name, quantity, path.child('limits').key(name)))
  for (const [name, quantity] of Object.entries(requests)) {
    errors.push(...amount(name, quantity, path.child('requests').key(name)))
    const limit = limits[name]
    const shared = isNative(name) && !name.startsWith('hugepages-')
    if (limit === undefined) {
      if (!shared) errors.push(required(path.child('limits'), 'Limit must be set for non overcommitable resources'))
    } else if (!shared && compareQuantities(quantity, limit) !== 0) {
      errors.push(invalid(path.child('requests'), quantity, `must be equal to ${name} limit of ${limit}`))
    } else if (compareQuantities(quantity, limit) > 0) {
      errors.push(invalid(path.child('requests'), quantity, `must be less than or equal to ${name} limit of ${limit}`))
    }
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)]
  if (names.some((name) => name.startsWith('hugepages-')) && !names.some((name) => name === 'cpu' || name === 'memory')) {
    errors.push(forbidden(path, 'HugePages require cpu or memory'))
  }
  return [...errors, ...validateClaims(claims, path.child('claims'), podClaims)]
}

function validateClaims(claims: readonly ResourceClaim[], path: Path, podClaims: readonly string[]): FieldError[] {
  const seen = new Set<string>()
  return claims.flatMap(({ name, request }, index) => {
    const at = path.index(index)
    if (!name) return [required(at), ...lost(name, at, podClaims)]
    const key = request ? `${name}/${request}` : name
    const errors: FieldError[] = []
    if (request) errors.push(...isDns1123Label(request).map((text) => invalid(at.child('request'), request, text)))
    if (seen.has(name) || seen.has(key)) errors.push(duplicate(at, seen.has(name) ? name : key))
    else if (!request) errors.push(...[...seen].filter((other) => other.startsWith(`${name}/`)).map(() => duplicate(at, name)))
    seen.add(key)
    return [...errors, ...lost(name, at, podClaims)]
  })
}

function lost(name: string, path: Path, podClaims: readonly string[]): FieldError[] {
  if (!name || podClaims.includes(name)) return []
  const which = podClaims.length > 0 ? `: ${[...podClaims].sort().join(', ')}` : ' which is empty'
  const error = notFound(path, name)
  return [{ ...error, message: `${error.message}: must be one of the names in pod.spec.resourceClaims${which}` }]
}

/** What the API knows by itself, counted in whole numbers where there are no parts of one. */
const wholeResources = [
  'configmaps',
  'limits.ephemeral-storage',
  'persistentvolumeclaims',
  'pods',
  'replicationcontrollers',
  'requests.ephemeral-storage',
  'resourcequotas',
  'secrets',
  'services',
  'services.loadbalancers',
  'services.nodeports',
]

function isNative(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/')
}

function isWhole(name: string): boolean {
  return wholeResources.includes(name) || isExtended(name)
}

function isExtended(name: string): boolean {
  return !isNative(name) && !name.startsWith('requests.') && isQualifiedName(`requests.${name}`).length === 0
}

const standardResources = [
  ...['cpu', 'memory', 'ephemeral-storage', 'requests.cpu', 'requests.memory', 'requests.ephemeral-storage', 'limits.cpu'],
  ...['limits.memory', 'limits.ephemeral-storage', 'pods', 'resourcequotas', 'services', 'replicationcontrollers', 'secrets'],
  ...['persistentvolumeclaims', 'configmaps', 'services.nodeports', 'services.loadbalancers', 'storage', 'requests.storage'],
]

/** A name of any resource: of the API's own, or with a domain. */
export function validateAnyResourceName(name: string, path: Path): FieldError[] {
  const errors = isQualifiedName(name).map((text) => invalid(path, name, text))
  if (errors.length > 0 || name.includes('/') || standardResources.includes(name) || /^(requests\.)?hugepages-/.test(name)) return errors
  return [invalid(path, name, 'must be a standard resource type or fully qualified')]
}

/** A name of what containers can ask for. */
export function validateResourceName(name: string, path: Path): FieldError[] {
  const errors = validateAnyResourceName(name, path)
  if (!name.includes('/')) {
    const standard = ['cpu', 'memory', 'ephemeral-storage'].includes(name) || name.startsWith('hugepages-')
    return standard ? errors : [...errors, invalid(path, name, 'must be a standard resource for containers')]
  }
  if (isNative(name) || isExtended(name)) return errors
  return [...errors, invalid(path, name, "doesn't follow extended resource name standard")]
}

function validatePodResourceName(name: string, path: Path): FieldError[] {
  const errors = validateAnyResourceName(name, path)
  if (errors.length > 0 || name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')) return errors
  return [notSupported(path, name, ['cpu', 'hugepages-', 'memory'])]
}
