import type { JournalEntry } from '../../node/journal.ts'
import type { Process } from '../kernel/process.ts'
import { formatTime } from './format.ts'
import { last, parseOptions } from './options.ts'

/** What journald has of a node's services; with -f until it is interrupted. */
export async function journalctl(process: Process): Promise<number> {
  const { host, hostname } = process.machine
  if (!host) {
    await process.print('No journal files were found.\n-- No entries --\n')
    return 0
  }
  const options = parseOptions(separated(process.args), 'u:fn:exrqS:U:g:o:p:tbak', {
    'unit=': 'u',
    follow: 'f',
    'lines=': 'n',
    'no-pager': 'P',
    'pager-end': 'e',
    catalog: 'x',
    reverse: 'r',
    quiet: 'q',
    'since=': 'S',
    'until=': 'U',
    'grep=': 'g',
    'output=': 'o',
    'priority=': 'p',
    'boot=?': 'b',
    'no-hostname': 'H',
    dmesg: 'k',
  })
  if (options.unknown) return await process.fail(`unrecognized option '${options.unknown}'`)
  const now = process.machine.now()
  const time = (name: string) => {
    const text = last(options, name)
    return text === undefined ? undefined : parseTime(text, now)
  }
  for (const name of ['S', 'U']) {
    if (last(options, name) !== undefined && time(name) === undefined)
      return await process.fail(`Failed to parse timestamp: ${last(options, name)}`)
  }
  const since = time('S') ?? Number.NEGATIVE_INFINITY
  const until = time('U') ?? Number.POSITIVE_INFINITY
  const units = (options.values.get('u') ?? []).map((name) => (name.includes('.') ? name : `${name}.service`))
  const pattern = last(options, 'g')
  const kernel = options.flags.has('k')
  const wanted = ({ time: at, unit, identifier, text }: JournalEntry) => {
    if (kernel && identifier !== 'kernel') return false
    if (at < since || at > until || (units.length > 0 && !units.includes(unit))) return false
    return pattern === undefined || new RegExp(pattern, pattern === pattern.toLowerCase() ? 'i' : '').test(text)
  }
  const format = last(options, 'o') ?? 'short'
  const show = (entry: JournalEntry) => formatted(hostname, entry, format)
  const follow = options.flags.has('f')
  const given = last(options, 'n')
  const count = given === undefined || given === 'all' ? (follow && given === undefined ? 10 : Number.POSITIVE_INFINITY) : Number(given)
  const found = host.journal.entries().filter(wanted)
  const shown = Number.isFinite(count) ? found.slice(Math.max(0, found.length - count)) : found
  if (options.flags.has('r')) shown.reverse()
  if (shown.length > 0) await process.print(shown.map(show).join(''))
  else if (!follow && !options.flags.has('q')) await process.print('-- No entries --\n')
  if (!follow) return 0
  const queue: JournalEntry[] = []
  let wake = () => {}
  using _listening = host.journal.onEntry((entry) => {
    if (!wanted(entry)) return
    queue.push(entry)
    wake()
  })
  for (;;) {
    const entry = queue.shift()
    if (entry) await process.print(show(entry))
    else {
      await process.block<void>((resolve) => {
        wake = resolve
      })
    }
  }
}

/** A line as journalctl prints it: time, host, who. */
export function journalLine(hostname: string, { time, identifier, pid, text }: JournalEntry): string {
  const date = new Date(time)
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][date.getUTCMonth()]
  const stamp = `${month} ${String(date.getUTCDate()).padStart(2, '0')} ${date.toISOString().slice(11, 19)}`
  return `${stamp} ${hostname} ${identifier}${pid > 0 ? `[${pid}]` : ''}: ${text}\n`
}

function formatted(hostname: string, entry: JournalEntry, format: string): string {
  if (format === 'cat') return `${entry.text}\n`
  if (format.startsWith('short-iso')) {
    return `${new Date(entry.time).toISOString().slice(0, 19)}+0000 ${hostname} ${entry.identifier}${entry.pid > 0 ? `[${entry.pid}]` : ''}: ${entry.text}\n`
  }
  if (format === 'json') {
    const fields = { __REALTIME_TIMESTAMP: String(Math.floor(entry.time * 1000)), _HOSTNAME: hostname, _SYSTEMD_UNIT: entry.unit }
    return `${JSON.stringify({ ...fields, SYSLOG_IDENTIFIER: entry.identifier, _PID: String(entry.pid), MESSAGE: entry.text })}\n`
  }
  return journalLine(hostname, entry)
}

/** Letters that stand before one that takes a value: -xeu kubelet is -x -e -u kubelet; -n may stand without one. */
function separated(args: readonly string[]): string[] {
  return args.flatMap((arg, index) => {
    const next = args[index + 1]
    if (/^-[a-z]*n$/.test(arg) && !(next !== undefined && /^(\d+|all)$/.test(next))) return [`${arg}10`]
    return [arg]
  })
}

const spans: Record<string, number> = {
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  hr: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
}

/** systemd.time: "5 min ago", -1h, "2026-11-21 16:57", 16:57, today, yesterday, now. Cluster ms. */
function parseTime(text: string, now: number): number | undefined {
  const midnight = Math.floor(now / 86_400_000) * 86_400_000
  if (text === 'now') return now
  if (text === 'today') return midnight
  if (text === 'yesterday') return midnight - 86_400_000
  const ago = /^-?((?:\d+\s*[a-z]+\s*)+?)(?:\s*ago)?$/.exec(text.trim())
  if (ago && (text.trim().startsWith('-') || text.trim().endsWith('ago'))) {
    let sum = 0
    for (const [, amount, unit = ''] of (ago[1] as string).matchAll(/(\d+)\s*([a-z]+)/g)) {
      const ms = spans[unit] ?? spans[unit.replace(/s$/, '')]
      if (ms === undefined) return undefined
      sum += Number(amount) * ms
    }
    return now - sum
  }
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text)
  if (clock) return midnight + Number(clock[1]) * 3_600_000 + Number(clock[2]) * 60_000 + Number(clock[3] ?? 0) * 1000
  const date = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2})?))?$/.exec(text)
  if (!date) return undefined
  const parsed = Date.parse(`${date[1]}T${date[2] ?? '00:00'}Z`)
  return Number.isNaN(parsed) ? undefined : parsed
}

/** The kernel's own lines, with the seconds since the node began. */
export async function dmesg(process: Process): Promise<number> {
  const { host } = process.machine
  if (!host) return await process.fail('read kernel buffer failed: Operation not permitted')
  const options = parseOptions(process.args, 'Twkxl:f:', { ctime: 'T', follow: 'w' })
  if (options.unknown) return await process.fail(`invalid option -- '${options.unknown}'`)
  const { bootedAt } = host.use()
  const lines = host.journal
    .entries()
    .filter(({ identifier }) => identifier === 'kernel')
    .map(({ time, text }) => {
      const since = ((time - bootedAt) / 1000).toFixed(6).padStart(12)
      return `[${options.flags.has('T') ? formatTime('%a %b %e %T %Y', time) : since}] ${text}\n`
    })
  await process.print(lines.join(''))
  return 0
}
