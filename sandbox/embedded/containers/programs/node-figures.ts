import type { Process } from '../kernel/process.ts'
import { nodeMemory } from '../vfs/proc.ts'
import { formatTime } from './format.ts'
import { parseOptions } from './options.ts'

/** Bytes of a node's memory, as free shows them. */
export function memoryOf({ machine }: Process): { total: number; used: number; free: number; shared: number; cache: number } {
  const { total, used } = machine.host?.use().memory ?? { total: nodeMemory, used: 0 }
  // What the kernel keeps of files makes way for what programs ask for.
  const cache = Math.floor(Math.min(total * 0.27, (total - used) * 0.6))
  return { total, used, free: total - used - cache, shared: 12_480 * 1024, cache }
}

/** The three load averages; the model's own is that of the last seconds. */
export function loadOf({ machine }: Process): string {
  const load = ((machine.host?.use().cpuNanoCores ?? 0) / 1e9).toFixed(2)
  return [load, load, load].join(', ')
}

/** How long a node is up, as uptime and top say it. */
export function upTime({ machine }: Process): string {
  const minutes = Math.max(0, Math.floor((machine.now() - (machine.host?.use().bootedAt ?? machine.bootedAt)) / 60_000))
  const days = Math.floor(minutes / 1440)
  const hours = Math.floor(minutes / 60) % 24
  const clock = hours > 0 || days > 0 ? `${String(hours).padStart(2)}:${String(minutes % 60).padStart(2, '0')}` : `${minutes % 60} min`
  return `${days > 0 ? `${days} day${days > 1 ? 's' : ''}, ` : ''}${clock}`
}

/** procps' free. */
export async function freeOfNode(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'bkmght', { bytes: 'b', kibi: 'k', mebi: 'm', gibi: 'g', human: 'h', total: 't' })
  if (options.unknown) return await process.fail(`invalid option -- '${options.unknown}'`)
  const { flags } = options
  const unit = flags.has('b') ? 1 : flags.has('m') ? 1024 ** 2 : flags.has('g') ? 1024 ** 3 : 1024
  const cell = (bytes: number) => (flags.has('h') ? binary(bytes) : String(Math.floor(bytes / unit))).padStart(12)
  const { total, used, free, shared, cache } = memoryOf(process)
  const rows = [
    `${' '.repeat(8)}${['total', 'used', 'free', 'shared', 'buff/cache', 'available'].map((title) => title.padStart(12)).join('')}`,
    `Mem:    ${[total, used, free, shared, cache, total - used].map(cell).join('')}`,
    `Swap:   ${[0, 0, 0].map(cell).join('')}`,
    ...(flags.has('t') ? [`Total:  ${[total, used, free].map(cell).join('')}`] : []),
  ]
  await process.print(rows.map((row) => `${row}\n`).join(''))
  return 0
}

/** procps' uptime. */
export async function uptimeOfNode(process: Process): Promise<number> {
  const { machine } = process
  const bootedAt = machine.host?.use().bootedAt ?? machine.bootedAt
  if (process.args.some((arg) => arg === '-s' || arg === '--since')) {
    await process.print(`${formatTime('%F %T', bootedAt)}\n`)
    return 0
  }
  if (process.args.some((arg) => arg === '-p' || arg === '--pretty')) {
    const minutes = Math.floor((machine.now() - bootedAt) / 60_000)
    const parts = [
      [Math.floor(minutes / 1440), 'day'],
      [Math.floor(minutes / 60) % 24, 'hour'],
      [minutes % 60, 'minute'],
    ] as const
    const said = parts.filter(([count]) => count > 0).map(([count, name]) => `${count} ${name}${count > 1 ? 's' : ''}`)
    await process.print(`up ${said.length > 0 ? said.join(', ') : '0 minutes'}\n`)
    return 0
  }
  await process.print(` ${formatTime('%T', machine.now())} up ${upTime(process)},  0 user,  load average: ${loadOf(process)}\n`)
  return 0
}

interface Row {
  source: string
  type: string
  path: string
  total: number
  used: number
  inodes: { total: number; used: number }
}

/** coreutils' df over a node's disk, and what the runtime has mounted for the pods. */
export async function dfOfNode(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'hHkmiTaPt:x:', {
    human: 'h',
    'human-readable': 'h',
    inodes: 'i',
    'print-type': 'T',
    all: 'a',
  })
  if (options.unknown) return await process.fail(`invalid option -- '${options.unknown}'`)
  const { flags } = options
  let rows = mountsOf(process)
  if (options.operands.length > 0) {
    const wanted: Row[] = []
    let missing = false
    for (const operand of options.operands) {
      if (!process.fs.find(operand, process.who)) {
        await process.complain(`df: ${operand}: No such file or directory\n`)
        missing = true
        continue
      }
      const full = operand.startsWith('/') ? operand : `${process.cwd}/${operand}`
      const holds = ({ path }: Row) => path === '/' || full === path || full.startsWith(`${path}/`)
      wanted.push(rows.filter(holds).sort((one, other) => other.path.length - one.path.length)[0] as Row)
    }
    if (wanted.length === 0 && missing) return 1
    rows = wanted
  }
  const kinds = options.values.get('t')
  if (kinds) rows = rows.filter(({ type }) => kinds.includes(type))
  const without = options.values.get('x')
  if (without) rows = rows.filter(({ type }) => !without.includes(type))
  const unit = flags.has('m') ? 1024 ** 2 : 1024
  const size = (bytes: number) => (flags.has('h') || flags.has('H') ? scaled(bytes) : String(Math.ceil(bytes / unit)))
  const readable = flags.has('h') || flags.has('H')
  const titles = flags.has('i')
    ? ['Inodes', 'IUsed', 'IFree', 'IUse%']
    : readable
      ? ['Size', 'Used', 'Avail', 'Use%']
      : [flags.has('m') ? '1M-blocks' : '1K-blocks', 'Used', 'Available', 'Use%']
  const cells = rows.map(({ source, type, path, total, used, inodes }) => {
    const [all, taken] = flags.has('i') ? [inodes.total, inodes.used] : [total, used]
    const shown = flags.has('i') ? (readable ? scaled : String) : size
    const share = all === 0 ? '-' : `${Math.ceil((taken / all) * 100)}%`
    return [source, ...(flags.has('T') ? [type] : []), shown(all), shown(taken), shown(Math.max(0, all - taken)), share, path]
  })
  const head = ['Filesystem', ...(flags.has('T') ? ['Type'] : []), ...titles, 'Mounted on']
  const left = flags.has('T') ? 2 : 1
  const least = [14, ...(flags.has('T') ? [4] : []), 5, 5, 5, 4, 0]
  const widths = head.map((title, index) => Math.max(least[index] ?? 0, title.length, ...cells.map((row) => row[index]?.length ?? 0)))
  const line = (row: string[]) =>
    row
      .map((cell, index) =>
        index === row.length - 1 ? cell : index < left ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0),
      )
      .join(' ')
  await process.print([head, ...cells].map((row) => `${line(row)}\n`).join(''))
  return 0
}

/** util-linux' lsblk: a node's one disk. */
export async function lsblk(process: Process): Promise<number> {
  const total = process.machine.host?.use().disk.total ?? 0
  const size = scaled(total).padStart(5)
  const mounted = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/var']
  const lines = [
    'NAME   MAJ:MIN RM  SIZE RO TYPE MOUNTPOINTS',
    `vda    254:0    0 ${size}  0 disk `,
    ...mounted.map((path, index) => (index === 0 ? `└─vda1 254:1    0 ${size}  0 part ${path}` : `${' '.repeat(32)}${path}`)),
  ]
  await process.print(lines.map((text) => `${text}\n`).join(''))
  return 0
}

function mountsOf({ machine }: Process): Row[] {
  const use = machine.host?.use()
  const disk = { total: use?.disk.total ?? 0, used: use?.disk.used ?? 0, inodes: use?.inodes ?? { total: 0, used: 0 } }
  const memory = (total: number, path: string, source = 'tmpfs'): Row => {
    const used = machine.fs.mounts.get(path)?.tree.usedBytes ?? 0
    return { source, type: 'tmpfs', path, total, used, inodes: { total: Math.floor(nodeMemory / 8192), used: 1 } }
  }
  const overlay = (path: string): Row => ({ source: 'overlay', type: 'overlay', path, ...disk })
  const cri = machine.host?.cri
  const state = '/run/containerd'
  const ids = (cri?.pods() ?? []).filter(({ ready }) => ready).map(({ id }) => id)
  const containers = (cri?.containers() ?? []).filter((each) => each.state === 'running').map(({ id }) => id)
  return [
    overlay('/'),
    memory(64 * 1024 ** 2, '/dev'),
    memory(64 * 1024 ** 2, '/dev/shm', 'shm'),
    { source: '/dev/vda1', type: 'ext4', path: '/var', ...disk },
    memory(nodeMemory / 2, '/run'),
    memory(nodeMemory / 2, '/tmp'),
    memory(5 * 1024 ** 2, '/run/lock'),
    ...ids.map((id) => memory(64 * 1024 ** 2, `${state}/io.containerd.grpc.v1.cri/sandboxes/${id}/shm`, 'shm')),
    ...[...ids, ...containers].map((id) => overlay(`${state}/io.containerd.runtime.v2.task/k8s.io/${id}/rootfs`)),
  ]
}

/** 23Gi, 3.0Gi: as free -h. */
function binary(bytes: number): string {
  return inUnits(bytes, ['B', 'Ki', 'Mi', 'Gi', 'Ti'], 1000, Math.floor)
}

/** 252G, 9.5M: as df -h, which rounds up. */
function scaled(bytes: number): string {
  return inUnits(bytes, ['', 'K', 'M', 'G', 'T'], 1024, Math.ceil)
}

/** In the first unit of which there are fewer than `most`; with one decimal where that has one digit. */
function inUnits(bytes: number, units: readonly string[], most: number, round: (value: number) => number): string {
  let value = bytes
  let unit = 0
  while (value >= most && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  const text = unit > 0 && value < 10 ? (round(value * 10) / 10).toFixed(1) : String(round(value))
  return `${text}${units[unit]}`
}
