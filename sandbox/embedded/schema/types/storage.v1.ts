// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { PersistentVolumeSpec, TopologySelectorTerm } from './core.v1.ts'
import type { LabelSelector, ListMeta, ObjectMeta } from './meta.v1.ts'

export interface CSIDriver {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'CSIDriver'
  metadata: ObjectMeta
  spec: CSIDriverSpec
}

export interface CSIDriverList {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'CSIDriverList'
  metadata: ListMeta
  items: CSIDriver[]
}

export interface CSIDriverSpec {
  attachRequired?: boolean
  podInfoOnMount?: boolean
  volumeLifecycleModes?: string[]
  storageCapacity?: boolean
  fsGroupPolicy?: string
  tokenRequests?: TokenRequest[]
  requiresRepublish?: boolean
  seLinuxMount?: boolean
  nodeAllocatableUpdatePeriodSeconds?: number
}

export interface CSINode {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'CSINode'
  metadata: ObjectMeta
  spec: CSINodeSpec
}

export interface CSINodeDriver {
  name: string
  nodeID: string
  topologyKeys: string[]
  allocatable?: VolumeNodeResources
}

export interface CSINodeList {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'CSINodeList'
  metadata: ListMeta
  items: CSINode[]
}

export interface CSINodeSpec {
  drivers: CSINodeDriver[]
}

export interface CSIStorageCapacity {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'CSIStorageCapacity'
  metadata: ObjectMeta
  nodeTopology?: LabelSelector
  storageClassName: string
  capacity?: string | number
  maximumVolumeSize?: string | number
}

export interface CSIStorageCapacityList {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'CSIStorageCapacityList'
  metadata: ListMeta
  items: CSIStorageCapacity[]
}

export interface StorageClass {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'StorageClass'
  metadata: ObjectMeta
  provisioner: string
  parameters?: Record<string, string>
  reclaimPolicy?: string
  mountOptions?: string[]
  allowVolumeExpansion?: boolean
  volumeBindingMode?: string
  allowedTopologies?: TopologySelectorTerm[]
}

export interface StorageClassList {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'StorageClassList'
  metadata: ListMeta
  items: StorageClass[]
}

export interface TokenRequest {
  audience: string
  expirationSeconds?: number
}

export interface VolumeAttachment {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'VolumeAttachment'
  metadata: ObjectMeta
  spec: VolumeAttachmentSpec
  status?: VolumeAttachmentStatus
}

export interface VolumeAttachmentList {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'VolumeAttachmentList'
  metadata: ListMeta
  items: VolumeAttachment[]
}

export interface VolumeAttachmentSource {
  persistentVolumeName?: string
  inlineVolumeSpec?: PersistentVolumeSpec
}

export interface VolumeAttachmentSpec {
  attacher: string
  source: VolumeAttachmentSource
  nodeName: string
}

export interface VolumeAttachmentStatus {
  attached: boolean
  attachmentMetadata?: Record<string, string>
  attachError?: VolumeError
  detachError?: VolumeError
}

export interface VolumeAttributesClass {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'VolumeAttributesClass'
  metadata: ObjectMeta
  driverName: string
  parameters?: Record<string, string>
}

export interface VolumeAttributesClassList {
  apiVersion: 'storage.k8s.io/v1'
  kind: 'VolumeAttributesClassList'
  metadata: ListMeta
  items: VolumeAttributesClass[]
}

export interface VolumeError {
  time?: string
  message?: string
  errorCode?: number
}

export interface VolumeNodeResources {
  count?: number
}
