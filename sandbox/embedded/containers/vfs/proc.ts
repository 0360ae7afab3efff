import { cgroupOf } from '../../node/cgroups.ts'
import type { NodeProcess } from '../../node/host.ts'
import { allCapabilities, formatCapabilities } from '../kernel/capabilities.ts'
import { nodeCores } from '../kernel/cpu.ts'
import type { Machine } from '../kernel/machine.ts'
import type { Process } from '../kernel/process.ts'
import type { TreeVolume } from '../volume.ts'
import { descriptor } from './devices.ts'
import { Errno } from './errno.ts'
import { type DirNode, directory, file, generated, type LinkNode, type Node, symlink } from './node.ts'

/** Memory of the node, bytes, as /proc/meminfo shows it. */
export const nodeMemory = 8 * 1024 ** 3

/** /proc of a container: made anew at each look. */
export function proc(machine: () => Machine): DirNode {
  const fixed = new Map<string, Node>()
  fixed.set(
    'meminfo',
    generated(() => meminfo(machine().host?.use().memory.used)),
  )
  fixed.set(
    'cpuinfo',
    generated(() => cpuinfo()),
  )
  fixed.set(
    'uptime',
    generated(
      () =>
        `${((machine().now() - machine().bootedAt) / 1000 + 3600).toFixed(2)} ${((machine().now() - machine().bootedAt) / 1000 + 3000).toFixed(2)}\n`,
    ),
  )
  fixed.set(
    'loadavg',
    generated(() => `0.12 0.10 0.09 1/${machine().pids.processes.size} ${[...machine().pids.processes.keys()].at(-1) ?? 1}\n`),
  )
  fixed.set(
    'version',
    generated(() => 'Linux version 6.12.0-embedded (build@labernetes) (gcc 14.2.0) #1 SMP\n'),
  )
  fixed.set('mounts', symlink('self/mounts'))
  fixed.set(
    'filesystems',
    generated(() => 'nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\toverlay\n\text4\n'),
  )
  const stat = generated(
    () =>
      `cpu  0 0 0 0 0 0 0 0 0 0\n${Array.from({ length: nodeCores }, (_, index) => `cpu${index} 0 0 0 0 0 0 0 0 0 0\n`).join('')}btime ${Math.floor(machine().bootedAt / 1000)}\n`,
  )
  fixed.set('stat', stat)
  const self: LinkNode = { ...symlink(''), follow: (process) => String(process?.pid ?? 1) }
  fixed.set('self', self)
  let parameters: DirNode | undefined
  const root = directory(0o555)
  root.dynamic = (reader) => {
    const viewer = machine()
    const entries = new Map(fixed)
    // hardly anybody looks
    entries.set('sys', (parameters ??= viewer.parameters.folder()))
    for (const each of viewer.others) entries.set(String(each.pid), folderOnNode(each, viewer, reader))
    for (const process of viewer.pids.processes.values()) entries.set(String(process.pid), processFolder(process, viewer))
    return entries
  }
  return root
}

/** What a node sees of a process that is not of its own shells. */
function folderOnNode({ process, ...each }: NodeProcess, viewer: Machine, reader: Process | undefined): DirNode {
  const dir = process
    ? processFolder(process, viewer, each.pid, each.ppid)
    : directory(0o555, { uid: each.uid, gid: each.uid, mtime: each.startedAt })
  const name = each.pid === 1 ? 'systemd' : ((each.argv[0] ?? '').split('/').pop() ?? '')
  const put = (entry: string, content: () => string) => dir.entries.set(entry, generated(content))
  if (!process) {
    put('cmdline', () => `${each.argv.join('\0')}\0`)
    put('comm', () => `${name.slice(0, 15)}\n`)
    put('status', () => `Name:\t${name.slice(0, 15)}\nState:\tS (sleeping)\nTgid:\t${each.pid}\nPid:\t${each.pid}\nPPid:\t${each.ppid}\n`)
  }
  if (each.pod) put('cgroup', () => `0::${cgroupOf(each)}\n`)
  if (!process && viewer.pids.node) {
    const files = viewer.pids.node()?.files as TreeVolume | undefined
    if (files) dir.entries.set('root', files.tree.root)
    dir.entries.set('exe', symlink(each.pid === 1 ? '/usr/lib/systemd/systemd' : (each.argv[0] ?? '')))
    dir.entries.set('cwd', symlink('/'))
    dir.entries.set(
      'environ',
      generated(() => ''),
    )
  }
  dir.entries.set('ns', namespaces(each.pod && each.network ? each.pod.uid : undefined, each.container?.id))
  if (!mayTrace(reader, process)) hide(dir)
  return dir
}

/** Whether one may look into a process (ptrace(2), mode read): root of the node's own programs has every capability. */
export function mayTrace(reader: Process | undefined, process: Process | undefined): boolean {
  if (!reader || reader.may('SYS_PTRACE')) return true
  const held = process ? process.capabilities : allCapabilities
  return reader.uid === (process?.uid ?? 0) && (held & ~reader.capabilities) === 0n
}

function hide(dir: DirNode): void {
  const refuse = () => {
    throw new Errno('EACCES')
  }
  for (const name of ['root', 'cwd', 'exe']) dir.entries.set(name, { ...symlink(''), follow: refuse })
  for (const name of ['fd', 'ns']) dir.entries.set(name, { ...directory(0o500), dynamic: refuse })
  dir.entries.set('environ', { ...file('', 0o400), live: { open: refuse, truncate: refuse, remove: refuse } })
}

/** Links that are alike for those who share a namespace. */
function namespaces(pod: string | undefined, container: string | undefined): DirNode {
  const dir = directory(0o511)
  const numbers: [kind: string, of: string | undefined][] = [
    ['cgroup', undefined],
    ['ipc', pod],
    ['mnt', container ?? pod],
    ['net', pod],
    ['pid', container ?? pod],
    ['user', undefined],
    ['uts', pod],
  ]
  for (const [index, [kind, of]] of numbers.entries()) {
    const spread = [...`${kind}/${of ?? ''}`].reduce((hash, letter) => (hash * 33 + letter.charCodeAt(0)) % 60_000, 7)
    dir.entries.set(kind, symlink(`${kind}:[${of === undefined ? 4026531834 + index : 4026532200 + spread}]`))
  }
  return dir
}

/** @param viewer the container that looks: another one's root is not its own */
function processFolder(process: Process, viewer: Machine, pid = process.pid, ppid = process.ppid): DirNode {
  const { machine } = process
  const dir = directory(0o555, { uid: process.uid, gid: process.gid, mtime: process.startedAt })
  const put = (name: string, content: (reader: Process | undefined) => string) => dir.entries.set(name, generated(content))
  put('cmdline', () => process.title ?? `${process.argv.join('\0')}\0`)
  put('comm', () => `${process.name.slice(0, 15)}\n`)
  put('environ', () => [...process.env].map(([name, value]) => `${name}=${value}\0`).join(''))
  put('cgroup', () => '0::/\n')
  put('oom_score_adj', () => `${machine.oomScoreAdj}\n`)
  put(
    'stat',
    () =>
      `${pid} (${process.name}) S ${ppid} ${process.pgid} ${process.pgid} 0 -1 0 0 0 0 0 ${Math.floor(process.cpuNanoseconds / 1e7)} 0 0 0 20 0 1 0 0 ${process.memoryBytes} ${Math.floor(process.memoryBytes / 4096)}\n`,
  )
  put('status', () => status(process, pid, ppid))
  put(
    'limits',
    () =>
      'Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1048576              1048576              files     \nMax processes             unlimited            unlimited            processes \n',
  )
  put('mounts', () => mounts(machine))
  put('mountinfo', () => mounts(machine))
  dir.entries.set('cwd', symlink(process.cwd))
  dir.entries.set('root', machine === viewer ? symlink('/') : machine.fs.root)
  dir.entries.set('exe', symlink(machine.search(process.name, process) ?? `/bin/${process.name}`))
  const fd = directory(0o500)
  fd.dynamic = () => new Map([...process.files].map(([number, open]) => [String(number), descriptor(open)]))
  dir.entries.set('fd', fd)
  if (machine.host) dir.entries.set('ns', namespaces(undefined, undefined))
  return dir
}

function status(process: Process, pid: number, ppid: number): string {
  const kib = Math.floor(process.memoryBytes / 1024)
  return `Name:\t${process.name.slice(0, 15)}\nUmask:\t${process.umask.toString(8).padStart(4, '0')}\nState:\tS (sleeping)\nTgid:\t${pid}\nPid:\t${pid}\nPPid:\t${ppid}\nUid:\t${process.uid}\t${process.uid}\t${process.uid}\t${process.uid}\nGid:\t${process.gid}\t${process.gid}\t${process.gid}\t${process.gid}\nGroups:\t${process.groups.join(' ')} \nVmSize:\t${kib * 2} kB\nVmRSS:\t${kib} kB\nThreads:\t1\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n${capabilities(process)}NoNewPrivs:\t${process.machine.noNewPrivileges ? 1 : 0}\nSeccomp:\t0\n`
}

function capabilities(process: Process): string {
  const inEffect = formatCapabilities(process.capabilities)
  const most = formatCapabilities(process.machine.capabilities)
  const none = formatCapabilities(0n)
  return `CapInh:\t${none}\nCapPrm:\t${inEffect}\nCapEff:\t${inEffect}\nCapBnd:\t${most}\nCapAmb:\t${none}\n`
}

/** As /proc/mounts, which `mount` and `df` read too. */
export function mounts(machine: Machine): string {
  return [...machine.fs.mounts.values()]
    .map((mount) => `${mount.source} ${mount.path} ${mount.type} ${mount.readOnly ? 'ro' : 'rw'},relatime 0 0\n`)
    .join('')
}

/** @param used bytes that programs hold */
function meminfo(used = nodeMemory * 0.29): string {
  const total = nodeMemory / 1024
  const available = total - Math.floor(used / 1024)
  const cached = Math.floor(Math.min(total * 0.27, available * 0.6))
  const rows: [string, number][] = [
    ['MemTotal', total],
    ['MemFree', available - cached],
    ['MemAvailable', available],
    ['Buffers', 182_044],
    ['Cached', cached],
    ['SwapCached', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Shmem', 12_480],
  ]
  return rows.map(([name, value]) => `${`${name}:`.padEnd(16)}${String(value).padStart(8)} kB\n`).join('')
}

function cpuinfo(): string {
  return Array.from(
    { length: nodeCores },
    (_, index) =>
      `processor\t: ${index}\nvendor_id\t: GenuineIntel\nmodel name\t: Embedded virtual CPU\ncpu MHz\t\t: 2500.000\ncpu cores\t: ${nodeCores}\nflags\t\t: fpu\n\n`,
  ).join('')
}
