import { copyOf } from '../../machinery/copy.ts'
import type { KubeObject } from '../../machinery/object.ts'
import type { HorizontalPodAutoscaler as V1 } from '../../schema/types/autoscaling.v1.ts'
import type { HorizontalPodAutoscaler, HPAScalingRules } from '../../schema/types/autoscaling.v2.ts'
import type { Definition } from '../define.ts'
import { type FieldError, forbidden, invalid, required, specPath } from '../field.ts'
import { validateMetric, validateReference, validateScalingRules } from './metrics.ts'
import { notBelowZero } from './workload-status.ts'

const defaultUtilization = 80

/** pkg/apis/autoscaling/v2/defaults.go and validation. */
export const horizontalPodAutoscalerRules: Partial<Definition<HorizontalPodAutoscaler>> = {
  validateStatus: ({ status }) => notBelowZero(status ?? {}, ['currentReplicas', 'desiredReplicas']),
  default({ spec }) {
    if (!spec) return
    spec.minReplicas ??= 1
    if (!spec.metrics?.length) {
      spec.metrics = [
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: defaultUtilization } } },
      ]
    }
    if (spec.behavior) {
      spec.behavior.scaleUp = rules(spec.behavior.scaleUp, {
        stabilizationWindowSeconds: 0,
        policies: [policy('Pods', 4), policy('Percent', 100)],
      })
      spec.behavior.scaleDown = rules(spec.behavior.scaleDown, { policies: [policy('Percent', 100)] })
    }
  },
  prepareForCreate({ spec }) {
    // of a feature that is switched off
    delete spec?.behavior?.scaleUp?.tolerance
    delete spec?.behavior?.scaleDown?.tolerance
  },
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    const errors: FieldError[] = []
    const { minReplicas: min, maxReplicas: max } = spec
    if (min !== undefined && min < 1) errors.push(invalid(specPath.child('minReplicas'), min, 'must be greater than or equal to 1'))
    if (!(max >= 1)) errors.push(invalid(specPath.child('maxReplicas'), max ?? 0, 'must be greater than 0'))
    if (min !== undefined && max < min) {
      errors.push(invalid(specPath.child('maxReplicas'), max, 'must be greater than or equal to `minReplicas`'))
    }
    errors.push(...validateReference(spec.scaleTargetRef ?? {}, specPath.child('scaleTargetRef')))
    if (spec.scaleTargetRef && !spec.scaleTargetRef.apiVersion?.includes('/')) {
      errors.push(
        invalid(specPath.child('scaleTargetRef', 'apiVersion'), spec.scaleTargetRef.apiVersion ?? '', 'apiVersion must specify API group'),
      )
    }
    errors.push(...(spec.metrics ?? []).flatMap((metric, index) => validateMetric(metric, specPath.child('metrics').index(index))))
    const scalesToZero = spec.metrics?.some(({ type }) => type === 'Object' || type === 'External')
    if (min === 0 && !scalesToZero) {
      errors.push(
        forbidden(specPath.child('metrics'), 'must specify at least one Object or External metric to support scaling to zero replicas'),
      )
    }
    for (const direction of ['scaleUp', 'scaleDown'] as const) {
      errors.push(...validateScalingRules(spec.behavior?.[direction], specPath.child('behavior', direction)))
    }
    return errors
  },
}

/** Of the older view, which is looked at as the stored version. */
export const horizontalPodAutoscalerV1Rules: Partial<Definition<V1>> = {
  validateStatus: ({ status }) => notBelowZero(status ?? {}, ['currentReplicas', 'desiredReplicas']),
  /** It is read as what it becomes, and seen as what that is in this version. */
  default(autoscaler) {
    if (!autoscaler.spec) return
    autoscaler.spec.minReplicas ??= 1
    const { toStorage, fromStorage } = horizontalPodAutoscalerConversion
    const { metadata, spec, status } = fromStorage(toStorage(autoscaler)) as V1
    Object.assign(autoscaler, { metadata, spec, status })
  },
  validate: (object) =>
    horizontalPodAutoscalerRules.validate?.(horizontalPodAutoscalerConversion.toStorage(object) as unknown as HorizontalPodAutoscaler) ??
    [],
}

const annotation = 'autoscaling.alpha.kubernetes.io/metrics'
const carried = {
  metrics: annotation,
  currentMetrics: 'autoscaling.alpha.kubernetes.io/current-metrics',
  conditions: 'autoscaling.alpha.kubernetes.io/conditions',
  behavior: 'autoscaling.alpha.kubernetes.io/behavior',
}

/** autoscaling/v1 knows only the CPU's utilisation; the rest travels in annotations. Source: pkg/apis/autoscaling/v1/conversion.go. */
export const horizontalPodAutoscalerConversion = {
  toStorage(object: KubeObject): KubeObject {
    const { spec, status, metadata, ...rest } = copyOf(object) as V1
    const { targetCPUUtilizationPercentage: target, ...kept } = spec ?? { scaleTargetRef: { kind: '', name: '' }, maxReplicas: 0 }
    const others = listOf(readCarried(metadata, 'metrics'))
    const metrics = [...(others ?? []).map((metric) => metricOf(metric, 'target')), ...(target === undefined ? [] : [cpuMetric(target)])]
    const { currentCPUUtilizationPercentage: current, ...state } = status ?? { currentReplicas: 0, desiredReplicas: 0 }
    const measured = listOf(readCarried(metadata, 'currentMetrics'))
    const cpu = { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }
    const currentMetrics = measured?.map((metric) => metricOf(metric, 'current')) ?? (current === undefined ? undefined : [cpu])
    const conditions = listOf(readCarried(metadata, 'conditions'))
    const behavior = readCarried(metadata, 'behavior') as Fields | undefined
    return {
      ...rest,
      apiVersion: 'autoscaling/v2',
      metadata: withCarried(metadata, {}),
      spec: {
        ...kept,
        metrics: metrics.length > 0 ? metrics : [cpuMetric(defaultUtilization)],
        ...(behavior ? { behavior: renamed(behavior, lowered) } : {}),
      },
      status: { ...state, ...(currentMetrics ? { currentMetrics } : {}), ...(conditions ? { conditions } : {}) },
    } as unknown as KubeObject
  },
  fromStorage(object: KubeObject): KubeObject {
    const { spec, status, metadata, ...rest } = copyOf(object) as unknown as HorizontalPodAutoscaler
    const { metrics = [], behavior, ...kept } = spec ?? { scaleTargetRef: { kind: '', name: '' }, maxReplicas: 0 }
    const isCpu = ({ type, resource }: (typeof metrics)[number]) =>
      type === 'Resource' && resource?.name === 'cpu' && resource.target.averageUtilization !== undefined
    const target = metrics.find(isCpu)?.resource?.target.averageUtilization
    const others = metrics.filter((metric) => !isCpu(metric))
    const { currentMetrics, conditions, ...state } = status ?? {}
    const current = currentMetrics?.findLast(({ resource }) => resource?.name === 'cpu')?.resource?.current.averageUtilization
    const carriers = {
      ...(others.length > 0 && { metrics: others.map((metric) => flatMetric(metric as unknown as Fields, 'target')) }),
      ...(currentMetrics?.length && { currentMetrics: currentMetrics.map((metric) => flatMetric(metric as unknown as Fields, 'current')) }),
      ...(behavior && { behavior: renamed(behavior as unknown as Fields, raised) }),
      ...(conditions?.length && { conditions }),
    }
    return {
      ...rest,
      apiVersion: 'autoscaling/v1',
      metadata: withCarried(metadata, carriers),
      spec: { ...kept, ...(target !== undefined && { targetCPUUtilizationPercentage: target }) },
      status: { ...state, ...(current !== undefined && { currentCPUUtilizationPercentage: current }) },
    } as unknown as KubeObject
  },
}

type Fields = Record<string, unknown>

/** What an annotation carries; what cannot be read is as if it were not there. */
function readCarried({ annotations }: KubeObject['metadata'], what: keyof typeof carried): unknown {
  const text = annotations?.[carried[what]]
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** What is no list carries nothing. */
function listOf(value: unknown): Fields[] | undefined {
  return Array.isArray(value) ? (value as Fields[]) : undefined
}

function withCarried(metadata: KubeObject['metadata'], carriers: Partial<Record<keyof typeof carried, unknown>>): KubeObject['metadata'] {
  const own = Object.entries(metadata.annotations ?? {}).filter(([name]) => !Object.values(carried).includes(name))
  const added = Object.entries(carriers).map(([what, value]) => [carried[what as keyof typeof carried], JSON.stringify(value)] as const)
  const { annotations, ...rest } = metadata
  if (own.length + added.length === 0 && annotations === undefined) return metadata
  return { ...rest, annotations: Object.fromEntries([...own, ...added]) } as KubeObject['metadata']
}

type Side = 'target' | 'current'

/** A metric of v2 as v1 writes it: its target, or what it is now, lies flat in the metric's source. */
function flatMetric({ type, ...sources }: Fields, side: Side): Fields {
  const flat = Object.entries(sources).map(([kind, source]) => [kind, flatSource(kind, source as Fields, side)] as const)
  return { type, ...Object.fromEntries(flat) }
}

function flatSource(kind: string, source: Fields, side: Side): Fields {
  const { name, container, metric, describedObject } = source as { name?: string; container?: string } & Record<string, Fields>
  const { averageUtilization, averageValue, value } = (source[side] ?? {}) as Fields
  const isTarget = side === 'target'
  const utilization = averageUtilization === undefined ? {} : { [`${side}AverageUtilization`]: averageUtilization }
  const average = averageValue === undefined && isTarget ? {} : { [`${side}AverageValue`]: averageValue ?? '0' }
  const { name: metricName, selector } = metric ?? {}
  switch (kind) {
    case 'resource':
      return { name, ...utilization, ...average }
    case 'containerResource':
      return isTarget ? { name, ...utilization, ...average, container } : { name, ...utilization, ...average, container }
    case 'pods':
      return { metricName, [`${side}AverageValue`]: averageValue ?? '0', ...(selector ? { selector } : {}) }
    case 'object': {
      const shown = averageValue === undefined ? {} : { averageValue }
      return { target: describedObject, metricName, [`${side}Value`]: value ?? '0', ...(selector ? { selector } : {}), ...shown }
    }
    default: {
      const whole = value === undefined && isTarget ? {} : { [`${side}Value`]: value ?? '0' }
      const shown = averageValue === undefined ? {} : { [`${side}AverageValue`]: averageValue }
      return { metricName, ...(selector ? { metricSelector: selector } : {}), ...whole, ...shown }
    }
  }
}

function metricOf({ type, ...sources }: Fields, side: Side): Fields {
  const deep = Object.entries(sources).map(([kind, source]) => [kind, deepSource(kind, source as Fields, side)] as const)
  return { type, ...Object.fromEntries(deep) }
}

function deepSource(kind: string, source: Fields, side: Side): Fields {
  const utilization = source[`${side}AverageUtilization`]
  const average = kind === 'object' ? source['averageValue'] : source[`${side}AverageValue`]
  const whole = source[`${side}Value`]
  const isAverage = average !== undefined && (kind !== 'object' || side === 'current')
  const type = utilization !== undefined ? 'Utilization' : isAverage || average !== undefined ? 'AverageValue' : 'Value'
  const amounts = {
    ...(utilization === undefined ? {} : { averageUtilization: utilization }),
    ...(average === undefined ? {} : { averageValue: average }),
    ...(whole === undefined || (side === 'target' && type === 'AverageValue') ? {} : { value: whole }),
  }
  const measure = { [side]: side === 'target' ? { type, ...amounts } : amounts }
  const selector = source['selector'] ?? source['metricSelector']
  const metric = { name: source['metricName'], ...(selector ? { selector } : {}) }
  if (kind === 'resource') return { name: source['name'], ...measure }
  if (kind === 'containerResource') return { name: source['name'], container: source['container'], ...measure }
  return { metric, ...measure, ...(kind === 'object' ? { describedObject: source['target'] } : {}) }
}

/** A behaviour is carried as Go has it in hand, under the names of Go's fields. */
function renamed(value: unknown, name: (key: string) => string): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, name))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [name(key), renamed(field, name)]))
}

function raised(key: string): string {
  return key.charAt(0).toUpperCase() + key.slice(1)
}

function lowered(key: string): string {
  return key.charAt(0).toLowerCase() + key.slice(1)
}

function cpuMetric(target: number): object {
  return { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } } }
}

function rules(given: HPAScalingRules | undefined, defaults: HPAScalingRules): HPAScalingRules {
  return { ...defaults, selectPolicy: 'Max', ...given }
}

function policy(type: string, value: number): { type: string; value: number; periodSeconds: number } {
  return { type, value, periodSeconds: 15 }
}
