import { copyOf } from '../../machinery/copy.ts'
import { compareQuantities } from '../../schema/quantity.ts'
import type { PersistentVolume, PersistentVolumeSpec, VolumeNodeAffinity } from '../../schema/types/core.v1.ts'
import { validateAccessModes } from '../claim-validation.ts'
import type { Definition } from '../define.ts'
import { type FieldError, forbidden, invalid, notSupported, Path, required, specPath } from '../field.ts'
import { goShape } from '../go-shape.ts'
import { validateEnum, validateImmutable, validateSubdomain } from '../metadata.ts'

import { defaultSources } from '../pod-defaults.ts'
import { specDiff } from '../pod-diff.ts'
import { nodeTerm } from '../pod-placement.ts'
import { semanticEqual } from '../semantic-equal.ts'
import { validatePersistentVolumeSource } from '../volume-sources.ts'

export const persistentVolumeRules: Partial<Definition<PersistentVolume>> = {
  default(volume) {
    volume.status ??= {}
    volume.status.phase ??= 'Pending'
    const { spec } = volume
    if (!spec) return
    spec.persistentVolumeReclaimPolicy ??= 'Retain'
    spec.volumeMode ??= 'Filesystem'
    if (spec.hostPath) spec.hostPath.type ??= ''
    defaultSources(spec)
  },
  prepareForCreate(volume, { now }) {
    volume.status = { phase: 'Pending', lastPhaseTransitionTime: now }
  },
  prepareForStatusUpdate(volume, old, { now }) {
    const { status = {}, status: { phase, lastPhaseTransitionTime: given } = {} } = volume
    const before = old.status?.lastPhaseTransitionTime
    if (phase === old.status?.phase) {
      if (!given && before) volume.status = { ...status, lastPhaseTransitionTime: before }
    } else if (!given || given === before) volume.status = { ...status, lastPhaseTransitionTime: now }
  },
  validate: ({ spec, metadata }) => (spec ? volumeSpecErrors(spec, metadata.name ?? '', specPath) : [required(specPath)]),
  validateChange: ({ spec = {} }, { spec: before = {} }) => [
    ...changedSource(spec, before),
    ...validateImmutable(spec.volumeMode, before.volumeMode, new Path('volumeMode')),
    ...(before.nodeAffinity && !sameNodes(spec.nodeAffinity, before.nodeAffinity)
      ? [invalid(new Path('nodeAffinity'), goShape(spec.nodeAffinity, 'core.v1.VolumeNodeAffinity'), fixedNodes)]
      : []),
    ...(before.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined
      ? [forbidden(specPath.child('volumeAttributesClassName'), 'update from non-nil value to nil is forbidden')]
      : []),
  ],
}

const fixedNodes = 'field is immutable, except for updating from beta label to GA'

/** Labels that have become Kubernetes' own may be called so. */
function sameNodes(next: VolumeNodeAffinity | undefined, before: VolumeNodeAffinity): boolean {
  const [terms, earlier] = [next?.required?.nodeSelectorTerms, before.required?.nodeSelectorTerms]
  const renamed = copyOf(before)
  for (const [index, term] of (renamed.required?.nodeSelectorTerms ?? []).entries()) {
    for (const [position, requirement] of (term.matchExpressions ?? []).entries()) {
      const key = terms?.[index]?.matchExpressions?.[position]?.key ?? ''
      // a label without another name has an empty one
      if (terms?.length === earlier?.length && (laterNames[requirement.key] ?? '') === key) requirement.key = key
    }
  }
  return semanticEqual(next, renamed, 'core.v1.VolumeNodeAffinity')
}

const laterNames: Record<string, string> = {
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
}

/** Where the volume lies is settled, but for a secret for its expansion that it had not yet. */
function changedSource(spec: PersistentVolumeSpec, before: PersistentVolumeSpec): FieldError[] {
  const given = spec.csi?.controllerExpandSecretRef && before.csi && !before.csi.controllerExpandSecretRef
  const { controllerExpandSecretRef: _, ...csi } = spec.csi ?? {}
  const next = given ? { ...spec, csi } : spec
  const type = 'core.v1.PersistentVolumeSource'
  if (semanticEqual(goShape(next, type), goShape(before, type))) return []
  const why = `spec.persistentvolumesource is immutable after creation\n${specDiff(before, next, type)}`
  return [forbidden(specPath.child('persistentvolumesource'), why)]
}

/** What is wrong with a volume; an `inline` one (in a VolumeAttachment) has no capacity, claim or nodes of its own. */
export function volumeSpecErrors(spec: PersistentVolumeSpec, name: string, path: Path, inline = false): FieldError[] {
  const at = (field: string) => path.child(field)
  return [
    ...(inline ? inlineErrors(spec, path) : []),
    ...(spec.accessModes?.length ? [] : [required(at('accessModes'))]),
    ...validateAccessModes(spec.accessModes, at('accessModes')),
    ...(inline ? [] : capacityErrors(spec.capacity, at('capacity'))),
    ...(inline
      ? []
      : validateEnum(spec.persistentVolumeReclaimPolicy, ['Delete', 'Recycle', 'Retain'], at('persistentVolumeReclaimPolicy'))),
    ...(inline ? [] : validateVolumeNodes(spec.nodeAffinity, at('nodeAffinity'))),
    ...validatePersistentVolumeSource(spec, path, name),
    ...(spec.hostPath?.path === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle'
      ? [forbidden(at('persistentVolumeReclaimPolicy'), "may not be 'recycle' for a hostPath mount of '/'")]
      : []),
    ...(inline ? [] : classErrors(spec, path)),
  ]
}

const notInline = 'may not be specified in the context of inline volumes'

function inlineErrors(spec: PersistentVolumeSpec, path: Path): FieldError[] {
  const policy = spec.persistentVolumeReclaimPolicy
  const fields = ['claimRef', 'capacity', 'nodeAffinity', 'storageClassName', 'volumeMode', 'volumeAttributesClassName'] as const
  return [
    ...fields.filter((field) => spec[field] !== undefined && spec[field] !== '').map((field) => forbidden(path.child(field), notInline)),
    ...(spec.csi ? [] : [required(path.child('csi'), 'has to be specified in the context of inline volumes')]),
    ...(policy && policy !== 'Retain'
      ? [forbidden(path.child('persistentVolumeReclaimPolicy'), 'may only be Retain in the context of inline volumes')]
      : []),
  ]
}

function classErrors(
  { storageClassName, volumeMode, volumeAttributesClassName: attributes, csi }: PersistentVolumeSpec,
  path: Path,
): FieldError[] {
  const errors = [
    ...(storageClassName ? validateSubdomain(storageClassName, path.child('storageClassName')) : []),
    ...validateEnum(volumeMode, ['Block', 'Filesystem'], path.child('volumeMode')),
  ]
  if (attributes === undefined) return errors
  const place = path.child('volumeAttributesClassName')
  errors.push(...(attributes ? validateSubdomain(attributes, place) : [required(place, 'an empty string is disallowed')]))
  return csi ? errors : [...errors, required(path.child('csi'), 'has to be specified when using volumeAttributesClassName')]
}

function capacityErrors(given: PersistentVolumeSpec['capacity'], path: Path): FieldError[] {
  const capacity = given ?? {}
  const names = Object.keys(capacity)
  const errors = names.length > 0 ? [] : [required(path)]
  if (capacity['storage'] === undefined || names.length > 1) errors.push(notSupported(path, given, ['storage']))
  for (const [name, quantity] of Object.entries(capacity)) {
    const place = path.key(name)
    if (compareQuantities(quantity, 0) < 0) errors.push(invalid(place, quantity, 'must be a valid resource quantity'))
    if (compareQuantities(quantity, 0) <= 0) errors.push(invalid(place, quantity, 'must be greater than zero'))
  }
  return errors
}

function validateVolumeNodes(affinity: NonNullable<PersistentVolume['spec']>['nodeAffinity'], path: Path): FieldError[] {
  if (!affinity) return []
  const { required: needed } = affinity
  if (!needed) return [required(path.child('required'), 'must specify required node constraints')]
  const terms = path.child('required', 'nodeSelectorTerms')
  const none = needed.nodeSelectorTerms?.length ? [] : [required(terms, 'must have at least one node selector term')]
  return [...none, ...(needed.nodeSelectorTerms ?? []).flatMap((term, index) => nodeTerm(term, terms.index(index), true))]
}
