import type { PriorityClass } from '../schema/types/scheduling.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { priorityClassRules } from './rules/others.ts'

const group = 'scheduling.k8s.io'
const version = 'v1'

export const scheduling: readonly ResourceInfo[] = [
  define<PriorityClass>(group, version, {
    kind: 'PriorityClass',
    resource: 'priorityclasses',
    shortNames: ['pc'],
    namespaced: false,
    tracksGeneration: true,
    counted: () => undefined,
    ...priorityClassRules,
  }),
]
