// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { NodeSelector } from './core.v1.ts'
import type { Condition, ListMeta, ObjectMeta } from './meta.v1.ts'

export interface AllocatedDeviceStatus {
  driver: string
  pool: string
  device: string
  shareID?: string
  conditions: Condition[]
  data?: Record<string, unknown>
  networkData?: NetworkDeviceData
}

export interface AllocationResult {
  devices?: DeviceAllocationResult
  nodeSelector?: NodeSelector
  allocationTimestamp?: string
}

export interface CELDeviceSelector {
  expression: string
}

export interface CapacityRequestPolicy {
  default: string | number
  validValues?: (string | number)[]
  validRange?: CapacityRequestPolicyRange
}

export interface CapacityRequestPolicyRange {
  min?: string | number
  max?: string | number
  step?: string | number
}

export interface CapacityRequirements {
  requests?: Record<string, string | number>
}

export interface Counter {
  value: string | number
}

export interface CounterSet {
  name: string
  counters?: Record<string, Counter>
}

export interface Device {
  name: string
  attributes?: Record<string, DeviceAttribute>
  capacity?: Record<string, DeviceCapacity>
  consumesCounters?: DeviceCounterConsumption[]
  nodeName?: string
  nodeSelector?: NodeSelector
  allNodes?: boolean
  taints?: DeviceTaint[]
  bindsToNode?: boolean
  bindingConditions?: string[]
  bindingFailureConditions?: string[]
  allowMultipleAllocations?: boolean
}

export interface DeviceAllocationConfiguration extends DeviceConfiguration {
  source: string
  requests?: string[]
}

export interface DeviceAllocationResult {
  results?: DeviceRequestAllocationResult[]
  config?: DeviceAllocationConfiguration[]
}

export interface DeviceAttribute {
  int?: number
  bool?: boolean
  string?: string
  version?: string
}

export interface DeviceCapacity {
  value: string | number
  requestPolicy?: CapacityRequestPolicy
}

export interface DeviceClaim {
  requests: DeviceRequest[]
  constraints?: DeviceConstraint[]
  config?: DeviceClaimConfiguration[]
}

export interface DeviceClaimConfiguration extends DeviceConfiguration {
  requests?: string[]
}

export interface DeviceClass {
  apiVersion: 'resource.k8s.io/v1'
  kind: 'DeviceClass'
  metadata: ObjectMeta
  spec: DeviceClassSpec
}

export interface DeviceClassConfiguration extends DeviceConfiguration {

}

export interface DeviceClassList {
  apiVersion: 'resource.k8s.io/v1'
  kind: 'DeviceClassList'
  metadata: ListMeta
  items: DeviceClass[]
}

export interface DeviceClassSpec {
  selectors?: DeviceSelector[]
  config?: DeviceClassConfiguration[]
  extendedResourceName?: string
}

export interface DeviceConfiguration {
  opaque?: OpaqueDeviceConfiguration
}

export interface DeviceConstraint {
  requests?: string[]
  matchAttribute?: string
  distinctAttribute?: string
}

export interface DeviceCounterConsumption {
  counterSet: string
  counters?: Record<string, Counter>
}

export interface DeviceRequest {
  name: string
  exactly?: ExactDeviceRequest
  firstAvailable?: DeviceSubRequest[]
}

export interface DeviceRequestAllocationResult {
  request: string
  driver: string
  pool: string
  device: string
  adminAccess?: boolean
  tolerations?: DeviceToleration[]
  bindingConditions?: string[]
  bindingFailureConditions?: string[]
  shareID?: string
  consumedCapacity?: Record<string, string | number>
}

export interface DeviceSelector {
  cel?: CELDeviceSelector
}

export interface DeviceSubRequest {
  name: string
  deviceClassName: string
  selectors?: DeviceSelector[]
  allocationMode?: string
  count?: number
  tolerations?: DeviceToleration[]
  capacity?: CapacityRequirements
}

export interface DeviceTaint {
  key: string
  value?: string
  effect: string
  timeAdded?: string
}

export interface DeviceToleration {
  key?: string
  operator?: string
  value?: string
  effect?: string
  tolerationSeconds?: number
}

export interface ExactDeviceRequest {
  deviceClassName: string
  selectors?: DeviceSelector[]
  allocationMode?: string
  count?: number
  adminAccess?: boolean
  tolerations?: DeviceToleration[]
  capacity?: CapacityRequirements
}

export interface NetworkDeviceData {
  interfaceName?: string
  ips?: string[]
  hardwareAddress?: string
}

export interface OpaqueDeviceConfiguration {
  driver: string
  parameters: Record<string, unknown>
}

export interface ResourceClaim {
  apiVersion: 'resource.k8s.io/v1'
  kind: 'ResourceClaim'
  metadata: ObjectMeta
  spec: ResourceClaimSpec
  status?: ResourceClaimStatus
}

export interface ResourceClaimConsumerReference {
  apiGroup?: string
  resource: string
  name: string
  uid: string
}

export interface ResourceClaimList {
  apiVersion: 'resource.k8s.io/v1'
  kind: 'ResourceClaimList'
  metadata: ListMeta
  items: ResourceClaim[]
}

export interface ResourceClaimSpec {
  devices: DeviceClaim
}

export interface ResourceClaimStatus {
  allocation?: AllocationResult
  reservedFor?: ResourceClaimConsumerReference[]
  devices?: AllocatedDeviceStatus[]
}

export interface ResourceClaimTemplate {
  apiVersion: 'resource.k8s.io/v1'
  kind: 'ResourceClaimTemplate'
  metadata: ObjectMeta
  spec: ResourceClaimTemplateSpec
}

export interface ResourceClaimTemplateList {
  apiVersion: 'resource.k8s.io/v1'
  kind: 'ResourceClaimTemplateList'
  metadata: ListMeta
  items: ResourceClaimTemplate[]
}

export interface ResourceClaimTemplateSpec {
  metadata: ObjectMeta
  spec: ResourceClaimSpec
}

export interface ResourcePool {
  name: string
  generation: number
  resourceSliceCount: number
}

export interface ResourceSlice {
  apiVersion: 'resource.k8s.io/v1'
  kind: 'ResourceSlice'
  metadata: ObjectMeta
  spec: ResourceSliceSpec
}

export interface ResourceSliceList {
  apiVersion: 'resource.k8s.io/v1'
  kind: 'ResourceSliceList'
  metadata: ListMeta
  items: ResourceSlice[]
}

export interface ResourceSliceSpec {
  driver: string
  pool: ResourcePool
  nodeName?: string
  nodeSelector?: NodeSelector
  allNodes?: boolean
  devices: Device[]
  perDeviceNodeSelection?: boolean
  sharedCounters?: CounterSet[]
}
