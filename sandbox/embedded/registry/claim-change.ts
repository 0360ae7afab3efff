import { copyOf } from '../machinery/copy.ts'
import { compareQuantities } from '../schema/quantity.ts'
import type { PersistentVolumeClaim } from '../schema/types/core.v1.ts'
import { type FieldError, forbidden, invalid, notSupported, Path, required, specPath } from './field.ts'
import { validateImmutable } from './metadata.ts'
import { isQualifiedName } from './names.ts'
import { specDiff } from './pod-diff.ts'
import { semanticEqual } from './semantic-equal.ts'

const specType = 'core.v1.PersistentVolumeClaimSpec'
const fixed = 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'

/** What is wrong with a claim's change. Source: ValidatePersistentVolumeClaimUpdate in pkg/apis/core/validation. */
export function validateClaimChange(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const [spec, before] = [claim.spec ?? {}, old.spec ?? {}]
  const comparable = copyOf(spec)
  const comparableBefore = copyOf(before)
  if (!before.volumeName) assignOrDelete(comparableBefore, 'volumeName', spec.volumeName)
  if (old.status?.phase === 'Bound') {
    if (comparable.resources?.requests) comparable.resources.requests['storage'] = before.resources?.requests?.['storage'] ?? '0'
    assignOrDelete(comparable, 'volumeAttributesClassName', before.volumeAttributesClassName)
  }
  const errors: FieldError[] = []
  if (!semanticEqual(comparable, comparableBefore, specType)) {
    errors.push(forbidden(specPath, `${fixed}\n${specDiff(comparableBefore, comparable, specType)}`))
  }
  const storage = spec.resources?.requests?.['storage'] ?? '0'
  const shrunk = compareQuantities(storage, before.resources?.requests?.['storage'] ?? '0') < 0
  if (shrunk && compareQuantities(storage, old.status?.capacity?.['storage'] ?? '0') <= 0) {
    errors.push(forbidden(specPath.child('resources', 'requests', 'storage'), 'field can not be less than status.capacity'))
  }
  errors.push(...validateImmutable(spec.volumeMode, before.volumeMode, new Path('volumeMode')))
  const [attributes, current] = [spec.volumeAttributesClassName, old.status?.currentVolumeAttributesClassName]
  if (attributes !== before.volumeAttributesClassName && current !== undefined && !attributes) {
    const to = attributes === undefined ? 'nil' : 'empty string'
    const why = `update to ${to} is forbidden when status.currentVolumeAttributesClassName is not nil`
    errors.push(forbidden(specPath.child('volumeAttributesClassName'), why))
  }
  return errors
}

/** Source: ValidatePersistentVolumeClaimStatusUpdate in pkg/apis/core/validation. */
export function validateClaimStatus({ spec = {}, status = {} }: PersistentVolumeClaim): FieldError[] {
  const path = new Path('status')
  const errors = spec.accessModes?.length ? [] : [required(new Path('Spec').child('accessModes'))]
  for (const [name, quantity] of Object.entries(status.capacity ?? {})) {
    errors.push(...validateQuantity(quantity, path.child('capacity').key(name)))
  }
  const statuses = path.child('allocatedResourceStatuses')
  for (const [name, state] of Object.entries(status.allocatedResourceStatuses ?? {})) {
    errors.push(...validateResourceKey(name, statuses))
    if (!resizeStates.includes(state)) errors.push(notSupported(statuses, name, resizeStates))
  }
  const allocated = path.child('allocatedResources')
  for (const [name, quantity] of Object.entries(status.allocatedResources ?? {})) {
    const found = validateResourceKey(name, allocated)
    errors.push(...(found.length > 0 ? found : validateQuantity(quantity, allocated.key(name))))
  }
  return errors
}

const resizeStates = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
  'NodeResizePending',
].sort()

function validateQuantity(quantity: string | number, path: Path): FieldError[] {
  return compareQuantities(quantity, 0) < 0 ? [invalid(path, quantity, 'must be a valid resource quantity')] : []
}

function validateResourceKey(name: string, path: Path): FieldError[] {
  const errors = isQualifiedName(name).map((text) => invalid(path, name, text))
  const native = !name.includes('/') || name.includes('kubernetes.io/')
  if (errors.length > 0 || !native || name === 'storage') return errors
  return [notSupported(path, name, ['storage'])]
}

function assignOrDelete<T extends object, K extends keyof T>(target: T, field: K, value: T[K] | undefined): void {
  if (value === undefined) delete target[field]
  else target[field] = value
}
