import { Library } from '../declarations.ts'
import { second, wholeSeconds, zoned } from '../times.ts'
import { type Duration, Failure, type Timestamp, type Value } from '../values.ts'

/** The parts of times and durations. */
export const clockParts = new Library()

const parts: readonly [string, string, (date: Date, nanos: bigint) => number][] = [
  ['getFullYear', 'year', (date) => date.getUTCFullYear()],
  ['getMonth', 'month', (date) => date.getUTCMonth()],
  ['getDayOfYear', 'day_of_year', (date) => inYear(date)],
  ['getDayOfMonth', 'day_of_month', (date) => date.getUTCDate() - 1],
  ['getDate', 'day_of_month_1_based', (date) => date.getUTCDate()],
  ['getDayOfWeek', 'day_of_week', (date) => date.getUTCDay()],
  ['getHours', 'hours', (date) => date.getUTCHours()],
  ['getMinutes', 'minutes', (date) => date.getUTCMinutes()],
  ['getSeconds', 'seconds', (date) => date.getUTCSeconds()],
  ['getMilliseconds', 'milliseconds', (_, nanos) => Number((nanos - wholeSeconds(nanos) * second) / 1_000_000n)],
]

for (const [name, part, read] of parts) {
  const of = ({ nanos }: Timestamp, zone: string): Value => {
    const date = zoned(nanos, zone)
    return date ? BigInt(read(date, nanos)) : new Failure(`unknown time zone ${zone}`)
  }
  clockParts
    .declare(`timestamp_to_${part}`, `timestamp::${name}(): int`, ([time]) => of(time as Timestamp, ''))
    .declare(`timestamp_to_${part}_with_tz`, `timestamp::${name}(string): int`, ([time, zone]) => of(time as Timestamp, zone as string))
}

for (const [name, part, read] of [
  ['getHours', 'hours', (nanos: bigint) => nanos / (3600n * second)],
  ['getMinutes', 'minutes', (nanos: bigint) => nanos / (60n * second)],
  ['getSeconds', 'seconds', (nanos: bigint) => nanos / second],
  ['getMilliseconds', 'milliseconds', (nanos: bigint) => nanos / 1_000_000n],
] as const) {
  clockParts.declare(`duration_to_${part}`, `duration::${name}(): int`, ([duration]) => read((duration as Duration).nanos))
}

function inYear(date: Date): number {
  const start = Date.UTC(date.getUTCFullYear(), 0, 1)
  return Math.floor((Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()) - start) / 86_400_000)
}
