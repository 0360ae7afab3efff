import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from '../schema/types/storage.v1.ts'
import { define, ofStatusAlone } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import {
  csiDriverRules,
  csiNodeRules,
  csiStorageCapacityRules,
  storageClassRules,
  volumeAttachmentRules,
  volumeAttributesClassRules,
} from './rules/storage.ts'

const group = 'storage.k8s.io'
const version = 'v1'

export const storage: readonly ResourceInfo[] = [
  define<CSIDriver>(group, version, {
    kind: 'CSIDriver',
    resource: 'csidrivers',
    tracksGeneration: true,
    startsWithoutGeneration: true,
    namespaced: false,
    allowUnconditionalUpdate: false,
    ...csiDriverRules,
  }),
  define<CSINode>(group, version, {
    kind: 'CSINode',
    resource: 'csinodes',
    namespaced: false,
    allowUnconditionalUpdate: false,
    ...csiNodeRules,
  }),
  define<CSIStorageCapacity>(group, version, {
    kind: 'CSIStorageCapacity',
    resource: 'csistoragecapacities',
    allowUnconditionalUpdate: false,
    ...csiStorageCapacityRules,
  }),
  define<StorageClass>(group, version, {
    kind: 'StorageClass',
    resource: 'storageclasses',
    shortNames: ['sc'],
    namespaced: false,
    ...storageClassRules,
  }),
  define<VolumeAttachment>(group, version, {
    kind: 'VolumeAttachment',
    resource: 'volumeattachments',
    namespaced: false,
    status: true,
    statusKeepsMetadata: true,
    resetFields: ofStatusAlone,
    allowUnconditionalUpdate: false,
    ...volumeAttachmentRules,
  }),
  define<VolumeAttributesClass>(group, version, {
    kind: 'VolumeAttributesClass',
    resource: 'volumeattributesclasses',
    shortNames: ['vac'],
    storageVersion: 'v1beta1',
    namespaced: false,
    ...volumeAttributesClassRules,
  }),
]
