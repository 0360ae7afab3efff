import type { LabelSelector, LabelSelectorRequirement, ObjectMeta, OwnerReference } from '../schema/types/meta.v1.ts'
import { type FieldError, forbidden, invalid, metadataPath, notSupported, type Path, required, tooLong } from './field.ts'
import { goShape } from './go-shape.ts'
import { isDns1123Label, isDns1123Subdomain, isLabelValue, isQualifiedName, type NameRule } from './names.ts'
import { semanticEqual } from './semantic-equal.ts'

const annotationsLimit = 256 * 1024
const immutable = 'field is immutable'

/** What is wrong with the metadata of a new object, its name already generated. */
export function validateObjectMeta(meta: ObjectMeta, namespaced: boolean, name: NameRule, path: Path = metadataPath): FieldError[] {
  const errors: FieldError[] = []
  const report = (field: string, value: string, messages: string[]) =>
    errors.push(...messages.map((text) => invalid(path.child(field), value, text)))
  if (meta.generateName) report('generateName', meta.generateName, name(meta.generateName, true))
  if (meta.name) report('name', meta.name, name(meta.name))
  else errors.push(required(path.child('name'), 'name or generateName is required'))
  if (namespaced) {
    if (meta.namespace) report('namespace', meta.namespace, isDns1123Label(meta.namespace))
    else errors.push(required(path.child('namespace')))
  } else if (meta.namespace) {
    errors.push(forbidden(path.child('namespace'), 'not allowed on this type'))
  }
  return [
    ...errors,
    ...validateLabels(meta.labels, path.child('labels')),
    ...validateAnnotations(meta.annotations, path.child('annotations')),
    ...validateOwnerReferences(meta.ownerReferences, path.child('ownerReferences')),
    ...validateFinalizers(meta.finalizers, path.child('finalizers')),
  ]
}

/** What is wrong with a change of metadata. */
export function validateObjectMetaUpdate(meta: ObjectMeta, old: ObjectMeta, path: Path = metadataPath): FieldError[] {
  const errors: FieldError[] = []
  if (old.deletionTimestamp) {
    const added = (meta.finalizers ?? []).filter((name) => !(old.finalizers ?? []).includes(name)).sort()
    if (added.length > 0) {
      const list = `[]string{${added.map((name) => JSON.stringify(name)).join(', ')}}`
      errors.push(
        forbidden(path.child('finalizers'), `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`),
      )
    }
  }
  if (!meta.resourceVersion) errors.push(invalid(path.child('resourceVersion'), '', 'must be specified for an update'))
  const kept = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const
  for (const field of kept) {
    if (meta[field] !== old[field]) errors.push(...validateImmutable(meta[field], old[field], path.child(field)))
  }
  return [
    ...errors,
    ...validateLabels(meta.labels, path.child('labels')),
    ...validateAnnotations(meta.annotations, path.child('annotations')),
    ...validateOwnerReferences(meta.ownerReferences, path.child('ownerReferences')),
    ...validateFinalizers(meta.finalizers, path.child('finalizers')),
  ]
}

/** `type`: that of a structure (`core.v1.PodSpec`), which the error shows as Go has it. */
export function validateImmutable(value: unknown, old: unknown, path: Path, type?: string): FieldError[] {
  if (semanticEqual(value, old, type)) return []
  return [invalid(path, type ? goShape(value, type) : value, immutable)]
}

export function validateLabels(labels: Record<string, string> | undefined, path: Path): FieldError[] {
  const errors: FieldError[] = []
  for (const key of Object.keys(labels ?? {})) {
    const value = labels?.[key] ?? ''
    for (const text of isQualifiedName(key)) errors.push(invalid(path, key, text))
    for (const text of isLabelValue(value)) errors.push(invalid(path, value, text))
  }
  return errors
}

export function validateAnnotations(annotations: Record<string, string> | undefined, path: Path): FieldError[] {
  const errors: FieldError[] = []
  let size = 0
  for (const key of Object.keys(annotations ?? {})) {
    for (const text of isQualifiedName(key.toLowerCase())) errors.push(invalid(path, key, text))
    size += Buffer.byteLength(key) + Buffer.byteLength(annotations?.[key] ?? '')
  }
  if (size > annotationsLimit) errors.push(tooLong(path, annotationsLimit))
  return errors
}

/** The rules of a LabelSelector that selects objects. */
export function validateLabelSelector(selector: LabelSelector | undefined, path: Path): FieldError[] {
  if (!selector) return []
  const errors = validateLabels(selector.matchLabels, path.child('matchLabels'))
  for (const [index, requirement] of (selector.matchExpressions ?? []).entries()) {
    errors.push(...validateLabelSelectorRequirement(requirement, path.child('matchExpressions').index(index)))
  }
  return errors
}

/** The rules of one requirement; an operator that nobody knows is let be where `anyOperator`. */
export function validateLabelSelectorRequirement(
  { key = '', operator = '', values = [] }: Partial<LabelSelectorRequirement>,
  path: Path,
  anyOperator = false,
): FieldError[] {
  const errors: FieldError[] = []
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(required(path.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"))
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) {
      errors.push(forbidden(path.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    }
  } else if (!anyOperator) {
    errors.push(invalid(path.child('operator'), operator, 'not a valid selector operator'))
  }
  errors.push(...isQualifiedName(key).map((text) => invalid(path.child('key'), key, text)))
  for (const [position, value] of values.entries()) {
    errors.push(...isLabelValue(value).map((text) => invalid(path.child('values').index(position), value, text)))
  }
  return errors
}

/** Whether labels are what a selector asks for; an absent selector selects nothing, an empty one everything. */
export function selectorMatches(selector: LabelSelector | undefined, labels: Record<string, string> = {}): boolean {
  if (!selector) return false
  if (Object.entries(selector.matchLabels ?? {}).some(([key, value]) => labels[key] !== value)) return false
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key]
    if (operator === 'In') return value !== undefined && values.includes(value)
    if (operator === 'NotIn') return value === undefined || !values.includes(value)
    return operator === 'Exists' ? value !== undefined : value === undefined
  })
}

/** One of the values, when the field is set at all. */
export function validateEnum(value: string | undefined, supported: readonly string[], path: Path): FieldError[] {
  return value === undefined || supported.includes(value) ? [] : [notSupported(path, value, supported)]
}

export function validateSubdomain(name: string, path: Path): FieldError[] {
  return isDns1123Subdomain(name).map((text) => invalid(path, name, text))
}

export function validateNonnegative(value: number | undefined, path: Path): FieldError[] {
  return (value ?? 0) < 0 ? [invalid(path, value, 'must be greater than or equal to 0')] : []
}

function validateOwnerReferences(references: OwnerReference[] | undefined, path: Path): FieldError[] {
  const errors: FieldError[] = []
  let controller = ''
  for (const reference of references ?? []) {
    if (!reference.apiVersion) errors.push(invalid(path.child('apiVersion'), '', 'version must not be empty'))
    for (const field of ['kind', 'name', 'uid'] as const) {
      if (!reference[field]) errors.push(invalid(path.child(field), '', 'must not be empty'))
    }
    if (!reference.controller) continue
    const name = `${reference.kind}/${reference.name}`
    if (controller === '') controller = name
    else {
      errors.push(
        invalid(
          path,
          references,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`,
        ),
      )
    }
  }
  return errors
}

/** What the kinds of Kubernetes itself ask of finalizers besides: those without a domain are its own. */
export function validateFinalizerNames({ finalizers }: ObjectMeta, path: Path = metadataPath): FieldError[] {
  return (finalizers ?? []).flatMap((name, index) => validateFinalizerDomain(name, path.child('finalizers').index(index)))
}

export function validateFinalizerDomain(name: string, path: Path): FieldError[] {
  if (name.includes('/') || ['kubernetes', 'orphan', 'foregroundDeletion'].includes(name)) return []
  return [invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified')]
}

export function validateFinalizerName(name: string, path: Path): FieldError[] {
  return isQualifiedName(name).map((text) => invalid(path, name, text))
}

function validateFinalizers(finalizers: string[] | undefined, path: Path): FieldError[] {
  const names = finalizers ?? []
  const errors = names.flatMap((name) => validateFinalizerName(name, path))
  if (names.includes('orphan') && names.includes('foregroundDeletion')) {
    errors.push(invalid(path, names, 'finalizer orphan and foregroundDeletion cannot be both set'))
  }
  return errors
}
