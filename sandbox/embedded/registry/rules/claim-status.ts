import type { AllocatedDeviceStatus, DeviceRequestAllocationResult, ResourceClaim } from '../../schema/types/resource.v1.ts'
import { duplicate, type FieldError, forbidden, invalid, Path, required, tooMany } from '../field.ts'
import { validateImmutable, validateSubdomain } from '../metadata.ts'
import { isDns1123Label } from '../names.ts'
import { validateConditions } from '../status-conditions.ts'

const path = new Path('status')
const mostConsumers = 256

/** What is wrong with a claim's new status. Source: ValidateResourceClaimStatusUpdate in pkg/apis/resource/validation. */
export function claimStatusErrors({ status = {}, metadata }: ResourceClaim, old: ResourceClaim): FieldError[] {
  const { allocation, reservedFor = [], devices = [] } = status
  const before = old.status?.allocation
  const results = allocation?.devices?.results ?? []
  const allocated = new Set(results.map(identity))
  const at = path.child('reservedFor')
  const errors = [...consumerErrors(status), ...devices.flatMap((device, index) => deviceErrors(device, index, allocated))]
  if (reservedFor.length > 0 && !allocation) errors.push(forbidden(at, 'may not be specified when `allocated` is not set'))
  const known = new Set((old.status?.reservedFor ?? []).map((consumer) => JSON.stringify(consumer)))
  const isNew = reservedFor.some((consumer) => !known.has(JSON.stringify(consumer)))
  if (reservedFor.length > 0 && allocation && metadata.deletionTimestamp && isNew) {
    errors.push(forbidden(at, 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set'))
  }
  if (!allocation) return errors
  if (before) return [...errors, ...validateImmutable(allocation, before, path.child('allocation'), 'resource.v1.AllocationResult')]
  return [
    ...errors,
    ...results.flatMap((result, index) => placeErrors(result, path.child('allocation', 'devices', 'results').index(index))),
  ]
}

function consumerErrors({ reservedFor = [] }: NonNullable<ResourceClaim['status']>): FieldError[] {
  const at = path.child('reservedFor')
  const uids = reservedFor.map(({ uid }) => uid)
  return [
    ...(reservedFor.length > mostConsumers ? [tooMany(at, reservedFor.length, mostConsumers)] : []),
    ...reservedFor.flatMap((consumer, index) => [
      ...(['resource', 'name', 'uid'] as const).flatMap((field) => (consumer[field] ? [] : [required(at.index(index).child(field))])),
      ...(uids.indexOf(consumer.uid) < index ? [duplicate(at.index(index).child('uid'), consumer.uid)] : []),
    ]),
  ]
}

function deviceErrors(device: AllocatedDeviceStatus, index: number, allocated: ReadonlySet<string>): FieldError[] {
  const at = path.child('devices').index(index)
  const shown = { Driver: device.driver ?? '', Pool: device.pool ?? '', Device: device.device ?? '', ShareID: '' }
  return [
    ...placeErrors(device, at),
    ...(allocated.has(identity(device)) ? [] : [invalid(at, shown, 'must be an allocated device in the claim')]),
    ...validateConditions(device.conditions, at.child('conditions')),
  ]
}

type Place = Pick<DeviceRequestAllocationResult, 'driver' | 'pool' | 'device'>

function placeErrors({ driver = '', pool = '', device = '' }: Place, at: Path): FieldError[] {
  return [
    ...(driver === '' ? [required(at.child('driver'))] : []),
    ...validateSubdomain(driver, at.child('driver')),
    ...(pool === '' ? [required(at.child('pool'))] : pool.split('/').flatMap((part) => validateSubdomain(part, at.child('pool')))),
    ...isDns1123Label(device).map((text) => invalid(at.child('device'), device, text)),
  ]
}

function identity({ driver, pool, device }: Place): string {
  return JSON.stringify([driver, pool, device])
}
