import type { Lease } from '../schema/types/coordination.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { leaseRules } from './rules/others.ts'

const group = 'coordination.k8s.io'
const version = 'v1'

export const coordination: readonly ResourceInfo[] = [
  define<Lease>(group, version, {
    kind: 'Lease',
    resource: 'leases',
    metadataChecks: 'generic',
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    ...leaseRules,
  }),
]
