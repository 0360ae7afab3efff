import type { HorizontalPodAutoscaler as V1 } from '../schema/types/autoscaling.v1.ts'
import type { HorizontalPodAutoscaler } from '../schema/types/autoscaling.v2.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { horizontalPodAutoscalerConversion, horizontalPodAutoscalerRules, horizontalPodAutoscalerV1Rules } from './rules/autoscaling.ts'

const names = {
  kind: 'HorizontalPodAutoscaler',
  resource: 'horizontalpodautoscalers',
  shortNames: ['hpa'],
  categories: ['all'],
  status: true,
}

/** One object in two versions: v2 is stored, rules run on it, and v1 is a view of it. */
export const autoscaling: readonly ResourceInfo[] = [
  define<HorizontalPodAutoscaler>('autoscaling', 'v2', { ...names, ...horizontalPodAutoscalerRules }),
  define<V1>('autoscaling', 'v1', {
    ...names,
    ...horizontalPodAutoscalerV1Rules,
    storage: { group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers' },
    conversion: horizontalPodAutoscalerConversion,
  }),
]
