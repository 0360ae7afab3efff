import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
  SuccessPolicyRule,
} from '../../schema/types/batch.v1.ts'
import { duplicate, type FieldError, invalid, invalidUnshown, type Path, required, tooLong, tooMany } from '../field.ts'
import { validateEnum, validateNonnegative } from '../metadata.ts'
import { isQualifiedName } from '../names.ts'

const quoted = (values: readonly string[]) => `valid values: [${values.map((value) => JSON.stringify(value)).join(' ')}]`

/** When a pod's failure fails the job, counts or doesn't. Source: validatePodFailurePolicy in pkg/apis/batch/validation. */
export function validatePodFailurePolicy(spec: JobSpec, path: Path): FieldError[] {
  const rules = spec.podFailurePolicy?.rules ?? []
  const names = [...(spec.template?.spec?.containers ?? []), ...(spec.template?.spec?.initContainers ?? [])].map(({ name }) => name)
  return [
    ...(rules.length > 20 ? [tooMany(path.child('rules'), rules.length, 20)] : []),
    ...rules.flatMap((rule, index) => validateFailureRule(spec, rule, path.child('rules').index(index), names)),
  ]
}

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore']

function validateFailureRule(spec: JobSpec, rule: PodFailurePolicyRule, path: Path, names: readonly string[]): FieldError[] {
  const { action, onExitCodes, onPodConditions = [] } = rule
  const at = path.child('action')
  const errors: FieldError[] = []
  if (!action) errors.push(required(at, quoted(actions)))
  else if (action === 'FailIndex' && spec.backoffLimitPerIndex === undefined) {
    errors.push(invalid(at, action, 'requires the backoffLimitPerIndex to be set'))
  } else errors.push(...validateEnum(action, actions, at))
  if (onExitCodes) errors.push(...validateExitCodes(onExitCodes, path.child('onExitCodes'), names))
  const conditions = path.child('onPodConditions')
  if (onPodConditions.length > 20) errors.push(tooMany(conditions, onPodConditions.length, 20))
  const states = ['False', 'True', 'Unknown']
  for (const [index, { type, status }] of onPodConditions.entries()) {
    const place = conditions.index(index)
    errors.push(...isQualifiedName(type ?? '').map((text) => invalid(place.child('type'), type ?? '', text)))
    errors.push(...(status ? validateEnum(status, states, place.child('status')) : [required(place.child('status'), quoted(states))]))
  }
  if (onExitCodes && onPodConditions.length > 0) {
    errors.push(invalidUnshown(path, 'specifying both OnExitCodes and OnPodConditions is not supported'))
  }
  if (!onExitCodes && onPodConditions.length === 0) {
    errors.push(invalidUnshown(path, 'specifying one of OnExitCodes and OnPodConditions is required'))
  }
  return errors
}

function validateExitCodes(codes: PodFailurePolicyOnExitCodesRequirement, path: Path, names: readonly string[]): FieldError[] {
  const { operator, containerName, values } = codes
  const operators = ['In', 'NotIn']
  const at = path.child('values')
  const errors = operator
    ? validateEnum(operator, operators, path.child('operator'))
    : [required(path.child('operator'), quoted(operators))]
  if (containerName !== undefined && !names.includes(containerName)) {
    const why = 'must be one of the container or initContainer names in the pod template'
    errors.push(invalid(path.child('containerName'), containerName, why))
  }
  if (!values?.length) return [...errors, invalid(at, values, 'at least one value is required')]
  if (values.length > 255) errors.push(tooMany(at, values.length, 255))
  for (const [index, value] of values.entries()) {
    if (operator === 'In' && value === 0) errors.push(invalid(at.index(index), value, 'must not be 0 for the In operator'))
    if (values.indexOf(value) < index) errors.push(duplicate(at.index(index), value))
  }
  const ordered = values.every((value, index) => index === 0 || (values[index - 1] ?? 0) <= value)
  return ordered ? errors : [...errors, invalid(at, values, 'must be ordered')]
}

/** When an indexed job is done before all its indexes are. */
export function validateSuccessPolicy(spec: JobSpec, path: Path): FieldError[] {
  const rules = spec.successPolicy?.rules ?? []
  const at = path.child('rules')
  return [
    ...(rules.length > 0 ? [] : [required(at, 'at least one rules must be specified when the successPolicy is specified')]),
    ...(rules.length > 20 ? [tooMany(at, rules.length, 20)] : []),
    ...rules.flatMap((rule, index) => validateSuccessRule(rule, spec.completions ?? 0, at.index(index))),
  ]
}

function validateSuccessRule({ succeededIndexes, succeededCount }: SuccessPolicyRule, completions: number, path: Path): FieldError[] {
  const errors: FieldError[] = []
  if (succeededCount === undefined && succeededIndexes === undefined) {
    errors.push(required(path, 'at least one of succeededCount or succeededIndexes must be specified'))
  }
  let total = 0
  if (succeededIndexes !== undefined) {
    const at = path.child('succeededIndexes')
    if (succeededIndexes.length > 65_536) errors.push(tooLong(at, 65_536))
    const counted = countIndexes(succeededIndexes, completions)
    if (typeof counted === 'number') total = counted
    else errors.push(invalid(at, succeededIndexes, `error parsing succeededIndexes: ${counted}`))
  }
  if (succeededCount === undefined) return errors
  const at = path.child('succeededCount')
  errors.push(...validateNonnegative(succeededCount, at))
  const most = 'must be less than or equal to'
  if (succeededCount > completions) {
    errors.push(invalid(at, succeededCount, `${most} ${completions} (the number of specified completions)`))
  }
  if (succeededIndexes !== undefined && succeededCount > total) {
    errors.push(invalid(at, succeededCount, `${most} ${total} (the number of indexes in the specified succeededIndexes field)`))
  }
  return errors
}

/** How many indexes "0-2,5" names, or what is wrong with it. */
function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0
  let last = -1
  let total = 0
  for (const part of text.split(',')) {
    const limits = part.split('-')
    const fragment = `the fragment ${JSON.stringify(part)}`
    if (limits.length > 2) return `${fragment} violates the requirement that an index interval can have at most two parts separated by '-'`
    for (const limit of limits) {
      if (!/^[+-]?\d+$/.test(limit)) return `cannot convert string to integer for index: ${JSON.stringify(limit)}`
      if (Number(limit) >= completions) return `too large index: ${JSON.stringify(limit)}`
    }
    const [from = 0, to] = limits.map(Number)
    if (to !== undefined && from >= to) return `non-increasing order, previous: ${from}, current: ${to}`
    if (total > 0 && last >= from) return `non-increasing order, previous: ${last}, current: ${from}`
    last = to ?? from
    total += last - from + 1
  }
  return total
}
