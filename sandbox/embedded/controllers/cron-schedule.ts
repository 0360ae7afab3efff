import { parseGoDuration } from '../containers/go/duration.ts'

/** A cron schedule in a time zone: minute, hour, day of month, month, day of week, or a shorthand such as @hourly. */
export interface Schedule {
  /** The first time after `after` (ms since the epoch); undefined when there is none in five years. */
  next(after: number): number | undefined
}

const shorthands: Record<string, string> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const minute = 60_000

/** Throws when the text is no schedule or the zone unknown. */
export function parseSchedule(text: string, timeZone = 'UTC'): Schedule {
  const [, period] = /^@every (.*)$/.exec(text) ?? []
  if (period !== undefined) return everySchedule(period)
  const fields = (shorthands[text] ?? text).trim().split(/\s+/)
  if (fields.length !== 5) throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`)
  const [minutes = '', hours = '', monthDays = '', monthNames = '', weekDays = ''] = fields
  const parsed = {
    minutes: parseField(minutes, 0, 59),
    hours: parseField(hours, 0, 23),
    monthDays: parseField(monthDays, 1, 31),
    months: parseField(monthNames, 1, 12, months, 1),
    weekDays: new Set([...parseField(weekDays, 0, 7, days, 0)].map((day) => day % 7)),
    // Where both days are restricted, either will do.
    eitherDay: !isAny(monthDays) && !isAny(weekDays),
  }
  const local = localTime(timeZone)
  return {
    next(after) {
      const limit = after + 5 * 366 * 24 * 60 * minute
      for (let time = Math.floor(after / minute) * minute + minute; time < limit; ) {
        const now = local(time)
        const byMonth = parsed.monthDays.has(now.day)
        const byWeek = parsed.weekDays.has(now.weekDay)
        const day = parsed.months.has(now.month) && (parsed.eitherDay ? byMonth || byWeek : byMonth && byWeek)
        if (!day) time += (24 * 60 - now.hour * 60 - now.minute > 120 ? 60 - now.minute : 1) * minute
        else if (!parsed.hours.has(now.hour)) time += (60 - now.minute) * minute
        else if (!parsed.minutes.has(now.minute)) time += minute
        else return time
      }
      return undefined
    },
  }
}

/** A star with a step restricts, as any list of numbers does. */
function isAny(field: string): boolean {
  return field.split(',').some((part) => /^[*?](\/1)?$/.test(part))
}

/** Whole seconds, one at least. */
function everySchedule(text: string): Schedule {
  const period = parseGoDuration(text)
  if (period === undefined) throw new Error(`failed to parse duration @every ${text}`)
  const seconds = Math.max(1, Math.floor(period / 1000))
  return { next: (after) => (Math.floor(after / 1000) + seconds) * 1000 }
}

function parseField(text: string, least: number, most: number, names: readonly string[] = [], firstName = 0): Set<number> {
  const values = new Set<number>()
  const numberOf = (part: string) => {
    const name = names.indexOf(part.toLowerCase())
    const value = name >= 0 ? name + firstName : Number(part)
    if (!/^(\d+|[a-z]{3})$/i.test(part) || !Number.isInteger(value)) throw new Error(`failed to parse int from ${part}`)
    return value
  }
  for (const part of text.split(',')) {
    const [range = '', stepText] = part.split('/')
    const step = stepText === undefined ? 1 : Number(stepText)
    const [from = '', to] = range.split('-')
    const any = range === '*' || range === '?'
    const first = any ? least : numberOf(from)
    const last = any ? most : to !== undefined ? numberOf(to) : stepText !== undefined ? most : first
    if (first < least || last > most || first > last) throw new Error(`value out of range (${least} - ${most}): ${part}`)
    if (!Number.isInteger(step) || step < 1) throw new Error(`step of range should be a positive number: ${part}`)
    for (let value = first; value <= last; value += step) values.add(value)
  }
  return values
}

function localTime(timeZone: string) {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    weekday: 'short',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
  })
  return (time: number) => {
    const parts = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]))
    return {
      minute: Number(parts['minute']),
      hour: Number(parts['hour']),
      day: Number(parts['day']),
      month: Number(parts['month']),
      weekDay: days.indexOf((parts['weekday'] ?? '').toLowerCase()),
    }
  }
}

/** A time as RFC 3339 writes it in a zone: 2030-01-01T09:00:00+08:00. */
export function formatInZone(time: number, timeZone = 'UTC'): string {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
  const offset = /GMT([-+]\d\d:\d\d)$/.exec(format.format(time))?.[1]
  if (!offset || offset === '+00:00') return new Date(time).toISOString().replace(/\.\d+/, '')
  const [hours = 0, minutes = 0] = offset.slice(1).split(':').map(Number)
  const shift = (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * minute
  return new Date(time + shift).toISOString().replace(/\.\d+Z/, offset)
}
