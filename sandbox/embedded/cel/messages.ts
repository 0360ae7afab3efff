import { timestampOf } from './library/operators.ts'
import { second } from './times.ts'
import { type CelType, types } from './types.ts'
import { Duration, Failure, maxInt, minInt, OpaqueValue, Optional, Timestamp, TypeValue, Uint, type Value } from './values.ts'

/** What an expression can make by its protobuf name: `google.protobuf.Duration{seconds: 1}`. */
export interface Message {
  readonly fields: ReadonlyMap<string, CelType>
  /** The value with these fields; a Failure where one is of a wrong type. */
  make(fields: ReadonlyMap<string, Value>): Value
}

/** Both have seconds and nanoseconds; a duration that is too long is as long as can be (cel-go, common/types/provider.go, NewValue). */
export const messages: ReadonlyMap<string, Message> = new Map([
  [types.duration.name, timed(types.duration.name, longest)],
  [types.timestamp.name, timed(types.timestamp.name, timestampOf)],
])

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
  const held = value instanceof Optional && value.value !== undefined ? value.value : value
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
