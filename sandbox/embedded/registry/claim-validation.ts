import { compareQuantities, parseQuantity } from '../schema/quantity.ts'
import type { PersistentVolumeClaimSpec, PersistentVolumeClaimTemplate, TypedObjectReference } from '../schema/types/core.v1.ts'
import { type FieldError, forbidden, invalid, notSupported, type Path, required } from './field.ts'
import { validateAnnotations, validateEnum, validateLabelSelector, validateLabels, validateSubdomain } from './metadata.ts'
import { isDns1123Label } from './names.ts'

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']

/** Source: ValidatePersistentVolumeClaimSpec in pkg/apis/core/validation. */
export function validateClaimSpec(spec: PersistentVolumeClaimSpec, path: Path): FieldError[] {
  const { dataSource, dataSourceRef, storageClassName, volumeAttributesClassName: attributes } = spec
  const storage = spec.resources?.requests?.['storage']
  const at = path.child('resources').key('storage')
  const errors = [
    ...(spec.accessModes?.length ? [] : [required(path.child('accessModes'), 'at least 1 access mode is required')]),
    ...validateLabelSelector(spec.selector, path.child('selector')),
    ...validateAccessModes(spec.accessModes, path.child('accessModes')),
    ...(storage === undefined ? [required(at)] : validateStorage(storage, at)),
    ...(storageClassName ? validateSubdomain(storageClassName, path.child('storageClassName')) : []),
    ...validateEnum(spec.volumeMode, ['Block', 'Filesystem'], path.child('volumeMode')),
    ...(dataSource ? validateReference(dataSource, path.child('dataSource')) : []),
    ...(dataSourceRef ? validateReference(dataSourceRef, path.child('dataSourceRef')) : []),
  ]
  if (dataSource && dataSourceRef) {
    // the place stands where the value should
    const place = {}
    const same = ['apiGroup', 'kind', 'name'].every((field) => dataSource[field as 'kind'] === dataSourceRef[field as 'kind'])
    if (dataSourceRef.namespace) errors.push(invalid(path, place, 'may not be specified when dataSourceRef.namespace is specified'))
    else if (!same) errors.push(invalid(path, place, 'must match dataSourceRef'))
  }
  return [...errors, ...(attributes ? validateSubdomain(attributes, path.child('volumeAttributesClassName')) : [])]
}

export function validateClaimTemplate({ metadata, spec }: PersistentVolumeClaimTemplate, path: Path): FieldError[] {
  return [
    ...validateAnnotations(metadata?.annotations, path.child('metadata', 'annotations')),
    ...validateLabels(metadata?.labels, path.child('metadata', 'labels')),
    ...Object.entries(metadata ?? {}).flatMap(([field, value]) =>
      field === 'annotations' || field === 'labels' || value === undefined || value === null
        ? []
        : [forbidden(path.child('metadata', field), 'cannot be set')],
    ),
    ...validateClaimSpec(spec ?? {}, path.child('spec')),
  ]
}

export function validateAccessModes(modes: readonly string[] = [], path: Path): FieldError[] {
  const errors = modes.filter((mode) => !accessModes.includes(mode)).map((mode) => notSupported(path, mode, accessModes))
  const others = modes.some((mode) => mode !== 'ReadWriteOncePod' && accessModes.includes(mode))
  if (!others || !modes.includes('ReadWriteOncePod')) return errors
  return [...errors, forbidden(path, 'may not use ReadWriteOncePod with other access modes')]
}

function validateStorage(quantity: string | number, path: Path): FieldError[] {
  if (compareQuantities(quantity, 0) <= 0) return [invalid(path, quantity, 'must be greater than zero')]
  return parseQuantity(quantity).nano % 1_000_000_000n === 0n ? [] : [invalid(path, quantity, 'must be an integer')]
}

function validateReference({ apiGroup = '', kind, name, namespace }: TypedObjectReference, path: Path): FieldError[] {
  const apart = !apiGroup && kind !== 'PersistentVolumeClaim'
  return [
    ...(name ? [] : [required(path.child('name'))]),
    ...(kind ? [] : [required(path.child('kind'))]),
    ...(apart ? [invalid(path, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup")] : []),
    ...(apiGroup ? validateSubdomain(apiGroup, path.child('apiGroup')) : []),
    ...(namespace ? isDns1123Label(namespace).map((text) => invalid(path.child('namespace'), namespace, text)) : []),
  ]
}
