import { nodeCores } from '../kernel/cpu.ts'
import type { Process } from '../kernel/process.ts'
import { formatTime, ownerName } from './format.ts'
import { loadOf, memoryOf, upTime } from './node-figures.ts'
import { last, parseOptions } from './options.ts'
import { processesSeenBy, type SeenProcess } from './seen-processes.ts'

/** procps' ps: all that runs on a node, the containers' processes among it. */
export async function psOfNode(process: Process): Promise<number> {
  const [first = '', ...others] = process.args
  const bsd = /^[auxwfj]+$/.test(first)
  const args = bsd ? others : process.args
  const options = parseOptions(args, 'eAfFaxulwo:p:C:u:U:Hn', {
    forest: 'H',
    'no-headers': 'h',
    'no-heading': 'h',
    'sort=': 's',
    'format=': 'o',
    'pid=': 'p',
    'ppid=': 'P',
    'user=': 'u',
  })
  if (options.unknown) {
    await process.complain(`error: unknown option\n\n${usage}`)
    return 1
  }
  const aux = bsd && first.includes('u')
  const all =
    options.flags.has('e') || options.flags.has('A') || (bsd && /[ax]/.test(first)) || (options.flags.has('a') && options.flags.has('x'))
  const numbers = (name: string) => new Set((options.values.get(name) ?? []).flatMap((text) => text.split(',').map(Number)))
  const pids = numbers('p')
  const parents = numbers('P')
  const names = (options.values.get('C') ?? []).flatMap((text) => text.split(','))
  const chosen = (row: SeenProcess) =>
    pids.size + parents.size + names.length > 0
      ? pids.has(row.pid) || parents.has(row.ppid) || names.includes(row.name)
      : all || (row.terminal === (process.terminal !== undefined) && row.uid === process.uid)
  const rows = processesSeenBy(process).filter(chosen)
  const given = options.values.get('o')
  const columns = given
    ? given.flatMap((text) => text.split(/[ ,]+/).filter(Boolean))
    : aux
      ? ['user', 'pid', '%cpu', '%mem', 'vsz', 'rss', 'tty8', 'stat', 'start', 'bsdtime', 'command']
      : options.flags.has('f') || options.flags.has('F')
        ? ['uidname', 'pid', 'ppid', 'c', 'stime', 'tty', 'time', 'cmd']
        : bsd
          ? ['pid', 'tty8', 'stat', 'bsdtime', 'command']
          : ['pid', 'tty', 'time', 'ucmd']
  const bad = columns.map((column) => column.split('=')[0] as string).find((name) => !(name in fields))
  if (bad !== undefined) {
    await process.complain(`error: unknown user-defined format specifier "${bad}"\n\n${usage}`)
    return 1
  }
  const forest = options.flags.has('H') || (bsd && first.includes('f'))
  const shown = forest ? asForest(rows) : sorted(rows, last(options, 's')).map((row) => ({ row, prefix: '' }))
  const titles = columns.map((column) => (column.includes('=') ? (column.split('=')[1] ?? '') : (fields[column] as Field).title))
  const width =
    process.terminal && !options.flags.has('w') && process.files.get(1)?.kind === 'tty' ? process.terminal.cols : Number.POSITIVE_INFINITY
  const line = (cells: string[]) =>
    cells
      .map((cell, index) => {
        const { size, left } = fields[columns[index]?.split('=')[0] ?? ''] as Field
        if (left) return index === cells.length - 1 ? cell : cell.padEnd(size)
        return cell.padStart(size)
      })
      .join(' ')
      .slice(0, width)
  const head = options.flags.has('h') || titles.every((title) => title === '') ? [] : [line(titles)]
  const body = shown.map(({ row, prefix }) =>
    line(
      columns.map((column) => {
        const name = column.split('=')[0] as string
        const text = (fields[name] as Field).of(row, process)
        return ['cmd', 'command', 'args', 'comm', 'ucmd'].includes(name) ? prefix + text : text
      }),
    ),
  )
  await process.print([...head, ...body].map((text) => `${text}\n`).join(''))
  return shown.length > 0 ? 0 : 1
}

/** procps' top: once with -b, again and again on a terminal. */
export async function topOfNode(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'bn:d:p:o:u:ciH', {})
  const batch = options.flags.has('b')
  if (!batch && process.files.get(1)?.kind !== 'tty') return await process.fail('failed tty get')
  const rounds = Number(last(options, 'n') ?? Number.POSITIVE_INFINITY)
  const pause = Number(last(options, 'd') ?? 3) * 1000
  for (let round = 0; round < rounds; round++) {
    if (round > 0) await process.sleep(pause)
    await process.print(`${batch ? (round > 0 ? '\n' : '') : '\x1b[H\x1b[J'}${topScreen(process, !batch)}`)
  }
  return 0
}

function topScreen(process: Process, fits: boolean): string {
  const { machine } = process
  const use = machine.host?.use()
  const { total, used, free, cache } = memoryOf(process)
  const mebi = (bytes: number) => (bytes / 1024 ** 2).toFixed(1).padStart(8)
  const busy = Math.min(100, ((use?.cpuNanoCores ?? 0) / 1e9 / nodeCores) * 100)
  const rows = processesSeenBy(process).sort((one, other) => other.cpuNanoCores - one.cpuNanoCores || one.pid - other.pid)
  const count = (number: number) => String(number).padStart(3)
  const head = [
    `top - ${formatTime('%T', machine.now())} up ${upTime(process)},  0 user,  load average: ${loadOf(process)}`,
    `Tasks: ${count(rows.length)} total, ${count(1)} running, ${count(rows.length - 1)} sleeping, ${count(0)} stopped, ${count(0)} zombie`,
    `%Cpu(s): ${busy.toFixed(1).padStart(4)} us,  0.0 sy,  0.0 ni, ${(100 - busy).toFixed(1).padStart(4)} id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st `,
    `MiB Mem : ${mebi(total)} total, ${mebi(free)} free, ${mebi(used)} used, ${mebi(cache)} buff/cache     `,
    `MiB Swap: ${mebi(0)} total, ${mebi(0)} free, ${mebi(0)} used. ${mebi(total - used)} avail Mem `,
    '',
    '    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND',
  ]
  const kibi = (bytes: number) => Math.floor(bytes / 1024)
  const body = rows.map((row) => {
    const hundredths = Math.floor(row.cpuNanoseconds / 1e7)
    const time = `${Math.floor(hundredths / 6000)}:${(Math.floor(hundredths % 6000) / 100).toFixed(2).padStart(5, '0')}`
    return [
      String(row.pid).padStart(7),
      ownerName(process, row.uid, 'passwd', false).padEnd(8),
      ' 20',
      '  0',
      String(kibi(row.memoryBytes * 2)).padStart(7),
      String(kibi(row.memoryBytes)).padStart(6),
      String(kibi(row.memoryBytes * 0.6)).padStart(6),
      row.process === process ? 'R' : 'S',
      (row.cpuNanoCores / 1e7).toFixed(1).padStart(5),
      ((row.memoryBytes / total) * 100).toFixed(1).padStart(5),
      time.padStart(9),
      cut(comm(row), 8),
    ].join(' ')
  })
  const rest = fits ? body.slice(0, Math.max(1, (process.terminal?.rows ?? 24) - head.length - 1)) : body
  return [...head, ...rest].map((line) => `${line}\n`).join('')
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}+` : text
}

interface Field {
  title: string
  size: number
  left?: boolean
  of(row: SeenProcess, viewer: Process): string
}

const cpuShare = ({ cpuNanoseconds, startedAt }: SeenProcess, viewer: Process) =>
  Math.min(999, (cpuNanoseconds / 1e6 / Math.max(1000, viewer.machine.now() - startedAt)) * 100)
const tty = ({ terminal }: SeenProcess) => (terminal ? 'pts/0' : '?')
const kibi = (bytes: number) => String(Math.floor(bytes / 1024))
const started = ({ startedAt }: SeenProcess, viewer: Process) =>
  formatTime(viewer.machine.now() - startedAt < 86_400_000 ? '%H:%M' : '%b%d', startedAt)
const owner = ({ uid }: SeenProcess, viewer: Process) => ownerName(viewer, uid, 'passwd', false)
const wholeCommand = ({ commandLine }: SeenProcess) => commandLine

const fields: Record<string, Field> = {
  pid: { title: 'PID', size: 7, of: ({ pid }) => String(pid) },
  ppid: { title: 'PPID', size: 7, of: ({ ppid }) => String(ppid) },
  uid: { title: 'UID', size: 5, of: ({ uid }) => String(uid) },
  uidname: { title: 'UID', size: 8, left: true, of: owner },
  user: { title: 'USER', size: 8, left: true, of: owner },
  c: { title: 'C', size: 2, of: (row, viewer) => String(Math.min(99, Math.floor(cpuShare(row, viewer)))) },
  '%cpu': { title: '%CPU', size: 4, of: (row, viewer) => cpuShare(row, viewer).toFixed(1) },
  pcpu: { title: '%CPU', size: 4, of: (row, viewer) => cpuShare(row, viewer).toFixed(1) },
  '%mem': { title: '%MEM', size: 4, of: memoryShare },
  pmem: { title: '%MEM', size: 4, of: memoryShare },
  vsz: { title: 'VSZ', size: 6, of: ({ memoryBytes }) => kibi(memoryBytes * 2) },
  rss: { title: 'RSS', size: 5, of: ({ memoryBytes }) => kibi(memoryBytes) },
  tty: { title: 'TTY', size: 8, left: true, of: tty },
  tt: { title: 'TT', size: 8, left: true, of: tty },
  tty8: { title: 'TTY', size: 8, left: true, of: tty },
  stat: { title: 'STAT', size: 4, left: true, of: (row, viewer) => (row.process === viewer ? 'R' : row.pid === 1 ? 'Ss' : 'S') },
  start: { title: 'START', size: 5, of: started },
  stime: { title: 'STIME', size: 5, of: started },
  time: { title: 'TIME', size: 8, of: ({ cpuNanoseconds }) => formatTime('%T', Math.floor(cpuNanoseconds / 1e6)) },
  bsdtime: { title: 'TIME', size: 6, of: bsdTime },
  etime: { title: 'ELAPSED', size: 11, of: elapsed },
  comm: { title: 'COMMAND', size: 15, left: true, of: comm },
  ucmd: { title: 'CMD', size: 15, left: true, of: comm },
  cmd: { title: 'CMD', size: 27, left: true, of: wholeCommand },
  args: { title: 'COMMAND', size: 27, left: true, of: wholeCommand },
  command: { title: 'COMMAND', size: 27, left: true, of: wholeCommand },
}

function memoryShare({ memoryBytes }: SeenProcess, viewer: Process): string {
  return ((memoryBytes / memoryOf(viewer).total) * 100).toFixed(1)
}

/** The kernel's own name of it: 15 letters. */
function comm({ pid, name }: SeenProcess): string {
  return pid === 1 ? 'systemd' : name.slice(0, 15)
}

function bsdTime({ cpuNanoseconds }: SeenProcess): string {
  const seconds = Math.floor(cpuNanoseconds / 1e9)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

function elapsed({ startedAt }: SeenProcess, viewer: Process): string {
  const seconds = Math.max(0, Math.floor((viewer.machine.now() - startedAt) / 1000))
  const two = (value: number) => String(value).padStart(2, '0')
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor(seconds / 3600) % 24
  const clock = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return days > 0 ? `${days}-${two(hours)}:${clock}` : hours > 0 ? `${two(hours)}:${clock}` : clock
}

function sorted(rows: SeenProcess[], by: string | undefined): SeenProcess[] {
  if (!by) return rows
  const key = by.replace(/^[-+]/, '')
  const value = (row: SeenProcess) =>
    /mem|rss|vsz/.test(key) ? row.memoryBytes : /cpu|time/.test(key) ? row.cpuNanoseconds : key === 'start' ? row.startedAt : row.pid
  return rows.toSorted((one, other) => (by.startsWith('-') ? value(other) - value(one) : value(one) - value(other)))
}

/** Children under their parents; those of the first process stand by themselves. */
function asForest(rows: readonly SeenProcess[]): { row: SeenProcess; prefix: string }[] {
  const shown = new Set(rows.map(({ pid }) => pid))
  const children = Map.groupBy(rows, ({ ppid }) => (ppid > 1 && shown.has(ppid) ? ppid : 0))
  const below = (parent: number, lead: string): { row: SeenProcess; prefix: string }[] => {
    const own = children.get(parent) ?? []
    return own.flatMap((row, index) => {
      const inner = index === own.length - 1 ? `${lead}    ` : `${lead} |  `
      return [{ row, prefix: `${lead} \\_ ` }, ...below(row.pid, inner)]
    })
  }
  return (children.get(0) ?? []).flatMap((row) => [{ row, prefix: '' }, ...below(row.pid, '')])
}

const usage = `Usage:
 ps [options]

 Try 'ps --help <simple|list|output|threads|misc|all>'
  or 'ps --help <s|l|o|t|m|a>'
 for additional help text.

For more details see ps(1).
`
