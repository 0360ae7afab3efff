import type { HorizontalPodAutoscaler } from '../schema/types/autoscaling.v2.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'

const group = 'autoscaling'
const version = 'v2'

export const autoscaling: readonly ResourceInfo[] = [
  define<HorizontalPodAutoscaler>(group, version, {
    kind: 'HorizontalPodAutoscaler',
    resource: 'horizontalpodautoscalers',
    shortNames: ['hpa'],
    categories: ['all'],
    status: true,
  }),
]
