import type { DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice } from '../schema/types/resource.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'

const group = 'resource.k8s.io'
const version = 'v1'

export const resource: readonly ResourceInfo[] = [
  define<DeviceClass>(group, version, { kind: 'DeviceClass', resource: 'deviceclasses', namespaced: false, tracksGeneration: true }),
  define<ResourceClaim>(group, version, { kind: 'ResourceClaim', resource: 'resourceclaims', status: true }),
  define<ResourceClaimTemplate>(group, version, { kind: 'ResourceClaimTemplate', resource: 'resourceclaimtemplates' }),
  define<ResourceSlice>(group, version, { kind: 'ResourceSlice', resource: 'resourceslices', namespaced: false, tracksGeneration: true }),
]
