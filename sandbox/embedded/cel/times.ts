import { Duration, maxInt, minInt } from './values.ts'

/** Nanoseconds. */
export const second = 1_000_000_000n

const units: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: second,
  ms: 1_000_000n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ns: 1n,
}
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g

/** A text such as 1h30m as Go's time.ParseDuration reads it; undefined where it is none. */
export function parsedDuration(text: string): Duration | undefined {
  const body = text.replace(/^[+-]/, '')
  if (body === '0') return new Duration(0n)
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(body)) return undefined
  let total = 0n
  for (const [, amount = '0', unit = 's'] of body.matchAll(part)) {
    const [whole = '', fraction = ''] = amount.split('.')
    const one = units[unit] as bigint
    total += BigInt(whole || '0') * one + (BigInt(fraction || '0') * one) / 10n ** BigInt(fraction.length)
  }
  const nanos = text.startsWith('-') ? -total : total
  return nanos > maxInt || nanos < minInt ? undefined : new Duration(nanos)
}

/** Seconds, rounded down before 1970 too. */
export function wholeSeconds(nanos: bigint): bigint {
  return nanos >= 0n ? nanos / second : -((-nanos + second - 1n) / second)
}

const rfc3339 = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})$/

/** Nanoseconds since 1970 of a time as RFC 3339 writes it; undefined where it is none. */
export function parsedTimestamp(text: string): bigint | undefined {
  const [, day, time, fraction = '', zone] = rfc3339.exec(text) ?? []
  if (!day || !time || !zone) return undefined
  const milliseconds = Date.parse(`${day}T${time}${zone}`)
  const isReal = !Number.isNaN(milliseconds) && new Date(`${day}T${time}Z`).toISOString().startsWith(`${day}T${time}`)
  return isReal ? BigInt(milliseconds) * 1_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, '0')) : undefined
}

/** The parts of a time in a zone: by name, as an offset such as +05:30, or UTC. Undefined where there is no such zone. */
export function zoned(nanos: bigint, zone: string): Date | undefined {
  const milliseconds = Number(nanos >= 0n ? nanos / 1_000_000n : -((-nanos + 999_999n) / 1_000_000n))
  const [, sign, hours, minutes] = /^([+-]?)(\d{1,2}):(\d{2})$/.exec(zone) ?? []
  if (hours !== undefined) {
    const offset = (Number(hours) * 60 + Number(minutes)) * 60_000
    return new Date(milliseconds + (sign === '-' ? -offset : offset))
  }
  if (zone === '' || zone === 'UTC') return new Date(milliseconds)
  try {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    const name = format.formatToParts(milliseconds).find(({ type }) => type === 'timeZoneName')?.value ?? ''
    const [, way, hour = '0', minute = '0'] = /GMT([+-])(\d{2}):(\d{2})/.exec(name) ?? []
    const offset = (Number(hour) * 60 + Number(minute)) * 60_000
    return new Date(milliseconds + (way === '-' ? -offset : offset))
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
