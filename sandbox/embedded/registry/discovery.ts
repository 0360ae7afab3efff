import type { EndpointSlice } from '../schema/types/discovery.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { endpointSliceRules } from './rules/endpoints.ts'

const group = 'discovery.k8s.io'
const version = 'v1'

export const discovery: readonly ResourceInfo[] = [
  define<EndpointSlice>(group, version, {
    kind: 'EndpointSlice',
    resource: 'endpointslices',
    tracksGeneration: true,
    counted: ({ metadata, ...rest }) => ({ ...rest, labels: metadata.labels }),
    ...endpointSliceRules,
  }),
]
