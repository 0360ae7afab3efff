import type { PersistentVolume, PersistentVolumeClaim } from '../schema/types/core.v1.ts'
import type { CSIDriver, CSINode, StorageClass, VolumeAttachment, VolumeAttributesClass } from '../schema/types/storage.v1.ts'
import { type Age, type CellsOf, orNone } from './cell.ts'

const shortModes: Record<string, string> = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' }
const isDefault = 'storageclass.kubernetes.io/is-default-class'
const classAnnotation = 'volume.beta.kubernetes.io/storage-class'

export const storageCells: Record<string, CellsOf> = {
  'v1/persistentvolumeclaims': ({ spec, status, metadata }: PersistentVolumeClaim, age: Age) => [
    metadata.name ?? '',
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
    spec?.volumeName ?? '',
    spec?.volumeName ? String(status?.capacity?.['storage'] ?? '0') : '',
    spec?.volumeName ? modes(status?.accessModes) : '',
    metadata.annotations?.[classAnnotation] ?? spec?.storageClassName ?? '',
    orNone(spec?.volumeAttributesClassName, '<unset>'),
    age(metadata.creationTimestamp),
    orNone(spec?.volumeMode, '<unset>'),
  ],
  'v1/persistentvolumes': ({ spec, status, metadata }: PersistentVolume, age: Age) => [
    metadata.name ?? '',
    String(spec?.capacity?.['storage'] ?? '0'),
    modes(spec?.accessModes),
    spec?.persistentVolumeReclaimPolicy ?? '',
    metadata.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''),
    spec?.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '',
    metadata.annotations?.[classAnnotation] ?? spec?.storageClassName ?? '',
    orNone(spec?.volumeAttributesClassName, '<unset>'),
    status?.reason ?? '',
    age(metadata.creationTimestamp),
    orNone(spec?.volumeMode, '<unset>'),
  ],
  'storage.k8s.io/v1/storageclasses': ({ metadata, ...object }: StorageClass, age: Age) => [
    `${metadata.name}${metadata.annotations?.[isDefault] === 'true' ? ' (default)' : ''}`,
    object.provisioner,
    object.reclaimPolicy ?? 'Delete',
    object.volumeBindingMode ?? 'Immediate',
    object.allowVolumeExpansion ?? false,
    age(metadata.creationTimestamp),
  ],
  'storage.k8s.io/v1/csidrivers': ({ spec, metadata }: CSIDriver, age: Age) => [
    metadata.name ?? '',
    spec.attachRequired ?? true,
    spec.podInfoOnMount ?? false,
    spec.storageCapacity ?? false,
    spec.tokenRequests ? spec.tokenRequests.map(({ audience }) => audience).join(',') : '<unset>',
    spec.requiresRepublish ?? false,
    orNone(spec.volumeLifecycleModes?.join(',')),
    age(metadata.creationTimestamp),
  ],
  'storage.k8s.io/v1/csinodes': ({ spec, metadata }: CSINode, age: Age) => [
    metadata.name ?? '',
    spec?.drivers?.length ?? 0,
    age(metadata.creationTimestamp),
  ],
  'storage.k8s.io/v1/volumeattachments': ({ spec, status, metadata }: VolumeAttachment, age: Age) => [
    metadata.name ?? '',
    spec.attacher,
    spec.source.persistentVolumeName ?? '',
    spec.nodeName,
    status?.attached ?? false,
    age(metadata.creationTimestamp),
  ],
  'storage.k8s.io/v1/volumeattributesclasses': ({ metadata, driverName }: VolumeAttributesClass, age: Age) => [
    metadata.name ?? '',
    driverName,
    age(metadata.creationTimestamp),
  ],
}

function modes(list: readonly string[] | undefined): string {
  return ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']
    .filter((mode) => list?.includes(mode))
    .map((mode) => shortModes[mode])
    .join(',')
}
