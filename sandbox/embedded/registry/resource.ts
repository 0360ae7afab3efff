import type { DeviceClass, ResourceClaim, ResourceClaimTemplate, ResourceSlice } from '../schema/types/resource.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { deviceClassRules, resourceClaimRules, resourceClaimTemplateRules } from './rules/device-claims.ts'
import { resourceSliceRules } from './rules/resource-slice.ts'

const group = 'resource.k8s.io'
const version = 'v1'
const storageVersion = 'v1beta2'

export const resource: readonly ResourceInfo[] = [
  define<DeviceClass>(group, version, {
    kind: 'DeviceClass',
    resource: 'deviceclasses',
    storageVersion,
    namespaced: false,
    tracksGeneration: true,
    ...deviceClassRules,
  }),
  define<ResourceClaim>(group, version, {
    kind: 'ResourceClaim',
    resource: 'resourceclaims',
    storageVersion,
    status: true,
    statusKeepsMetadata: true,
    ...resourceClaimRules,
  }),
  define<ResourceClaimTemplate>(group, version, {
    kind: 'ResourceClaimTemplate',
    resource: 'resourceclaimtemplates',
    storageVersion,
    ...resourceClaimTemplateRules,
  }),
  define<ResourceSlice>(group, version, {
    kind: 'ResourceSlice',
    resource: 'resourceslices',
    storageVersion,
    namespaced: false,
    tracksGeneration: true,
    ...resourceSliceRules,
  }),
]
