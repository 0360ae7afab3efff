import { equal, noSuchOverload, order, shapes } from '../comparison.ts'
import { type Evaluate, Library } from '../declarations.ts'
import { growing } from '../fold.ts'
import { shownValue } from '../shown-values.ts'
import { second } from '../times.ts'
import { type CelMap, Duration, EntryMap, Failure, lengthOf, maxInt, maxUint, minInt, Timestamp, Uint, type Value } from '../values.ts'

/** The signs of the language, with the overloads that cel-go declares for them, and what macros need. */
export const operators = new Library(true)

const unreached: Evaluate = () => noSuchOverload
/** Years 1 to 9999. */
const [firstSecond, lastSecond] = [-62_135_596_800n, 253_402_300_799n]

export const failures = {
  int: new Failure('integer overflow'),
  uint: new Failure('unsigned integer overflow'),
  duration: new Failure('duration overflow'),
  timestamp: new Failure('timestamp overflow'),
} as const

export function intOf(value: bigint): Value {
  return value < minInt || value > maxInt ? failures.int : value
}

export function uintOf(value: bigint): Value {
  return value < 0n || value > maxUint ? failures.uint : new Uint(value)
}

export function durationOf(nanos: bigint): Value {
  return nanos < minInt || nanos > maxInt ? failures.duration : new Duration(nanos)
}

export function timestampOf(nanos: bigint): Value {
  const seconds = nanos / second
  return seconds < firstSecond || seconds > lastSecond ? failures.timestamp : new Timestamp(nanos)
}

operators
  .declare('conditional', '_?_:_(bool, A, A): A', unreached)
  .declare('logical_and', '_&&_(bool, bool): bool', unreached)
  .declare('logical_or', '_||_(bool, bool): bool', unreached)
  .declare('logical_not', '!_(bool): bool', ([value]) => !value)
  .declare('not_strictly_false', '@not_strictly_false(bool): bool', ([value]) => value !== false)
  .declare('equals', '_==_(A, A): bool', ([a, b], work) => equal(a as Value, b as Value, work))
  .declare('not_equals', '_!=_(A, A): bool', ([a, b], work) => !equal(a as Value, b as Value, work))

const int =
  (reckon: (a: bigint, b: bigint) => bigint): Evaluate =>
  ([a, b]) =>
    intOf(reckon(a as bigint, b as bigint))
const uint =
  (reckon: (a: bigint, b: bigint) => bigint): Evaluate =>
  ([a, b]) =>
    uintOf(reckon((a as Uint).value, (b as Uint).value))
const double =
  (reckon: (a: number, b: number) => number): Evaluate =>
  ([a, b]) =>
    reckon(a as number, b as number)
const plus = (a: bigint, b: bigint) => a + b
const minus = (a: bigint, b: bigint) => a - b

type Time = Timestamp | Duration
const times =
  (reckon: (a: bigint, b: bigint) => bigint, of: (nanos: bigint) => Value): Evaluate =>
  ([a, b]) =>
    of(reckon((a as Time).nanos, (b as Time).nanos))

operators
  .declare('add_bytes', '_+_(bytes, bytes): bytes', ([a, b], work) => {
    const sum = Buffer.concat([a as Uint8Array, b as Uint8Array])
    work.spend(sum.length / 16)
    return new Uint8Array(sum)
  })
  .declare(
    'add_double',
    '_+_(double, double): double',
    double((a, b) => a + b),
  )
  .declare('add_duration_duration', '_+_(duration, duration): duration', times(plus, durationOf))
  .declare('add_duration_timestamp', '_+_(duration, timestamp): timestamp', times(plus, timestampOf))
  .declare('add_timestamp_duration', '_+_(timestamp, duration): timestamp', times(plus, timestampOf))
  .declare('add_int64', '_+_(int, int): int', int(plus))
  .declare('add_list', '_+_(list(A), list(A)): list(A)', ([a, b], work) => {
    const [left, right] = [a as Value[], b as Value[]]
    if (growing.has(left)) {
      left.push(...right)
      return left
    }
    work.spend(left.length + right.length)
    return united(left, right)
  })
  .declare('add_string', '_+_(string, string): string', ([a, b]) => `${a}${b}`)
  .declare('add_uint64', '_+_(uint, uint): uint', uint(plus))
  .declare(
    'divide_double',
    '_/_(double, double): double',
    double((a, b) => a / b),
  )
  .declare('divide_int64', '_/_(int, int): int', ([a, b]) => (b === 0n ? divisionByZero : intOf((a as bigint) / (b as bigint))))
  .declare('divide_uint64', '_/_(uint, uint): uint', ([a, b]) =>
    (b as Uint).value === 0n ? divisionByZero : uintOf((a as Uint).value / (b as Uint).value),
  )
  .declare('modulo_int64', '_%_(int, int): int', ([a, b]) => (b === 0n ? modulusByZero : intOf((a as bigint) % (b as bigint))))
  .declare('modulo_uint64', '_%_(uint, uint): uint', ([a, b]) =>
    (b as Uint).value === 0n ? modulusByZero : uintOf((a as Uint).value % (b as Uint).value),
  )
  .declare(
    'multiply_double',
    '_*_(double, double): double',
    double((a, b) => a * b),
  )
  .declare(
    'multiply_int64',
    '_*_(int, int): int',
    int((a, b) => a * b),
  )
  .declare(
    'multiply_uint64',
    '_*_(uint, uint): uint',
    uint((a, b) => a * b),
  )
  .declare('negate_double', '-_(double): double', ([a]) => -(a as number))
  .declare('negate_int64', '-_(int): int', ([a]) => intOf(-(a as bigint)))
  .declare(
    'subtract_double',
    '_-_(double, double): double',
    double((a, b) => a - b),
  )
  .declare('subtract_duration_duration', '_-_(duration, duration): duration', times(minus, durationOf))
  .declare('subtract_int64', '_-_(int, int): int', int(minus))
  .declare('subtract_timestamp_duration', '_-_(timestamp, duration): timestamp', times(minus, timestampOf))
  .declare('subtract_timestamp_timestamp', '_-_(timestamp, timestamp): duration', times(minus, durationOf))
  .declare('subtract_uint64', '_-_(uint, uint): uint', uint(minus))

const divisionByZero = new Failure('division by zero')
const modulusByZero = new Failure('modulus by zero')

/** Numbers of different types have an order too. */
const ordered: readonly [string, string, string][] = [
  ['bool', 'bool', 'bool'],
  ['int64', 'int', 'int'],
  ['int64_double', 'int', 'double'],
  ['int64_uint64', 'int', 'uint'],
  ['uint64', 'uint', 'uint'],
  ['uint64_double', 'uint', 'double'],
  ['uint64_int64', 'uint', 'int'],
  ['double', 'double', 'double'],
  ['double_int64', 'double', 'int'],
  ['double_uint64', 'double', 'uint'],
  ['string', 'string', 'string'],
  ['bytes', 'bytes', 'bytes'],
  ['timestamp', 'timestamp', 'timestamp'],
  ['duration', 'duration', 'duration'],
]
for (const [sign, name, holds] of [
  ['<', 'less', (way: number) => way < 0],
  ['<=', 'less_equals', (way: number) => way <= 0],
  ['>', 'greater', (way: number) => way > 0],
  ['>=', 'greater_equals', (way: number) => way >= 0],
] as const) {
  for (const [suffix, a, b] of ordered) {
    operators.declare(`${name}_${suffix}`, `_${sign}_(${a}, ${b}): bool`, ([left, right]) => {
      const way = order(left as Value, right as Value)
      return way instanceof Failure ? way : holds(way)
    })
  }
}

operators
  .declare('index_list', '_[_](list(A), int): A', unreached)
  .declare('index_map', '_[_](map(A, B), A): B', unreached)
  .declare('optional_list_index_int', '_[_](optional(list(V)), int): optional(V)', unreached)
  .declare('optional_map_index_value', '_[_](optional(map(K, V)), K): optional(V)', unreached)
  .declare('select_optional_field', '_?._(dyn, string): optional(V)', unreached)
  .declare('list_optindex_optional_int', '_[?_](list(V), int): optional(V)', unreached)
  .declare('optional_list_optindex_optional_int', '_[?_](optional(list(V)), int): optional(V)', unreached)
  .declare('map_optindex_optional_value', '_[?_](map(K, V), K): optional(V)', unreached)
  .declare('optional_map_optindex_optional_value', '_[?_](optional(map(K, V)), K): optional(V)', unreached)
  .declare('in_list', '@in(A, list(A)): bool', ([item, list], work) =>
    (list as readonly Value[]).some((one) => equal(one, item as Value, work)),
  )
  .declare('in_map', '@in(A, map(A, B)): bool', ([key, map]) => (map as CelMap).get(key as Value) !== undefined)
  .declare('@mapInsert_map_key_value', 'cel.@mapInsert(map(K, V), K, V): map(K, V)', ([map, key, value]) =>
    inserted(map as CelMap, [[key as Value, value as Value]]),
  )
  .declare('@mapInsert_map_map', 'cel.@mapInsert(map(K, V), map(K, V)): map(K, V)', ([map, more]) =>
    inserted(map as CelMap, (more as CelMap).entries()),
  )

/** A schema's sets and maps take in what they do not have, and what they have again in its new form. */
function united(left: readonly Value[], right: readonly Value[]): Value {
  const shape = shapes.get(left)
  if (!shape) return [...left, ...right]
  const places = new Map(left.map((item, index) => [shape.identity(item), index]))
  const union = [...left]
  for (const item of right) {
    const place = places.get(shape.identity(item))
    if (place === undefined) union.push(item)
    else if (shape.type === 'map') union[place] = item
  }
  shapes.set(union, shape)
  return union
}

function inserted(map: CelMap, entries: Iterable<[Value, Value]>): Value {
  const target = growing.has(map) ? (map as EntryMap) : copied(map)
  for (const [key, value] of entries) {
    if (target.get(key) !== undefined) return new Failure(`insert failed: key ${shownValue(key)} already exists`)
    target.set(key, value)
  }
  return target
}

function copied(map: CelMap): EntryMap {
  const copy = new EntryMap()
  for (const [key, value] of map.entries()) copy.set(key, value)
  return copy
}

const size =
  (length: (value: Value) => number): Evaluate =>
  ([value]) =>
    BigInt(length(value as Value))
for (const [name, type, length] of [
  ['bytes', 'bytes', (value: Value) => (value as Uint8Array).length],
  ['list', 'list(A)', (value: Value) => (value as readonly Value[]).length],
  ['map', 'map(A, B)', (value: Value) => (value as CelMap).size],
  ['string', 'string', (value: Value) => lengthOf(value as string)],
] as const) {
  operators.declare(`size_${name}`, `size(${type}): int`, size(length)).declare(`${name}_size`, `${type}::size(): int`, size(length))
}
