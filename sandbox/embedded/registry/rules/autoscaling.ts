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
  default({ spec, metadata }) {
    if (!spec) return
    spec.minReplicas ??= 1
    if (otherMetrics(metadata.annotations?.[annotation]).length === 0) spec.targetCPUUtilizationPercentage ??= defaultUtilization
  },
  validate: (object) =>
    horizontalPodAutoscalerRules.validate?.(horizontalPodAutoscalerConversion.toStorage(object) as unknown as HorizontalPodAutoscaler) ??
    [],
}

/** The metrics that such an annotation holds; one that cannot be read holds none. */
function otherMetrics(text: string | undefined): unknown[] {
  if (!text) return []
  try {
    const metrics = JSON.parse(text) as unknown
    return Array.isArray(metrics) ? metrics : []
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
}

const annotation = 'autoscaling.alpha.kubernetes.io/metrics'

/** autoscaling/v1 knows only the CPU's utilisation; other metrics travel in an annotation. */
export const horizontalPodAutoscalerConversion = {
  toStorage(object: KubeObject): KubeObject {
    const { spec, status, metadata, ...rest } = copyOf(object) as V1
    const { targetCPUUtilizationPercentage: target, ...kept } = spec ?? { scaleTargetRef: { kind: '', name: '' }, maxReplicas: 0 }
    const { [annotation]: stored, ...annotations } = metadata.annotations ?? {}
    const others = otherMetrics(stored)
    const cpu = target === undefined ? [] : [cpuMetric(target)]
    const { currentCPUUtilizationPercentage: current, ...state } = status ?? { currentReplicas: 0, desiredReplicas: 0 }
    return {
      ...rest,
      apiVersion: 'autoscaling/v2',
      metadata: stored ? { ...metadata, annotations } : metadata,
      spec: { ...kept, metrics: cpu.length + others.length > 0 ? [...others, ...cpu] : [cpuMetric(defaultUtilization)] },
      status: {
        ...state,
        ...(current !== undefined && {
          currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }],
        }),
      },
    } as unknown as KubeObject
  },
  fromStorage(object: KubeObject): KubeObject {
    const { spec, status, metadata, ...rest } = copyOf(object) as unknown as HorizontalPodAutoscaler
    const { metrics = [], behavior: _, ...kept } = spec ?? { scaleTargetRef: { kind: '', name: '' }, maxReplicas: 0 }
    const isCpu = (metric: (typeof metrics)[number]) =>
      metric.resource?.name === 'cpu' && metric.resource.target.averageUtilization !== undefined
    const target = metrics.find(isCpu)?.resource?.target.averageUtilization
    const others = metrics.filter((metric) => !isCpu(metric))
    const { currentMetrics, conditions: __, ...state } = status ?? {}
    const current = currentMetrics?.find(({ resource }) => resource?.name === 'cpu')?.resource?.current.averageUtilization
    return {
      ...rest,
      apiVersion: 'autoscaling/v1',
      metadata: others.length ? { ...metadata, annotations: { ...metadata.annotations, [annotation]: JSON.stringify(others) } } : metadata,
      spec: { ...kept, ...(target !== undefined && { targetCPUUtilizationPercentage: target }) },
      status: { ...state, ...(current !== undefined && { currentCPUUtilizationPercentage: current }) },
    } as unknown as KubeObject
  },
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
