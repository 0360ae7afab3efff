import type { Work } from './declarations.ts'
import { sameType } from './types.ts'
import { CelMap, Duration, Failure, OpaqueValue, Optional, Timestamp, TypeValue, Uint, type Value } from './values.ts'

export const noSuchOverload = new Failure('no such overload')

/** How lists of a schema are equal: as sets, or by the keys of their items. */
export interface ListShape {
  readonly type: 'set' | 'map'
  /** What tells one item from another. */
  readonly identity: (item: Value) => string
}

/** Of lists that a schema says more about. */
export const shapes = new WeakMap<readonly Value[], ListShape>()

/** CEL's ==: numbers by their value, whatever their type; values of different types are not equal. */
export function equal(a: Value, b: Value, work: Work): boolean {
  work.spend(1)
  if (isNumber(a) && isNumber(b)) return numericOrder(a, b) === 0
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return a === b
  if (Array.isArray(a)) return Array.isArray(b) && listsEqual(a, b, work)
  if (a instanceof CelMap) return b instanceof CelMap && mapsEqual(a, b, work)
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos
  if (a instanceof TypeValue) return b instanceof TypeValue && sameKind(a, b)
  if (a instanceof Optional) {
    if (!(b instanceof Optional)) return false
    if (a.value === undefined || b.value === undefined) return a.value === b.value
    return equal(a.value, b.value, work)
  }
  return a instanceof OpaqueValue && b instanceof OpaqueValue && sameType(a.type, b.type) && a.equals(b)
}

/** Below 0, 0 or above 0; a Failure for what has no order. */
export function order(a: Value, b: Value): number | Failure {
  if (isNumber(a) && isNumber(b)) {
    if (Number.isNaN(a) || Number.isNaN(b)) return new Failure('NaN values cannot be ordered')
    return numericOrder(a, b) as number
  }
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b)
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration)) {
    return a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0
  }
  return noSuchOverload
}

type Numeric = bigint | number | Uint

function isNumber(value: Value): value is Numeric {
  return typeof value === 'bigint' || typeof value === 'number' || value instanceof Uint
}

/** Undefined where one is not a number. */
function numericOrder(a: Numeric, b: Numeric): number | undefined {
  const [left, right] = [a instanceof Uint ? a.value : a, b instanceof Uint ? b.value : b]
  if (left < right) return -1
  if (left > right) return 1
  return Number.isNaN(left) || Number.isNaN(right) ? undefined : 0
}

function sameKind(a: TypeValue, b: TypeValue): boolean {
  return a.type.name === b.type.name
}

function listsEqual(a: readonly Value[], b: readonly Value[], work: Work): boolean {
  if (a.length !== b.length) return false
  const shape = shapes.get(a)
  if (!shape) return a.every((item, index) => equal(item, b[index] as Value, work))
  work.spend(a.length)
  const others = new Map(b.map((item) => [shape.identity(item), item]))
  return a.every((item) => {
    const other = others.get(shape.identity(item))
    return other !== undefined && equal(item, other, work)
  })
}

function mapsEqual(a: CelMap, b: CelMap, work: Work): boolean {
  if (a.size !== b.size) return false
  for (const [key, value] of a.entries()) {
    const other = b.get(key)
    if (other === undefined || !equal(value, other, work)) return false
  }
  return true
}
