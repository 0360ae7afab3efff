import { goNumber, plainNumber } from '../machinery/go-number.ts'
import { second, wholeSeconds } from './times.ts'
import { typeName } from './types.ts'
import { CelMap, Duration, Failure, OpaqueValue, Optional, Timestamp, TypeValue, Uint, type Value } from './values.ts'

/** A value as messages show it: Go's %v of cel-go's values. */
export function shownValue(value: Value): string {
  if (value === null) return 'null'
  if (typeof value === 'number') return goNumber(value)
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map(shownValue).join(', ')}]`
  if (value instanceof CelMap) return `{${[...value.entries()].map(([key, held]) => `${shownValue(key)}: ${shownValue(held)}`).join(', ')}}`
  if (value instanceof Uint) return String(value.value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  if (value instanceof Timestamp) return timestampText(value)
  if (value instanceof Duration) return durationText(value)
  if (value instanceof TypeValue) return typeName(value.type)
  if (value instanceof Optional) return value.value === undefined ? 'optional.none()' : `optional(${shownValue(value.value)})`
  if (value instanceof Failure) return value.message
  return value instanceof OpaqueValue ? String(value) : ''
}

/** RFC 3339 with as many digits as are needed. */
export function timestampText({ nanos }: Timestamp): string {
  const seconds = wholeSeconds(nanos)
  const rest = nanos - seconds * second
  const head = new Date(Number(seconds) * 1000).toISOString().replace(/\.\d+Z$/, '')
  const fraction = rest === 0n ? '' : `.${String(rest).padStart(9, '0').replace(/0+$/, '')}`
  return `${head}${fraction}Z`
}

/** Seconds, as string() writes a duration: a double of them. */
export function durationText({ nanos }: Duration): string {
  return `${plainNumber(Number(nanos / second) + Number(nanos % second) / 1e9)}s`
}
