import type {
  Affinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodSpec,
  Toleration,
  TopologySpreadConstraint,
} from '../schema/types/core.v1.ts'
import type { LabelSelector } from '../schema/types/meta.v1.ts'
import { duplicate, type FieldError, forbidden, invalid, type Path, required } from './field.ts'
import { validateEnum, validateLabelSelector } from './metadata.ts'
import { dnsSubdomain, isDns1123Label, isLabelValue, isQualifiedName } from './names.ts'

/** What a Pod says about the nodes it may run on. Source: pkg/apis/core/validation. */
export function validateAffinity(affinity: Affinity | undefined, path: Path): FieldError[] {
  const { nodeAffinity } = affinity ?? {}
  const errors: FieldError[] = []
  const { requiredDuringSchedulingIgnoredDuringExecution: needed, preferredDuringSchedulingIgnoredDuringExecution: preferred = [] } =
    nodeAffinity ?? {}
  if (needed) {
    const terms = path.child('nodeAffinity', hard, 'nodeSelectorTerms')
    if (!needed.nodeSelectorTerms?.length) errors.push(required(terms, 'must have at least one node selector term'))
    for (const [index, term] of (needed.nodeSelectorTerms ?? []).entries()) errors.push(...nodeTerm(term, terms.index(index), true))
  }
  for (const [index, { weight, preference }] of preferred.entries()) {
    const at = path.child('nodeAffinity', soft).index(index)
    errors.push(...inRange(weight, at), ...nodeTerm(preference ?? {}, at.child('preference'), false))
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    for (const [index, term] of (affinity?.[kind]?.[hard] ?? []).entries())
      errors.push(...podTerm(term, path.child(kind, hard).index(index)))
    for (const [index, { weight, podAffinityTerm }] of (affinity?.[kind]?.[soft] ?? []).entries()) {
      const at = path.child(kind, soft).index(index)
      errors.push(...inRange(weight, at), ...podTerm(podAffinityTerm, at.child('podAffinityTerm')))
    }
  }
  return errors
}

export function validateTolerations(tolerations: readonly Toleration[], path: Path): FieldError[] {
  return tolerations.flatMap((toleration, index) => {
    const at = path.index(index)
    const { key, operator = '', value = '', effect } = toleration
    const errors: FieldError[] = key ? qualified(key, at.child('key')) : []
    if (!key && operator !== 'Exists') {
      const message = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
      errors.push(invalid(at.child('operator'), operator, message))
    }
    if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute') {
      errors.push(invalid(at.child('effect'), effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    }
    if (operator === 'Exists') {
      if (value) errors.push(invalid(at.child('operator'), value, "value must be empty when `operator` is 'Exists'"))
    } else if (operator === '' || operator === 'Equal') {
      const messages = isLabelValue(value)
      if (messages.length > 0) errors.push(invalid(at.child('operator'), value, messages.join(';')))
    } else errors.push(...validateEnum(operator, ['Equal', 'Exists'], at.child('operator')))
    return effect ? [...errors, ...validateEnum(effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'], at.child('effect'))] : errors
  })
}

export function validateSpread(constraints: readonly TopologySpreadConstraint[], path: Path): FieldError[] {
  return constraints.flatMap((constraint, index) => {
    const at = path.index(index)
    const errors: FieldError[] = []
    if (!(constraint.maxSkew > 0)) errors.push(invalid(at.child('maxSkew'), constraint.maxSkew, 'must be greater than zero'))
    if (!constraint.topologyKey) errors.push(required(at.child('topologyKey'), 'can not be empty'))
    errors.push(...validateEnum(constraint.whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway'], at.child('whenUnsatisfiable')))
    for (const other of constraints.slice(index + 1)) {
      const { topologyKey, whenUnsatisfiable } = constraint
      if (other.topologyKey !== topologyKey || other.whenUnsatisfiable !== whenUnsatisfiable) continue
      errors.push(duplicate(at.child('{topologyKey, whenUnsatisfiable}'), `{${topologyKey}, ${whenUnsatisfiable}}`))
    }
    if (constraint.minDomains !== undefined) {
      const place = at.child('minDomains')
      if (constraint.minDomains <= 0) errors.push(invalid(place, constraint.minDomains, 'must be greater than zero'))
      if (constraint.whenUnsatisfiable !== 'DoNotSchedule') {
        const message = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${constraint.whenUnsatisfiable}`
        errors.push(invalid(place, constraint.minDomains, message))
      }
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      errors.push(...validateEnum(constraint[field], ['Honor', 'Ignore'], at.child(field)))
    }
    errors.push(...labelKeyErrors(constraint.matchLabelKeys, constraint.labelSelector, at.child('matchLabelKeys')))
    return [...errors, ...validateLabelSelector(constraint.labelSelector, at.child('labelSelector'))]
  })
}

export function validateSchedulingGates({ schedulingGates = [] }: PodSpec, path: Path): FieldError[] {
  const seen = new Set<string>()
  return schedulingGates.flatMap(({ name }, index) => {
    const errors = qualified(name, path.index(index))
    if (seen.has(name)) errors.push(duplicate(path.index(index), name))
    seen.add(name)
    return errors
  })
}

/** A name with an optional domain before it. */
export function qualified(name: string, path: Path): FieldError[] {
  return isQualifiedName(name).map((text) => invalid(path, name, text))
}

const hard = 'requiredDuringSchedulingIgnoredDuringExecution'
const soft = 'preferredDuringSchedulingIgnoredDuringExecution'

function inRange(weight: number, path: Path): FieldError[] {
  return weight > 0 && weight <= 100 ? [] : [invalid(path.child('weight'), weight, 'must be in the range 1-100')]
}

/** What is only preferred may name values that no label can have. */
export function nodeTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, path: Path, strict: boolean): FieldError[] {
  const fields = matchFields.flatMap((requirement, index) => nodeField(requirement, path.child('matchFields').index(index)))
  const labels = matchExpressions.flatMap(({ key, operator, values = [] }, index) => {
    const at = path.child('matchExpressions').index(index)
    const errors: FieldError[] = []
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) errors.push(required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"))
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      const message = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
      if (values.length > 0) errors.push(forbidden(at.child('values'), message))
    } else if (operator === 'Gt' || operator === 'Lt') {
      const message = "must be specified single value when `operator` is 'Lt' or 'Gt'"
      if (values.length !== 1) errors.push(required(at.child('values'), message))
    } else errors.push(invalid(at.child('operator'), operator ?? '', 'not a valid selector operator'))
    errors.push(...qualified(key, at.child('key')))
    if (!strict) return errors
    const wrong = values.flatMap((value, place) => isLabelValue(value).map((text) => invalid(at.child('values').index(place), value, text)))
    return [...errors, ...wrong]
  })
  return [...labels, ...fields]
}

function nodeField({ key, operator, values = [] }: NodeSelectorRequirement, path: Path): FieldError[] {
  const errors: FieldError[] = []
  if (operator === 'In' || operator === 'NotIn') {
    const message = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
    if (values.length !== 1) errors.push(required(path.child('values'), message))
  } else errors.push(invalid(path.child('operator'), operator ?? '', 'not a valid selector operator'))
  if (key !== 'metadata.name') return [...errors, invalid(path.child('key'), key ?? '', 'not a valid field selector key')]
  const wrong = values.flatMap((value, index) => dnsSubdomain(value).map((text) => invalid(path.child('values').index(index), value, text)))
  return [...errors, ...wrong]
}

function podTerm(term: PodAffinityTerm, path: Path): FieldError[] {
  const key = term.topologyKey ?? ''
  return [
    ...validateLabelSelector(term.labelSelector, path.child('labelSelector')),
    ...validateLabelSelector(term.namespaceSelector, path.child('namespaceSelector')),
    ...(term.namespaces ?? []).flatMap((name) => isDns1123Label(name).map((text) => invalid(path.child('namespace'), name, text))),
    ...(key ? [] : [required(path.child('topologyKey'), 'can not be empty')]),
    ...qualified(key, path.child('topologyKey')),
    ...labelKeyErrors(term.matchLabelKeys, term.labelSelector, path.child('matchLabelKeys')),
    ...labelKeyErrors(term.mismatchLabelKeys, term.labelSelector, path.child('mismatchLabelKeys')),
  ]
}

function labelKeyErrors(keys: readonly string[] | undefined, selector: LabelSelector | undefined, path: Path): FieldError[] {
  if (!keys?.length) return []
  if (!selector) return [forbidden(path, 'must not be specified when labelSelector is not set')]
  return keys.flatMap((key, index) => qualified(key, path.index(index)))
}
