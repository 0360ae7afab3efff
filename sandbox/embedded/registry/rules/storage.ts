import { isDeepStrictEqual } from 'node:util'
import { compareQuantities } from '../../schema/quantity.ts'
import type { TopologySelectorTerm } from '../../schema/types/core.v1.ts'
import type {
  CSIDriver,
  CSINode,
  CSINodeDriver,
  CSIStorageCapacity,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from '../../schema/types/storage.v1.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, forbidden, invalid, Path, required, specPath, tooLong } from '../field.ts'
import { validateEnum, validateImmutable, validateLabelSelector, validateNonnegative, validateSubdomain } from '../metadata.ts'

import { qualified } from '../pod-placement.ts'
import { validateCsiDriverName } from '../volume-sources.ts'
import { volumeSpecErrors } from './persistent-volume.ts'

// pkg/apis/storage/validation

export const storageClassRules: Partial<Definition<StorageClass>> = {
  default(object) {
    object.reclaimPolicy ??= 'Delete'
    object.volumeBindingMode ??= 'Immediate'
  },
  validate({ provisioner, parameters, reclaimPolicy, volumeBindingMode, allowedTopologies = [] }) {
    return [
      ...provisionerErrors(provisioner, new Path('provisioner')),
      ...parameterErrors(parameters, new Path('parameters')),
      // none at all passes here, and is taken for one that nobody knows later
      ...validateEnum(reclaimPolicy || undefined, ['Delete', 'Retain'], new Path('reclaimPolicy')),
      ...validateEnum(volumeBindingMode, ['Immediate', 'WaitForFirstConsumer'], new Path('volumeBindingMode')),
      ...topologyErrors(allowedTopologies, new Path('allowedTopologies')),
    ]
  },
  validateChange(object, old) {
    const errors: FieldError[] = []
    if (!isDeepStrictEqual(object.parameters ?? {}, old.parameters ?? {}))
      errors.push(forbidden(new Path('parameters'), 'updates to parameters are forbidden.'))
    if (object.provisioner !== old.provisioner) errors.push(forbidden(new Path('provisioner'), 'updates to provisioner are forbidden.'))
    if (object.reclaimPolicy !== old.reclaimPolicy)
      errors.push(forbidden(new Path('reclaimPolicy'), 'updates to reclaimPolicy are forbidden.'))
    return [...errors, ...validateImmutable(object.volumeBindingMode, old.volumeBindingMode, new Path('volumeBindingMode'))]
  },
}

export const csiDriverRules: Partial<Definition<CSIDriver>> = {
  // of a feature that is switched off
  prepareForCreate({ spec }) {
    delete spec.nodeAllocatableUpdatePeriodSeconds
  },
  default({ spec }) {
    if (!spec) return
    spec.attachRequired ??= true
    spec.podInfoOnMount ??= false
    spec.storageCapacity ??= false
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType'
    if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent']
    spec.requiresRepublish ??= false
    spec.seLinuxMount ??= false
  },
  validate({ spec }) {
    const at = (name: string) => specPath.child(name)
    const errors = validateEnum(spec?.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType'], at('fsGroupPolicy'))
    const requests = spec?.tokenRequests ?? []
    for (const [index, { audience, expirationSeconds: seconds }] of requests.entries()) {
      const place = at('tokenRequests').index(index)
      if (requests.findIndex((other) => other.audience === audience) < index) errors.push(duplicate(place.child('audience'), audience))
      else if (seconds !== undefined && seconds < 600)
        errors.push(invalid(place.child('expirationSeconds'), seconds, 'may not specify a duration less than 10 minutes'))
      else if (seconds !== undefined && seconds > 2 ** 32)
        errors.push(invalid(place.child('expirationSeconds'), seconds, 'may not specify a duration larger than 2^32 seconds'))
    }
    const modes = ['Persistent', 'Ephemeral']
    return [...errors, ...(spec?.volumeLifecycleModes ?? []).flatMap((mode) => validateEnum(mode, modes, at('volumeLifecycleModes')))]
  },
  prepareForUpdate({ spec }, old) {
    // MutableCSINodeAllocatableCount is switched off
    if (old.spec?.nodeAllocatableUpdatePeriodSeconds === undefined) delete spec?.nodeAllocatableUpdatePeriodSeconds
  },
  validateChange: ({ spec }, old) => [
    ...validateImmutable(spec?.attachRequired, old.spec?.attachRequired, specPath.child('attachedRequired')),
    ...validateImmutable(spec?.volumeLifecycleModes, old.spec?.volumeLifecycleModes, specPath.child('volumeLifecycleModes')),
  ],
}

export const csiNodeRules: Partial<Definition<CSINode>> = {
  validate: ({ spec }) => (spec?.drivers ?? []).flatMap((driver, index, all) => driverErrors(driver, index, all)),
  validateChange: ({ spec }, old) =>
    (old.spec?.drivers ?? []).flatMap((before) => {
      const now = spec?.drivers?.find(({ name }) => name === before.name)
      return now ? validateImmutable(now, before, specPath.child('drivers'), 'storage.v1.CSINodeDriver') : []
    }),
}

const longestNodeId = 256

function driverErrors(driver: CSINodeDriver, index: number, all: readonly CSINodeDriver[]): FieldError[] {
  const at = specPath.child('drivers').index(index)
  const { name, nodeID, allocatable, topologyKeys = [] } = driver
  return [
    ...validateCsiDriverName(name, at.child('name')),
    ...(nodeID ? [] : [required(at.child('nodeID'))]),
    ...((nodeID?.length ?? 0) > longestNodeId ? [invalid(at.child('nodeID'), nodeID, `must be ${longestNodeId} characters or less`)] : []),
    ...validateNonnegative(allocatable?.count, at.child('allocatable', 'count')),
    ...(all.findIndex((other) => other.name === name) < index ? [duplicate(at.child('name'), name)] : []),
    ...(topologyKeys ?? []).flatMap((key, position) => [
      ...(key ? [] : [required(at)]),
      ...((topologyKeys ?? []).indexOf(key) < position ? [duplicate(at, key)] : []),
      ...qualified(key, at),
    ]),
  ]
}

export const csiStorageCapacityRules: Partial<Definition<CSIStorageCapacity>> = {
  validate({ nodeTopology, storageClassName = '', capacity }) {
    const at = new Path('storageClassName')
    const errors = validateLabelSelector(nodeTopology, new Path('nodeTopology'))
    errors.push(...validateSubdomain(storageClassName, at))
    if (capacity !== undefined && compareQuantities(capacity, 0) < 0)
      errors.push(invalid(new Path('capacity'), capacity, 'must be greater than or equal to 0'))
    return errors
  },
  validateChange: (object, old) => [
    ...validateImmutable(object.nodeTopology, old.nodeTopology, new Path('nodeTopology'), 'meta.v1.LabelSelector'),
    ...validateImmutable(object.storageClassName, old.storageClassName, new Path('storageClassName')),
  ],
}

export const volumeAttachmentRules: Partial<Definition<VolumeAttachment>> = {
  // of a feature that is switched off
  prepareForStatusUpdate({ status }, old) {
    for (const field of ['attachError', 'detachError'] as const) {
      if (old.status?.[field]?.errorCode === undefined) delete status?.[field]?.errorCode
    }
  },
  validate({ spec }) {
    const { attacher, source, nodeName = '' } = spec ?? {}
    const { inlineVolumeSpec, persistentVolumeName } = source ?? {}
    const errors = attacher ? [] : [required(specPath.child('attacher'))]
    const at = specPath.child('source')
    const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'
    if (!inlineVolumeSpec && persistentVolumeName === undefined) errors.push(required(at, one))
    else if (inlineVolumeSpec && persistentVolumeName !== undefined) errors.push(forbidden(at, one))
    else if (persistentVolumeName === '')
      errors.push(required(at.child('persistentVolumeName'), 'must specify non empty persistentVolumeName'))
    else if (inlineVolumeSpec) errors.push(...volumeSpecErrors(inlineVolumeSpec, '', at.child('inlineVolumeSpec'), true))
    return [...errors, ...validateSubdomain(nodeName, specPath.child('nodeName'))]
  },
  validateCreate({ spec }) {
    const name = spec?.source?.persistentVolumeName
    const at = specPath.child('source', 'persistentVolumeName')
    return [
      ...validateCsiDriverName(spec?.attacher, specPath.child('attacher')),
      ...(name === undefined ? [] : validateSubdomain(name, at)),
    ]
  },
  validateChange: ({ spec }, old) => validateImmutable(spec, old.spec, specPath, 'storage.v1.VolumeAttachmentSpec'),
}

export const volumeAttributesClassRules: Partial<Definition<VolumeAttributesClass>> = {
  validate: ({ driverName, parameters }) => [
    ...provisionerErrors(driverName, new Path('driverName')),
    ...parameterErrors(parameters, new Path('parameters')),
    ...(Object.keys(parameters ?? {}).length > 0 ? [] : [required(new Path('parameters'), 'must contain at least one key/value pair')]),
  ],
  validateChange(object, old) {
    const errors: FieldError[] = []
    if (object.driverName !== old.driverName) errors.push(forbidden(new Path('driverName'), 'updates to driverName are forbidden.'))
    if (!isDeepStrictEqual(object.parameters ?? {}, old.parameters ?? {}))
      errors.push(forbidden(new Path('parameters'), 'updates to parameters are forbidden.'))
    return errors
  },
}

function provisionerErrors(name: string | undefined, path: Path): FieldError[] {
  return name ? qualified(name.toLowerCase(), path) : [required(path)]
}

const mostParameters = 512
const parametersLimit = 256 * 1024

function parameterErrors(parameters: Record<string, string> | undefined, path: Path): FieldError[] {
  const entries = Object.entries(parameters ?? {})
  if (entries.length > mostParameters) return [tooLong(path, mostParameters)]
  const size = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  return [
    ...entries.filter(([key]) => key === '').map(([key]) => invalid(path, key, 'field can not be empty.')),
    ...(size > parametersLimit ? [tooLong(path, parametersLimit)] : []),
  ]
}

function topologyErrors(terms: readonly TopologySelectorTerm[], path: Path): FieldError[] {
  const seen: Record<string, readonly string[]>[] = []
  return terms.flatMap(({ matchLabelExpressions }, index) => {
    const at = path.index(index).child('matchLabelExpressions')
    const expressions = matchLabelExpressions ?? []
    const errors = expressions.flatMap(({ key = '', values }, position) => {
      const place = at.index(position)
      const given = values ?? []
      return [
        ...(given.length > 0 ? [] : [required(place.child('values'))]),
        ...given.flatMap((value, which) => (given.indexOf(value) < which ? [duplicate(place.child('values').index(which), value)] : [])),
        ...qualified(key, place.child('key')),
        ...(expressions.findIndex((other) => (other.key ?? '') === key) < position ? [duplicate(place.child('key'), key)] : []),
      ]
    })
    const term = Object.fromEntries(expressions.map(({ key = '', values }) => [key, [...new Set(values)].sort()]))
    // a term that says nothing equals the nothing that the real server's list of terms begins with
    const same = seen.some((other) => isDeepStrictEqual(other, term)) || expressions.length === 0
    seen.push(term)
    return same ? [...errors, duplicate(at, '')] : errors
  })
}
