import type { CronJob, Job } from '../schema/types/batch.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { cronJobRules, jobRules } from './rules/batch.ts'

const group = 'batch'
const version = 'v1'

export const batch: readonly ResourceInfo[] = [
  define<CronJob>(group, version, {
    kind: 'CronJob',
    resource: 'cronjobs',
    shortNames: ['cj'],
    categories: ['all'],
    status: true,
    tracksGeneration: true,
    ...cronJobRules,
  }),
  define<Job>(group, version, { kind: 'Job', resource: 'jobs', categories: ['all'], status: true, tracksGeneration: true, ...jobRules }),
]
