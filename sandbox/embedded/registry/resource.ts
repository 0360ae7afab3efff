import type { DeviceClass, ResourceClaim, ResourceClaimSpec, ResourceClaimTemplate, ResourceSlice } from '../schema/types/resource.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'

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
  }),
  define<ResourceClaim>(group, version, {
    kind: 'ResourceClaim',
    resource: 'resourceclaims',
    storageVersion,
    status: true,
    default: ({ spec }) => defaultDevices(spec),
  }),
  define<ResourceClaimTemplate>(group, version, {
    kind: 'ResourceClaimTemplate',
    resource: 'resourceclaimtemplates',
    storageVersion,
    default: ({ spec }) => defaultDevices(spec?.spec),
  }),
  define<ResourceSlice>(group, version, {
    kind: 'ResourceSlice',
    resource: 'resourceslices',
    storageVersion,
    namespaced: false,
    tracksGeneration: true,
  }),
]

/** One device of each that is asked for, and of tolerations the plain comparison. Source: pkg/apis/resource/v1/defaults.go. */
function defaultDevices(spec: ResourceClaimSpec | undefined): void {
  for (const { exactly, firstAvailable = [] } of spec?.devices?.requests ?? []) {
    for (const request of [...(exactly ? [exactly] : []), ...firstAvailable]) {
      request.allocationMode ??= 'ExactCount'
      if (request.allocationMode === 'ExactCount') request.count ??= 1
      for (const toleration of request.tolerations ?? []) toleration.operator ??= 'Equal'
    }
  }
}
