import { equal, noSuchOverload, order } from '../comparison.ts'
import { type Evaluate, Library } from '../declarations.ts'
import { CelMap, Duration, Failure, Optional, runtimeType, Timestamp, Uint, type Value } from '../values.ts'
import { durationOf, intOf, uintOf } from './operators.ts'

type List = readonly Value[]

/** Kubernetes' lists library. */
export const lists = new Library()

const comparable = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes']
for (const type of comparable)
  lists.declare(`list_${type}_is_sorted_bool`, `list(${type})::isSorted(): bool`, ([list]) => isSorted(list as List))

const sums: Readonly<Record<string, (list: List) => Value>> = {
  int: (list) => added(list as bigint[], 0n, (a, b) => intOf(a + b)),
  uint: (list) => added(list as Uint[], new Uint(0n), (a, b) => uintOf(a.value + b.value)),
  double: (list) => added(list as number[], 0, (a, b) => a + b),
  duration: (list) => added(list as Duration[], new Duration(0n), (a, b) => durationOf(a.nanos + b.nanos)),
}
for (const [type, sum] of Object.entries(sums)) {
  lists.declare(`list_${type}_sum_${type}`, `list(${type})::sum(): ${type}`, ([list]) => sum(list as List))
}
for (const [name, isBetter] of [
  ['max', (way: number) => way < 0],
  ['min', (way: number) => way > 0],
] as const) {
  const evaluate: Evaluate = ([list]) => extreme(name, list as List, isBetter)
  for (const type of comparable) lists.declare(`list_${type}_${name}_${type}`, `list(${type})::${name}(): ${type}`, evaluate)
}
lists
  .declare('list_a_index_of_int', 'list(A)::indexOf(A): int', ([list, item], work) =>
    BigInt((list as List).findIndex((one) => equal(one, item as Value, work))),
  )
  .declare('list_a_last_index_of_int', 'list(A)::lastIndexOf(A): int', ([list, item], work) =>
    BigInt((list as List).findLastIndex((one) => equal(one, item as Value, work))),
  )

const contains = (list: List, part: List, work: Parameters<Evaluate>[1]) => part.every((item) => list.some((one) => equal(one, item, work)))

/** ext.Sets of cel-go. */
export const sets = new Library()
  .declare('list_sets_contains_list', 'sets.contains(list(T), list(T)): bool', ([list, part], work) =>
    contains(list as List, part as List, work),
  )
  .declare(
    'list_sets_equivalent_list',
    'sets.equivalent(list(T), list(T)): bool',
    ([a, b], work) => contains(a as List, b as List, work) && contains(b as List, a as List, work),
  )
  .declare('list_sets_intersects_list', 'sets.intersects(list(T), list(T)): bool', ([a, b], work) =>
    (a as List).some((item) => (b as List).some((one) => equal(one, item, work))),
  )

/** Optional types, version 2: what `.?` and `[?` give. or() and orValue() are the planner's. */
export const optionals = new Library()
  .declare('optional_of', 'optional.of(V): optional(V)', ([value]) => new Optional(value))
  .declare('optional_ofNonZeroValue', 'optional.ofNonZeroValue(V): optional(V)', ([value]) =>
    isZero(value as Value) ? Optional.none : new Optional(value),
  )
  .declare('optional_none', 'optional.none(): optional(V)', () => Optional.none)
  .declare('optional_value', 'optional(V)::value(): V', ([optional]) => (optional as Optional).value ?? held(optional as Optional))
  .declare('optional_hasValue', 'optional(V)::hasValue(): bool', ([optional]) => (optional as Optional).value !== undefined)
  .declare('optional_or_optional', 'optional(V)::or(optional(V)): optional(V)', ([first]) => first as Value)
  .declare('optional_orValue_value', 'optional(V)::orValue(V): V', ([first]) => first as Value)
  .declare('list_last', 'list(V)::last(): optional(V)', ([list]) => ofItem((list as List).at(-1)))
  .declare('list_first', 'list(V)::first(): optional(V)', ([list]) => ofItem((list as List)[0]))
  .declare('optional_unwrap', 'optional.unwrap(list(optional(V))): list(V)', ([list]) => unwrapped(list as List))
  .declare('optional_unwrapOpt', 'list(optional(V))::unwrapOpt(): list(V)', ([list]) => unwrapped(list as List))

/** ext.Lists of cel-go, version 3: from 1.35 on, and for what is stored already. */
export const newerLists = new Library()
  .declare('list_slice', 'list(T)::slice(int, int): list(T)', ([list, start, end]) => slice(list as List, start as bigint, end as bigint))
  .declare('list_flatten', 'list(list(T))::flatten(): list(T)', ([list]) => flat(list as List, 1n))
  .declare('list_flatten_int', 'list(dyn)::flatten(int): list(dyn)', ([list, depth]) =>
    (depth as bigint) < 0n ? new Failure('level must be non-negative') : flat(list as List, depth as bigint),
  )
  .declare('lists_range', 'lists.range(int): list(int)', ([size], work) => {
    const length = Math.max(0, Number(size))
    work.spend(length)
    return Array.from({ length }, (_, at) => BigInt(at))
  })
  .declare('list_reverse', 'list(T)::reverse(): list(T)', ([list]) => (list as List).toReversed())
  .declare('list_distinct', 'list(T)::distinct(): list(T)', ([list], work) => {
    const kept: Value[] = []
    for (const item of list as List) if (!kept.some((one) => equal(one, item, work))) kept.push(item)
    return kept
  })
for (const type of comparable) {
  newerLists.declare(`list_${type}_sort`, `list(${type})::sort(): list(${type})`, ([list]) =>
    (list as List).toSorted((a, b) => {
      const way = order(a, b)
      return way instanceof Failure ? 0 : way
    }),
  )
}

function added<T extends Value>(list: readonly T[], start: T, add: (a: T, b: T) => Value): Value {
  let sum: Value = start
  for (const item of list) {
    // Of several types only the first is known to be one that can be added.
    if (runtimeType(item).name !== runtimeType(start).name) return noSuchOverload
    sum = add(sum as T, item)
    if (sum instanceof Failure) return sum
  }
  return sum
}

function isSorted(list: List): Value {
  for (let at = 1; at < list.length; at++) {
    const way = order(list[at - 1] as Value, list[at] as Value)
    if (typeof way === 'number' && way > 0) return false
  }
  return true
}

function extreme(name: string, list: List, isBetter: (way: number) => boolean): Value {
  const [first, ...rest] = list
  if (first === undefined) return new Failure(`${name} called on empty list`)
  let best = first
  for (const item of rest) {
    const way = order(best, item)
    if (typeof way === 'number' && isBetter(way)) best = item
  }
  return best
}

/** Null is what a value that is there may be. */
function held({ value }: Optional): Value {
  return value === undefined ? new Failure('optional.none() dereference') : value
}

function ofItem(item: Value | undefined): Value {
  return item === undefined ? Optional.none : new Optional(item)
}

function unwrapped(list: List): Value {
  return list.flatMap((item) => (item instanceof Optional ? (item.value === undefined ? [] : [item.value]) : [item]))
}

function isZero(value: Value): boolean {
  if (value === null || value === false || value === '' || value === 0n || value === 0) return true
  if (value instanceof Uint) return value.value === 0n
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0
  if (value instanceof CelMap) return value.size === 0
  if (value instanceof Optional) return value.value === undefined || isZero(value.value)
  return (value instanceof Duration || value instanceof Timestamp) && value.nanos === 0n
}

function flat(list: List, depth: bigint): List {
  if (depth <= 0n) return list
  return list.flatMap((item): List => (Array.isArray(item) ? flat(item as List, depth - 1n) : [item]))
}

function slice(list: List, start: bigint, end: bigint): Value {
  const length = BigInt(list.length)
  if (start < 0n || end < 0n) return new Failure(`cannot slice(${start}, ${end}), negative indexes not supported`)
  if (start > end) return new Failure(`cannot slice(${start}, ${end}), start index must be less than or equal to end index`)
  if (length < end) return new Failure(`cannot slice(${start}, ${end}), list is length ${length}`)
  return list.slice(Number(start), Number(end))
}
