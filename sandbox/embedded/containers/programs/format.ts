import type { Process } from '../kernel/process.ts'
import { contentOf, type Node } from '../vfs/node.ts'

/** -rwxr-xr-x */
export function modeText(node: Node): string {
  const kind = { file: '-', dir: 'd', link: 'l', device: 'c', fifo: 'p' }[node.type]
  const bits = node.mode
  const triple = (shift: number, special: number, letter: string) => {
    const three = (bits >> shift) & 7
    const x = bits & special ? (three & 1 ? letter : letter.toUpperCase()) : three & 1 ? 'x' : '-'
    return `${three & 4 ? 'r' : '-'}${three & 2 ? 'w' : '-'}${x}`
  }
  return `${kind}${triple(6, 0o4000, 's')}${triple(3, 0o2000, 's')}${triple(0, 0o1000, 't')}`
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** As ls -l: the time of day for the last half year, the year before that. */
export function shortTime(ms: number, now: number): string {
  const date = new Date(ms)
  const day = `${months[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)}`
  if (now - ms > 15_768_000_000 || ms > now + 60_000) return `${day}  ${date.getUTCFullYear()}`
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
}

/** strftime's conversions, in UTC. */
export function formatTime(format: string, ms: number): string {
  const date = new Date(ms)
  const year = date.getUTCFullYear()
  const dayOfYear = Math.floor((Date.UTC(year, date.getUTCMonth(), date.getUTCDate()) - Date.UTC(year, 0, 1)) / 86_400_000) + 1
  const hours = date.getUTCHours()
  const weekday = days[date.getUTCDay()] as string
  const month = months[date.getUTCMonth()] as string
  const fullDays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
  const fullMonths = [
    'January',
    'February',
    'March',
    'April',
    'May',
    'June',
    'July',
    'August',
    'September',
    'October',
    'November',
    'December',
  ]
  const time = `${two(hours)}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
  const values: Record<string, string> = {
    Y: String(year),
    y: two(year % 100),
    m: two(date.getUTCMonth() + 1),
    d: two(date.getUTCDate()),
    e: String(date.getUTCDate()).padStart(2),
    H: two(hours),
    I: two(hours % 12 || 12),
    M: two(date.getUTCMinutes()),
    S: two(date.getUTCSeconds()),
    p: hours < 12 ? 'AM' : 'PM',
    a: weekday,
    A: fullDays[date.getUTCDay()] as string,
    b: month,
    h: month,
    B: fullMonths[date.getUTCMonth()] as string,
    j: String(dayOfYear).padStart(3, '0'),
    u: String(date.getUTCDay() || 7),
    w: String(date.getUTCDay()),
    s: String(Math.floor(ms / 1000)),
    F: date.toISOString().slice(0, 10),
    T: time,
    R: time.slice(0, 5),
    D: `${two(date.getUTCMonth() + 1)}/${two(date.getUTCDate())}/${two(year % 100)}`,
    Z: 'UTC',
    z: '+0000',
    n: '\n',
    t: '\t',
    '%': '%',
    N: `${String(Math.floor(ms % 1000)).padStart(3, '0')}000000`,
    c: `${weekday} ${month} ${String(date.getUTCDate()).padStart(2)} ${time} ${year}`,
    x: `${two(date.getUTCMonth() + 1)}/${two(date.getUTCDate())}/${two(year % 100)}`,
    X: time,
    r: `${two(hours % 12 || 12)}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} ${hours < 12 ? 'AM' : 'PM'}`,
  }
  return format.replace(/%([-_0]?)([a-zA-Z%])/g, (whole, flag: string, letter: string) => {
    const value = values[letter]
    if (value === undefined) return whole
    return flag === '-' ? value.replace(/^0+(?=\d)/, '') : value
  })
}

/** 1.5K as busybox shows sizes. */
export function human(bytes: number): string {
  if (bytes === 0) return '0'
  const units = ['', 'K', 'M', 'G', 'T']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? String(value) : `${value.toFixed(1)}${units[unit]}`
}

/** A user's or group's name from /etc/passwd or /etc/group, the number when it has none. */
export function ownerName(process: Process, id: number, table: 'passwd' | 'group', numeric: boolean): string {
  if (numeric) return String(id)
  const node = process.fs.find(`/etc/${table}`, process.who)
  const text = node?.type === 'file' ? new TextDecoder().decode(contentOf(node)) : ''
  for (const line of text.split('\n')) if (line.split(':')[2] === String(id)) return line.split(':')[0] as string
  return String(id)
}

/** chmod's octal and symbolic modes. */
export function parseMode(text: string, current: number, isFolder: boolean, umask: number): number {
  if (/^[0-7]+$/.test(text)) return Number.parseInt(text, 8)
  let mode = current
  for (const clause of text.split(',')) {
    const match = /^([ugoa]*)((?:[-+=][rwxXst]*)+)$/.exec(clause)
    if (!match) continue
    const who = match[1] as string
    const masks = { u: 0o4700, g: 0o2070, o: 0o1007 } as const
    let mask = 0
    for (const letter of who === '' || who.includes('a') ? 'ugo' : who) mask |= masks[letter as 'u' | 'g' | 'o']
    if (who === '') mask &= ~umask
    for (const [, operator, letters] of (match[2] as string).matchAll(/([-+=])([rwxXst]*)/g)) {
      let bits = 0
      for (const letter of letters as string) {
        if (letter === 'r') bits |= 0o444
        if (letter === 'w') bits |= 0o222
        if (letter === 'x' || (letter === 'X' && (isFolder || mode & 0o111))) bits |= 0o111
        if (letter === 's') bits |= 0o6000
        if (letter === 't') bits |= 0o1000
      }
      bits &= mask | (bits & 0o1000)
      mode = operator === '+' ? mode | bits : operator === '-' ? mode & ~bits : (mode & ~(mask & 0o777)) | bits
    }
  }
  return mode
}
