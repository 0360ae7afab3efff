import { timestampOf } from './library/operators.ts'
import { second } from './times.ts'
import { type CelType, types, wrapperOf } from './types.ts'
import { Duration, Failure, maxInt, minInt, OpaqueValue, Optional, Timestamp, TypeValue, Uint, type Value } from './values.ts'

/** What an expression can make by its protobuf name: `google.protobuf.Duration{seconds: 1}`. */
export interface Message {
  readonly fields: ReadonlyMap<string, CelType>
  /** The value with these fields; a Failure where one is of a wrong type. */
  make(fields: ReadonlyMap<string, Value>): Value
}

interface Wrapper {
  type: CelType
  /** As Go calls what it holds. */
  held: string
  /** What is held: nothing of a value that is of another type. */
  convert(value: Value): Value | undefined
  empty: Value
}

const prefix = 'google.protobuf.'
const noBytes = new Uint8Array()
/** A number that goes into so many bits: the same, or why not. */
const signed = (bits: number) => (value: Value) =>
  typeof value !== 'bigint' ? undefined : BigInt.asIntN(bits, value) === value ? value : new Failure('integer overflow')
const unsigned = (bits: number) => (value: Value) =>
  !(value instanceof Uint)
    ? undefined
    : BigInt.asUintN(bits, value.value) === value.value
      ? value
      : new Failure('unsigned integer overflow')
const zero = new Uint(0n)

/** Messages with one field, `value`; as a value of CEL each is what it holds. */
const wrappers: Readonly<Record<string, Wrapper>> = {
  BoolValue: { type: types.bool, held: 'bool', convert: (value) => (typeof value === 'boolean' ? value : undefined), empty: false },
  BytesValue: { type: types.bytes, held: '[]uint8', convert: (value) => (value instanceof Uint8Array ? value : undefined), empty: noBytes },
  DoubleValue: { type: types.double, held: 'float64', convert: (value) => (typeof value === 'number' ? value : undefined), empty: 0 },
  FloatValue: {
    type: types.double,
    held: 'float32',
    convert: (value) => (typeof value === 'number' ? Math.fround(value) : undefined),
    empty: 0,
  },
  Int32Value: { type: types.int, held: 'int32', convert: signed(32), empty: 0n },
  Int64Value: { type: types.int, held: 'int64', convert: signed(64), empty: 0n },
  StringValue: { type: types.string, held: 'string', convert: (value) => (typeof value === 'string' ? value : undefined), empty: '' },
  UInt32Value: { type: types.uint, held: 'uint32', convert: unsigned(32), empty: zero },
  UInt64Value: { type: types.uint, held: 'uint64', convert: unsigned(64), empty: zero },
}

/** The types that the wrappers' names stand for in expressions. */
export const wrapperTypes: ReadonlyMap<string, CelType> = new Map(
  Object.entries(wrappers).map(([name, { type }]) => [prefix + name, wrapperOf(type)]),
)

/** The message whose fields an expression gives where it makes something of a type: of wrappers one stands for all of its type. */
export function messageNameOf({ kind, name, nullable }: CelType): string {
  const wide: Partial<Record<CelType['kind'], string>> = {
    bool: 'Bool',
    bytes: 'Bytes',
    double: 'Double',
    int: 'Int64',
    string: 'String',
    uint: 'UInt64',
  }
  return nullable ? `${prefix}${wide[kind]}Value` : name
}

/** Two have seconds and nanoseconds; a duration that is too long is as long as can be (cel-go, common/types/provider.go, NewValue). */
export const messages: ReadonlyMap<string, Message> = new Map([
  [types.duration.name, timed(types.duration.name, longest)],
  [types.timestamp.name, timed(types.timestamp.name, timestampOf)],
  ...Object.entries(wrappers).map(([name, wrapper]): [string, Message] => [prefix + name, wrapping(prefix + name, wrapper)]),
])

function wrapping(name: string, { type, held, convert, empty }: Wrapper): Message {
  return {
    fields: new Map([['value', type]]),
    make(given) {
      const value = unwrapped(given.get('value'))
      if (value === undefined) return empty
      const found = convert(value)
      if (found !== undefined && !(found instanceof Failure)) return found
      return new Failure(`field type conversion error for ${name}.value value type: ${found?.message ?? unsupported(value, held)}`)
    },
  }
}

function unwrapped(value: Value | undefined): Value | undefined {
  return value instanceof Optional && value.value !== undefined ? value.value : value
}

function longest(nanos: bigint): Duration {
  if (nanos < minInt) return new Duration(minInt)
  if (nanos > maxInt) return new Duration(maxInt)
  return new Duration(nanos)
}

function timed(name: string, of: (nanos: bigint) => Value): Message {
  const fields = new Map([
    ['seconds', types.int],
    ['nanos', types.int],
  ])
  return {
    fields,
    make(given) {
      const amounts = [integer(name, 'seconds', 64, given.get('seconds')), integer(name, 'nanos', 32, given.get('nanos'))] as const
      const [seconds, nanos] = amounts
      if (seconds instanceof Failure) return seconds
      return nanos instanceof Failure ? nanos : of(seconds * second + nanos)
    },
  }
}

/** A field of so many bits; 0 without one. What is of no type before it runs may be of a wrong one then. */
function integer(message: string, field: string, bits: number, value: Value | undefined): bigint | Failure {
  const held = unwrapped(value)
  if (held === undefined) return 0n
  const failed = (why: string) => new Failure(`field type conversion error for ${message}.${field} value type: ${why}`)
  if (typeof held !== 'bigint') return failed(unsupported(held, `int${bits}`))
  return BigInt.asIntN(bits, held) === held ? held : failed('integer overflow')
}

/** Each type of value says it in its own words. */
function unsupported(value: Value, to: string): string {
  const error = (from: string) => `type conversion error from ${from} to '${to}'`
  if (value === null) return error("'null_type'")
  if (typeof value === 'string') return `unsupported native conversion from string to '${to}'`
  if (typeof value === 'bigint') return `unsupported type conversion from 'int' to ${to}`
  if (typeof value === 'number') return error('Double')
  if (typeof value === 'boolean') return error('bool')
  if (value instanceof Uint) return `unsupported type conversion from 'uint' to ${to}`
  if (value instanceof Uint8Array) return error('Bytes')
  if (Array.isArray(value)) return error('list')
  if (value instanceof Duration) return error("'Duration'")
  if (value instanceof Timestamp) return error("'Timestamp'")
  if (value instanceof Optional) return 'optional.none() dereference'
  if (value instanceof TypeValue) return "type conversion not supported for 'type'"
  return error(value instanceof OpaqueValue ? `'${value.type.name.replace(/^.*\./, '')}'` : 'map')
}
