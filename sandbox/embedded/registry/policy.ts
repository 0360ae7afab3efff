import type { PodDisruptionBudget } from '../schema/types/policy.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { podDisruptionBudgetRules } from './rules/others.ts'

const group = 'policy'
const version = 'v1'

export const policy: readonly ResourceInfo[] = [
  define<PodDisruptionBudget>(group, version, {
    kind: 'PodDisruptionBudget',
    resource: 'poddisruptionbudgets',
    metadataChecks: 'later',
    shortNames: ['pdb'],
    status: true,
    tracksGeneration: true,
    allowUnconditionalUpdate: false,
    ...podDisruptionBudgetRules,
  }),
]
