import { goNumber } from '../../machinery/go-number.ts'
import { type Evaluate, Library } from '../declarations.ts'
import { durationText, timestampText } from '../shown-values.ts'
import { parsedDuration, parsedTimestamp, second, wholeSeconds } from '../times.ts'
import { types } from '../types.ts'
import { Duration, Failure, OpaqueValue, runtimeType, type Timestamp, TypeValue, Uint, type Value } from '../values.ts'
import { failures, intOf, timestampOf, uintOf } from './operators.ts'

/** int(), string() and the like of the language itself. */
export const conversions = new Library()

const same: Evaluate = ([value]) => value as Value
const text = (show: (value: never) => string): Evaluate => (([value]: [never]) => show(value)) as unknown as Evaluate
const failed = (from: string, to: string) => new Failure(`type conversion error from '${from}' to '${to}'`)
const truths = new Map(['1', 't', 'T', 'true', 'TRUE', 'True'].map((one) => [one, true]))
const falsehoods = new Map(['0', 'f', 'F', 'false', 'FALSE', 'False'].map((one) => [one, false]))
const { bool, double, int, uint } = types

conversions
  .declare('type', 'type(A): type(A)', ([value]) => typeOf(value as Value))
  .declare('bool_to_bool', 'bool(bool): bool', same)
  .declare('string_to_bool', 'bool(string): bool', ([value]) => {
    const given = value as string
    return truths.get(given) ?? falsehoods.get(given) ?? failed('string', bool.name)
  })
  .declare('bytes_to_bytes', 'bytes(bytes): bytes', same)
  .declare('string_to_bytes', 'bytes(string): bytes', ([value]) => new Uint8Array(Buffer.from(value as string)))
  .declare('double_to_double', 'double(double): double', same)
  .declare('int64_to_double', 'double(int): double', ([value]) => Number(value))
  .declare('string_to_double', 'double(string): double', ([value]) => {
    const given = value as string
    if (/^[+-]?(?:inf|infinity)$/i.test(given)) return given.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
    if (/^[+-]?nan$/i.test(given)) return Number.NaN
    return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(given) && Number.isFinite(Number(given))
      ? Number(given)
      : failed('string', double.name)
  })
  .declare('uint64_to_double', 'double(uint): double', ([value]) => Number((value as Uint).value))
  .declare('duration_to_duration', 'duration(duration): duration', same)
  .declare('int64_to_duration', 'duration(int): duration', ([value]) => new Duration(value as bigint))
  .declare('string_to_duration', 'duration(string): duration', ([value]) => {
    return parsedDuration(value as string) ?? failed('string', types.duration.name)
  })
  .declare('to_dyn', 'dyn(A): dyn', same)
  .declare('int64_to_int64', 'int(int): int', same)
  .declare('double_to_int64', 'int(double): int', ([value]) => {
    const given = value as number
    return Number.isFinite(given) && given > -(2 ** 63) && given < 2 ** 63 ? BigInt(Math.trunc(given)) : failures.int
  })
  .declare('duration_to_int64', 'int(duration): int', ([value]) => (value as Duration).nanos)
  .declare('string_to_int64', 'int(string): int', ([value]) => {
    const given = value as string
    const parsed = /^[+-]?\d+$/.test(given) ? intOf(BigInt(given.replace('+', ''))) : undefined
    return typeof parsed === 'bigint' ? parsed : failed('string', int.name)
  })
  .declare('timestamp_to_int64', 'int(timestamp): int', ([value]) => wholeSeconds((value as Timestamp).nanos))
  .declare('uint64_to_int64', 'int(uint): int', ([value]) => intOf((value as Uint).value))
  .declare('string_to_string', 'string(string): string', same)
  .declare('bool_to_string', 'string(bool): string', text(String))
  .declare('bytes_to_string', 'string(bytes): string', ([value]) => {
    try {
      return strict.decode(value as Uint8Array)
    } catch {
      return new Failure('invalid UTF-8 in bytes, cannot convert to string')
    }
  })
  .declare('double_to_string', 'string(double): string', ([value]) => goNumber(value as number, 6))
  .declare('duration_to_string', 'string(duration): string', text(durationText))
  .declare('int64_to_string', 'string(int): string', text(String))
  .declare('timestamp_to_string', 'string(timestamp): string', text(timestampText))
  .declare('uint64_to_string', 'string(uint): string', ([value]) => String((value as Uint).value))
  .declare('timestamp_to_timestamp', 'timestamp(timestamp): timestamp', same)
  .declare('int64_to_timestamp', 'timestamp(int): timestamp', ([value]) => timestampOf((value as bigint) * second))
  .declare('string_to_timestamp', 'timestamp(string): timestamp', ([value]) => {
    const nanos = parsedTimestamp(value as string)
    return nanos === undefined ? failed('string', types.timestamp.name) : timestampOf(nanos)
  })
  .declare('uint64_to_uint64', 'uint(uint): uint', same)
  .declare('double_to_uint64', 'uint(double): uint', ([value]) => {
    const given = value as number
    return given >= 0 && given < 2 ** 64 ? new Uint(BigInt(Math.trunc(given))) : failures.uint
  })
  .declare('int64_to_uint64', 'uint(int): uint', ([value]) => uintOf(value as bigint))
  .declare('string_to_uint64', 'uint(string): uint', ([value]) => {
    const parsed = /^\d+$/.test(value as string) ? uintOf(BigInt(value as string)) : undefined
    return parsed instanceof Uint ? parsed : failed('string', uint.name)
  })

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function typeOf(value: Value): Value {
  return new TypeValue(value instanceof OpaqueValue ? value.type : runtimeType(value))
}
