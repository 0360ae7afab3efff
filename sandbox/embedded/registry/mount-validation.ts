import type { Container, Volume, VolumeDevice, VolumeMount } from '../schema/types/core.v1.ts'
import { type FieldError, forbidden, invalid, notFound, type Path, required } from './field.ts'
import { validateEnum } from './metadata.ts'
import { descending } from './volume-sources.ts'

export function validateVolumeMounts(container: Container, volumes: ReadonlyMap<string, Volume>, path: Path): FieldError[] {
  const paths = new Set<string>()
  const devices = container.volumeDevices ?? []
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = path.index(index)
    const errors: FieldError[] = []
    if (!mount.name) errors.push(required(at.child('name')))
    if (!volumes.has(mount.name)) errors.push(notFound(at.child('name'), mount.name))
    if (!mount.mountPath) errors.push(required(at.child('mountPath')))
    if (paths.has(mount.mountPath)) errors.push(invalid(at.child('mountPath'), mount.mountPath, 'must be unique'))
    paths.add(mount.mountPath)
    if (devices.some(({ name }) => name === mount.name)) {
      errors.push(invalid(at.child('name'), mount.name, 'must not already exist in volumeDevices'))
    }
    if (devices.some(({ devicePath }) => devicePath === mount.mountPath)) {
      errors.push(invalid(at.child('mountPath'), mount.mountPath, 'must not already exist as a path in volumeDevices'))
    }
    if (mount.subPath) errors.push(...descending(mount.subPath, path.child('subPath')))
    if (mount.subPathExpr) {
      const why = 'subPathExpr and subPath are mutually exclusive'
      if (mount.subPath) errors.push(invalid(at.child('subPathExpr'), mount.subPathExpr, why))
      errors.push(...descending(mount.subPathExpr, path.child('subPathExpr')))
    }
    return [...errors, ...validatePropagation(mount, container, path), ...validateRecursion(mount, path.child('recursiveReadOnly'))]
  })
}

function validatePropagation({ mountPropagation }: VolumeMount, { securityContext }: Container, path: Path): FieldError[] {
  const at = path.child('mountPropagation')
  const errors = validateEnum(mountPropagation, ['Bidirectional', 'HostToContainer', 'None'], at)
  if (mountPropagation !== 'Bidirectional' || securityContext?.privileged) return errors
  return [...errors, forbidden(at, 'Bidirectional mount propagation is available only to privileged containers')]
}

function validateRecursion({ recursiveReadOnly, readOnly, mountPropagation }: VolumeMount, path: Path): FieldError[] {
  if (recursiveReadOnly !== 'Enabled' && recursiveReadOnly !== 'IfPossible') {
    return validateEnum(recursiveReadOnly, ['Disabled', 'Enabled', 'IfPossible'], path)
  }
  const spread = mountPropagation !== undefined && mountPropagation !== 'None'
  return [
    ...(readOnly ? [] : [forbidden(path, 'may only be specified when readOnly is true')]),
    ...(spread ? [forbidden(path, 'may only be specified when mountPropagation is None or not specified')] : []),
  ]
}

export function validateVolumeDevices(container: Container, volumes: ReadonlyMap<string, Volume>, path: Path): FieldError[] {
  const names = new Set<string>()
  const paths = new Set<string>()
  const mounts = container.volumeMounts ?? []
  return (container.volumeDevices ?? []).flatMap(({ name, devicePath }: VolumeDevice, index) => {
    const errors: FieldError[] = []
    const nameAt = path.index(index).child('name')
    const pathAt = path.index(index).child('devicePath')
    const volume = volumes.get(name)
    if (!name) errors.push(required(nameAt))
    if (names.has(name)) errors.push(invalid(nameAt, name, 'must be unique'))
    if (!volume) errors.push(notFound(nameAt, name))
    else if (!volume.persistentVolumeClaim && !volume.ephemeral) {
      errors.push(invalid(nameAt, name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'))
    }
    if (!devicePath) errors.push(required(pathAt))
    if (paths.has(devicePath)) errors.push(invalid(pathAt, devicePath, 'must be unique'))
    if (devicePath?.split('/').includes('..')) errors.push(invalid(pathAt, devicePath, "can not contain backsteps ('..')"))
    else paths.add(devicePath)
    if (mounts.some((mount) => mount.name === name)) errors.push(invalid(nameAt, name, 'must not already exist in volumeMounts'))
    if (mounts.some(({ mountPath }) => mountPath === devicePath)) {
      errors.push(invalid(pathAt, devicePath, 'must not already exist as a path in volumeMounts'))
    }
    if (name) names.add(name)
    return errors
  })
}
