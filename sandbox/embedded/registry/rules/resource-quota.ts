import { compareQuantities } from '../../schema/quantity.ts'
import type { ResourceQuota, ResourceQuotaSpec } from '../../schema/types/core.v1.ts'
import type { Definition } from '../define.ts'
import { type FieldError, invalid, Path, required, specPath } from '../field.ts'
import { goShape } from '../go-shape.ts'
import { validateAnyResourceName } from '../resource-validation.ts'

/** pkg/apis/core/validation: ValidateResourceQuota. */
export const resourceQuotaRules: Partial<Definition<ResourceQuota>> = {
  validateStatus: ({ status }) =>
    (['hard', 'used'] as const).flatMap((field) =>
      Object.entries(status?.[field] ?? {}).flatMap(([name, quantity]) => {
        const at = new Path('status').child(field).key(name)
        return [
          ...nameErrors(name, at),
          ...(compareQuantities(quantity, 0) < 0 ? [invalid(at, quantity, 'must be greater than or equal to 0')] : []),
        ]
      }),
    ),
  validate({ spec = {} }) {
    const at = specPath.child('hard')
    const hard = Object.entries(spec.hard ?? {}).flatMap(([name, quantity]) => [
      ...nameErrors(name, at.key(name)),
      ...(compareQuantities(quantity, 0) < 0 ? [invalid(at.key(name), quantity, 'must be greater than or equal to 0')] : []),
    ])
    return [
      ...hard,
      ...scopeErrors(spec, specPath.child('scopes')),
      ...selectorErrors(spec, specPath.child('scopeSelector', 'matchExpressions')),
    ]
  },
  validateChange: ({ spec }, old) =>
    new Set(spec?.scopes).symmetricDifference(new Set(old.spec?.scopes)).size === 0
      ? []
      : [invalid(specPath.child('scopes'), spec?.scopes, 'field is immutable')],
}

const computeResources = ['cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory']
const quotaResources = [
  ...computeResources,
  ...['ephemeral-storage', 'requests.ephemeral-storage', 'limits.ephemeral-storage', 'requests.storage', 'pods', 'resourcequotas'],
  ...['services', 'replicationcontrollers', 'secrets', 'persistentvolumeclaims', 'configmaps', 'services.nodeports'],
  'services.loadbalancers',
]

function isQuotaResource(name: string): boolean {
  return quotaResources.includes(name) || /^(requests\.)?hugepages-/.test(name)
}

function nameErrors(name: string, path: Path): FieldError[] {
  const errors = validateAnyResourceName(name, path)
  if (name.includes('/') || isQuotaResource(name)) return errors
  return [...errors, invalid(path, name, 'must be a standard resource for quota')]
}

const ofPods = ['pods', ...computeResources]

/** By scope the resources of the API's own that it can be counted by. */
const countedBy: Record<string, readonly string[]> = {
  Terminating: ofPods,
  NotTerminating: ofPods,
  NotBestEffort: ofPods,
  PriorityClass: ofPods,
  CrossNamespacePodAffinity: ofPods,
  BestEffort: ['pods'],
  VolumeAttributesClass: ['persistentvolumeclaims', 'requests.storage'],
}

/** Of each resource that the scope says nothing about. */
function misapplied(scope: string, { hard = {} }: ResourceQuotaSpec, shown: unknown, path: Path): FieldError[] {
  const counted = countedBy[scope]
  if (!counted) return []
  const others = Object.keys(hard).filter((name) => isQuotaResource(name) && !counted.includes(name))
  return others.map(() => invalid(path, shown, 'unsupported scope applied to resource'))
}

function conflicting(scopes: readonly string[], shown: unknown, path: Path): FieldError[] {
  const pairs = [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ]
  return pairs.filter((pair) => pair.every((scope) => scopes.includes(scope))).map(() => invalid(path, shown, 'conflicting scopes'))
}

function scopeErrors(spec: ResourceQuotaSpec, path: Path): FieldError[] {
  const scopes = spec.scopes ?? []
  return [
    ...scopes.flatMap((scope) => [
      ...(Object.hasOwn(countedBy, scope) ? [] : [invalid(path, scopes, 'unsupported scope')]),
      ...misapplied(scope, spec, scopes, path),
    ]),
    ...conflicting(scopes, scopes, path),
  ]
}

const existing = ['BestEffort', 'NotBestEffort', 'Terminating', 'NotTerminating', 'CrossNamespacePodAffinity']
const onlyExists =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"

function selectorErrors(spec: ResourceQuotaSpec, path: Path): FieldError[] {
  const expressions = spec.scopeSelector?.matchExpressions ?? []
  const shown = goShape(spec.scopeSelector, 'core.v1.ScopeSelector')
  const errors = expressions.flatMap(({ scopeName = '', operator = '', values = [] }) => [
    ...(Object.hasOwn(countedBy, scopeName) ? [] : [invalid(path.child('scopeName'), scopeName, 'unsupported scope')]),
    ...misapplied(scopeName, spec, shown, path),
    ...(existing.includes(scopeName) && operator !== 'Exists' ? [invalid(path.child('operator'), operator, onlyExists)] : []),
    ...operatorErrors(operator, values, path),
  ])
  const scopes = expressions.map(({ scopeName }) => scopeName)
  return [...errors, ...conflicting(scopes, spec.scopes ?? null, path)]
}

function operatorErrors(operator: string, values: readonly string[], path: Path): FieldError[] {
  const at = path.child('values')
  if (operator === 'In' || operator === 'NotIn') {
    return values.length > 0 ? [] : [required(at, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")]
  }
  if (operator === 'Exists' || operator === 'DoesNotExist') {
    const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
    return values.length === 0 ? [] : [invalid(at, values, why)]
  }
  return [invalid(path.child('operator'), operator, 'not a valid selector operator')]
}
