import { compareQuantities, parseQuantity } from '../../schema/quantity.ts'
import type { LimitRange, LimitRangeItem } from '../../schema/types/core.v1.ts'
import type { Definition } from '../define.ts'
import { duplicate, type FieldError, forbidden, invalid, type Path, required, specPath } from '../field.ts'
import { isQualifiedName } from '../names.ts'
import { validateAnyResourceName, validateResourceName } from '../resource-validation.ts'

type Quantities = Readonly<Record<string, string | number>>

/** pkg/apis/core/validation: ValidateLimitRange. */
export const limitRangeRules: Partial<Definition<LimitRange>> = {
  default({ spec }) {
    for (const item of spec?.limits ?? []) {
      if (item.type !== 'Container') continue
      for (const [name, value] of Object.entries(item.max ?? {})) (item.default ??= {})[name] ??= value
      for (const [name, value] of Object.entries(item.default ?? {})) (item.defaultRequest ??= {})[name] ??= value
      for (const [name, value] of Object.entries(item.min ?? {})) (item.defaultRequest ??= {})[name] ??= value
    }
  },
  prepareForCreate({ metadata }, { newUid }) {
    metadata.name ||= newUid()
  },
  validate({ spec }) {
    const seen = new Set<string>()
    return (spec?.limits ?? []).flatMap((item, index) => {
      const at = specPath.child('limits').index(index)
      const errors = typeName(item.type ?? '', at.child('type'))
      if (seen.has(item.type)) errors.push(duplicate(at.child('type'), item.type))
      seen.add(item.type)
      return [...errors, ...validateItem(item, at)]
    })
  },
}

function validateItem(item: LimitRangeItem, at: Path): FieldError[] {
  const { type, min = {}, max = {}, maxLimitRequestRatio = {} } = item
  const errors = [...names(type, max, at.child('max')), ...names(type, min, at.child('min'))]
  const ofPod = type === 'Pod'
  for (const field of ['default', 'defaultRequest'] as const) {
    const given = item[field] ?? {}
    if (!ofPod) errors.push(...names(type, given, at.child(field)))
    else if (Object.keys(given).length > 0) errors.push(forbidden(at.child(field), "may not be specified when `type` is 'Pod'"))
  }
  if (type === 'PersistentVolumeClaim' && min['storage'] === undefined && max['storage'] === undefined) {
    errors.push(required(at.child('limits'), 'either minimum or maximum storage value is required, but neither was provided'))
  }
  errors.push(...names(type, maxLimitRequestRatio, at.child('maxLimitRequestRatio')))
  const defaults = ofPod ? {} : (item.default ?? {})
  const requests = ofPod ? {} : (item.defaultRequest ?? {})
  for (const name of new Set([min, max, defaults, requests, maxLimitRequestRatio].flatMap(Object.keys))) {
    errors.push(...inOrder({ min: min[name], max: max[name], default: defaults[name], defaultRequest: requests[name] }, name, at))
    const ratio = maxLimitRequestRatio[name]
    if (ratio !== undefined) errors.push(...validateRatio(ratio, min[name], max[name], at.child('maxLimitRequestRatio').key(name)))
  }
  return errors
}

type Bound = 'min' | 'max' | 'default' | 'defaultRequest'

/** Which may not be above which, whose field the error is told of, and in what words. */
const orders: readonly [Bound, Bound, 'min' | 'default' | 'defaultRequest', Bound, string, string][] = [
  ['min', 'max', 'min', 'min', 'min value', 'max value'],
  ['min', 'defaultRequest', 'defaultRequest', 'defaultRequest', 'min value', 'default request value'],
  ['defaultRequest', 'max', 'defaultRequest', 'defaultRequest', 'default request value', 'max value'],
  ['defaultRequest', 'default', 'defaultRequest', 'defaultRequest', 'default request value', 'default limit value'],
  ['min', 'default', 'default', 'min', 'min value', 'default value'],
  ['default', 'max', 'default', 'max', 'default value', 'max value'],
]

function inOrder(bounds: Record<Bound, string | number | undefined>, name: string, at: Path): FieldError[] {
  return orders.flatMap(([lower, upper, field, shown, lowerWord, upperWord]) => {
    const [low, high] = [bounds[lower], bounds[upper]]
    if (low === undefined || high === undefined || compareQuantities(low, high) <= 0) return []
    return [invalid(at.child(field).key(name), bounds[shown], `${lowerWord} ${low} is greater than ${upperWord} ${high}`)]
  })
}

function validateRatio(ratio: string | number, min: string | number | undefined, max: string | number | undefined, at: Path): FieldError[] {
  const errors = compareQuantities(ratio, 1) < 0 ? [invalid(at, ratio, `ratio ${ratio} is less than 1`)] : []
  if (min === undefined || max === undefined) return errors
  const limit = Number(parseQuantity(max).nano) / Number(parseQuantity(min).nano)
  if (Number(parseQuantity(ratio).nano) / 1e9 <= limit) return errors
  return [...errors, invalid(at, ratio, `ratio ${ratio} is greater than max/min = ${limit.toFixed(6)}`)]
}

function typeName(type: string, path: Path): FieldError[] {
  const errors = isQualifiedName(type).map((text) => invalid(path, type, text))
  if (errors.length > 0 || type.includes('/') || ['Pod', 'Container', 'PersistentVolumeClaim'].includes(type)) return errors
  return [invalid(path, type, 'must be a standard limit type or fully qualified')]
}

function names(type: string, quantities: Quantities, path: Path): FieldError[] {
  const check = type === 'Pod' || type === 'Container' ? validateResourceName : validateAnyResourceName
  return Object.keys(quantities).flatMap((name) => check(name, path.key(name)))
}
