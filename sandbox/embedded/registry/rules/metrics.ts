import { compareQuantities } from '../../schema/quantity.ts'
import type { HPAScalingRules, MetricSpec, MetricTarget } from '../../schema/types/autoscaling.v2.ts'
import { type FieldError, forbidden, invalid, notSupported, type Path, required } from '../field.ts'
import { validateEnum } from '../metadata.ts'
import { isDns1123Label, pathSegment } from '../names.ts'
import { validateResourceName } from '../resource-validation.ts'

const kinds = {
  object: 'Object',
  external: 'External',
  pods: 'Pods',
  resource: 'Resource',
  containerResource: 'ContainerResource',
} as const
const types = ['ContainerResource', 'External', 'Object', 'Pods', 'Resource']

/** What an autoscaler goes by. Source: validateMetricSpec in pkg/apis/autoscaling/validation. */
export function validateMetric(metric: MetricSpec, path: Path): FieldError[] {
  const { type } = metric
  const errors: FieldError[] = type ? [] : [required(path.child('type'), 'must specify a metric source type')]
  if (!types.includes(type)) errors.push(notSupported(path.child('type'), type ?? '', types))
  const present = (Object.keys(kinds) as (keyof typeof kinds)[]).filter((kind) => metric[kind])
  const [first] = present
  if (first) errors.push(...validateSource(metric, first, path.child(first)))
  const expected = (Object.keys(kinds) as (keyof typeof kinds)[]).find((kind) => kinds[kind] === type)
  if (expected && !metric[expected]) {
    errors.push(required(path.child(expected), 'must populate information for the given metric source'))
  }
  if (!expected) return errors
  const others = present.filter((kind) => kind !== expected)
  return [...errors, ...others.map((kind) => forbidden(path.child(kind), 'must populate the given metric source only'))]
}

function validateSource(
  { object, external, pods, resource, containerResource }: MetricSpec,
  kind: keyof typeof kinds,
  path: Path,
): FieldError[] {
  const target = path.child('target')
  if (kind === 'object' && object) {
    const none = object.target?.value === undefined && object.target?.averageValue === undefined
    return [
      ...validateReference(object.describedObject ?? {}, path.child('describedObject')),
      ...validateIdentifier(object.metric, path.child('metric')),
      ...validateTarget(object.target, target),
      ...(none ? [required(target.child('averageValue'), 'must set either a target value or averageValue')] : []),
    ]
  }
  if (kind === 'external' && external) {
    const { value, averageValue } = external.target ?? {}
    const none = value === undefined && averageValue === undefined
    const both = value !== undefined && averageValue !== undefined
    return [
      ...validateIdentifier(external.metric, path.child('metric')),
      ...validateTarget(external.target, target),
      ...(none ? [required(target.child('averageValue'), 'must set either a target value for metric or a per-pod target')] : []),
      ...(both ? [forbidden(target.child('value'), 'may not set both a target value for metric and a per-pod target')] : []),
    ]
  }
  if (kind === 'pods' && pods) {
    const none = pods.target?.averageValue === undefined
    return [
      ...validateIdentifier(pods.metric, path.child('metric')),
      ...validateTarget(pods.target, target),
      ...(none ? [required(target.child('averageValue'), 'must specify a positive target averageValue')] : []),
    ]
  }
  const source = containerResource && kind === 'containerResource' ? containerResource : resource
  if (!source) return []
  const name = path.child('name')
  const errors = source.name ? [] : [required(name, 'must specify a resource name')]
  if (kind === 'containerResource' && containerResource) {
    const { container } = containerResource
    const at = path.child('container')
    if (source.name) errors.push(...validateResourceName(source.name, name))
    if (!container) errors.push(required(at, 'must specify a container'))
    else errors.push(...isDns1123Label(container).map((text) => invalid(at, container, text)))
  }
  const { averageUtilization, averageValue } = source.target ?? {}
  errors.push(...validateTarget(source.target, target))
  if (averageUtilization === undefined && averageValue === undefined) {
    errors.push(required(target.child('averageUtilization'), 'must set either a target raw value or a target utilization'))
  }
  if (averageUtilization !== undefined && averageValue !== undefined) {
    errors.push(forbidden(target.child('averageValue'), 'may not set both a target raw value and a target utilization'))
  }
  return errors
}

/** The object that is scaled, or measured; one measured may be of the core group. */
export function validateReference(reference: { apiVersion?: string; kind?: string; name?: string }, path: Path): FieldError[] {
  return (['kind', 'name'] as const).flatMap((field) => {
    const value = reference[field]
    if (!value) return [required(path.child(field))]
    return pathSegment(value).map((text) => invalid(path.child(field), value, text))
  })
}

function validateIdentifier(metric: { name?: string } | undefined, path: Path): FieldError[] {
  const name = metric?.name
  if (!name) return [required(path.child('name'), 'must specify a metric name')]
  return pathSegment(name).map((text) => invalid(path.child('name'), name, text))
}

function validateTarget(given: MetricTarget | undefined, path: Path): FieldError[] {
  const { type = '', value, averageValue, averageUtilization } = given ?? ({} as MetricTarget)
  const errors = type ? [] : [required(path.child('type'), 'must specify a metric target type')]
  if (!['Utilization', 'Value', 'AverageValue'].includes(type)) {
    errors.push(invalid(path.child('type'), type, 'must be either Utilization, Value, or AverageValue'))
  }
  for (const [field, amount] of Object.entries({ value, averageValue })) {
    if (amount !== undefined && compareQuantities(amount, 0) <= 0) errors.push(invalid(path.child(field), amount, 'must be positive'))
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.push(invalid(path.child('averageUtilization'), averageUtilization, 'must be greater than 0'))
  }
  return errors
}

/** How fast it may scale in one direction. */
export function validateScalingRules(rules: HPAScalingRules | undefined, path: Path): FieldError[] {
  if (!rules) return []
  const { stabilizationWindowSeconds: seconds, selectPolicy, policies } = rules
  const window = path.child('stabilizationWindowSeconds')
  const errors: FieldError[] = []
  if (seconds !== undefined && seconds < 0) errors.push(invalid(window, seconds, 'must be greater than or equal to zero'))
  if (seconds !== undefined && seconds > 3600) errors.push(invalid(window, seconds, 'must be less than or equal to 3600'))
  errors.push(...validateEnum(selectPolicy, ['Disabled', 'Max', 'Min'], path.child('selectPolicy')))
  if (!policies?.length) errors.push(required(path.child('policies'), 'must specify at least one Policy'))
  for (const [index, { type, value, periodSeconds }] of (policies ?? []).entries()) {
    const at = path.child('policies').index(index)
    errors.push(...validateEnum(type ?? '', ['Percent', 'Pods'], at.child('type')))
    if (!(value > 0)) errors.push(invalid(at.child('value'), value ?? 0, 'must be greater than zero'))
    if (!(periodSeconds > 0)) errors.push(invalid(at.child('periodSeconds'), periodSeconds ?? 0, 'must be greater than zero'))
    if (periodSeconds > 1800) errors.push(invalid(at.child('periodSeconds'), periodSeconds, 'must be less than or equal to 1800'))
  }
  return errors
}
