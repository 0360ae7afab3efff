import type { NodeNamespaces, PodNetwork } from '../../network/network.ts'
import { netnsOf, StackError } from '../../network/stack.ts'
import type { NodeHost, NodeProcess } from '../../node/host.ts'
import type { Machine } from '../kernel/machine.ts'
import type { Process } from '../kernel/process.ts'
import type { SignalName } from '../kernel/signals.ts'
import { Errno } from '../vfs/errno.ts'
import { mayTrace } from '../vfs/proc.ts'
import { KernelParameters } from '../vfs/sysctl.ts'
import { hasCoreutils } from './usage.ts'

type Kind = 'net' | 'mnt' | 'uts' | 'pid' | 'ipc' | 'cgroup' | 'user' | 'time'

const letters: Record<string, Kind> = { n: 'net', m: 'mnt', u: 'uts', p: 'pid', i: 'ipc', C: 'cgroup', U: 'user', T: 'time' }
const words: Record<string, Kind> = {
  net: 'net',
  mount: 'mnt',
  uts: 'uts',
  pid: 'pid',
  ipc: 'ipc',
  cgroup: 'cgroup',
  user: 'user',
  time: 'time',
}
const everything: Kind[] = ['net', 'mnt', 'uts', 'pid', 'ipc', 'cgroup']

/** util-linux' nsenter: runs a command, or root's shell, in namespaces of another process or of a file. */
export async function nsenter(process: Process): Promise<number> {
  const wanted = new Map<Kind, string | undefined>()
  let target: string | undefined
  const args = [...process.args]
  while (args[0]?.startsWith('-')) {
    const arg = args.shift() as string
    if (arg === '--') break
    const [, long, value] = /^--([a-z-]+)(?:=(.*))?$/.exec(arg) ?? []
    if (long === 'target') target = value ?? args.shift()
    else if (long === 'all') for (const kind of everything) wanted.set(kind, wanted.get(kind))
    else if (long !== undefined && long in words) wanted.set(words[long] as Kind, value)
    else if (long !== undefined && !/^(?:no-fork|preserve-credentials|setuid|setgid|root|wd|wdns|follow-context)$/.test(long)) {
      await process.complain(`nsenter: unrecognized option '${arg}'\nTry 'nsenter --help' for more information.\n`)
      return 1
    }
    if (long !== undefined) continue
    for (let at = 1; at < arg.length; at++) {
      const letter = arg[at] as string
      if (letter === 't') {
        target = arg.slice(at + 1) || args.shift()
        break
      }
      if (letter === 'a') for (const kind of everything) wanted.set(kind, wanted.get(kind))
      else if (letter in letters) {
        const file = arg.slice(at + 1)
        if (file.startsWith('/') || file.startsWith('=')) {
          wanted.set(letters[letter] as Kind, file.replace(/^=/, ''))
          break
        }
        wanted.set(letters[letter] as Kind, undefined)
      } else if (!/[FrwSG]/.test(letter)) {
        await process.complain(`nsenter: invalid option -- '${letter}'\nTry 'nsenter --help' for more information.\n`)
        return 1
      }
    }
  }
  if (target !== undefined && !/^\d+$/.test(target)) return await process.fail(`failed to parse pid: '${target}'`)
  const known = target === undefined ? undefined : found(process, Number(target))
  const [lacking] = [...wanted].find(([, file]) => file === undefined && target === undefined) ?? []
  if (lacking !== undefined) return await process.fail(`neither filename nor target pid supplied for ns/${lacking}`)
  const [first] = wanted.keys()
  if (target !== undefined && known === undefined)
    return await process.fail(`cannot open /proc/${target}/ns/${first ?? 'user'}: No such file or directory`)
  const refused = target === undefined ? undefined : refusal(process, Number(target), [...wanted.keys()])
  if (refused !== undefined) return await process.fail(refused)
  let machine = process.machine
  const away = machine.host === undefined ? machine.pids.node?.() : undefined
  for (const [kind, file] of wanted) {
    const from = file === undefined ? known : byFile(process, file)
    if (from === undefined) return await process.fail(`cannot open ${file}: No such file or directory`)
    if (from !== 'node') machine = entered(machine, kind, from)
    else if (away) machine = enteredNode(machine, kind, away)
  }
  return await runIn(process, machine, args.length > 0 ? args : [away ? (process.env.get('SHELL') ?? '/bin/sh') : '/bin/bash'], {
    missing: (name, why) => [`nsenter: failed to execute ${name}: ${why}\n`, why === 'No such file or directory' ? 127 : 126],
    home: wanted.has('mnt') ? '/' : process.cwd,
  })
}

/** Why one may not enter a process' namespaces, in busybox' words or util-linux'; the kinds are opened in this order by both. */
function refusal(process: Process, pid: number, kinds: readonly Kind[]): string | undefined {
  const [kind] = (['user', 'cgroup', 'ipc', 'uts', 'net', 'pid', 'mnt', 'time'] as const).filter((each) => kinds.includes(each))
  if (kind === undefined) return undefined
  const full = hasCoreutils(process)
  const { machine } = process
  const own = machine.pids.processes.get(pid)
  if (!own && !mayTrace(process, machine.others.find((each) => each.pid === pid)?.process)) {
    const path = `/proc/${pid}/ns/${kind}`
    return full ? `cannot open ${path}: Permission denied` : `can't open '${path}': Permission denied`
  }
  if (process.may('SYS_ADMIN')) return undefined
  if (full) return `reassociate to namespace 'ns/${kind}' failed: Operation not permitted`
  return `setns(): can't reassociate to namespace '${kind}': Operation not permitted`
}

/** The node's own namespaces, from a container that sees its processes. */
function enteredNode(machine: Machine, kind: Kind, host: NodeHost): Machine {
  if (kind === 'net') {
    const parameters = new KernelParameters({}, () => machine.hostname, host.network.node?.stack)
    return machine.entering({ network: host.network, parameters })
  }
  if (kind === 'uts') return machine.entering({ hostname: host.name })
  return kind === 'mnt' ? machine.overFilesOf(host) : machine
}

/** A process whose namespaces can be entered, or a network namespace that somebody has made. */
type Place = Pick<NodeProcess, 'network'> & Partial<Pick<NodeProcess, 'container'>>

/** ip netns: the network namespaces of a node by name, those of its pods and those that somebody has made. */
export async function netns(process: Process, args: readonly string[]): Promise<number> {
  const [action = 'list', ...rest] = args
  const say = async (text: string, code = 1) => {
    await process.complain(`${text}\n`)
    return code
  }
  const all = namesOf(process)
  const made = namespacesOf(process)
  const is = (name: string) => name.startsWith(action)
  if (is('list') || action === 'show') {
    const pods = [...all.keys()].map((name, index) => `${name} (id: ${index + 1})\n`).reverse()
    await process.print([...(made?.names() ?? []).map((name) => `${name}\n`), ...pods].join(''))
    return 0
  }
  if (is('identify')) {
    const pid = rest[0] === undefined || rest[0] === 'self' ? process.pid : Number(rest[0])
    if (Number.isNaN(pid)) return await say(`Specified string '${rest[0]}' is not a pid`)
    const there = found(process, pid)
    if (!there) return await say(`Could not stat netns: No such file or directory`)
    const network = there === 'node' ? (rest[0] === undefined || pid === process.pid ? process.machine.network : undefined) : there.network
    const [name = network?.made?.name ?? ''] = [...all].find(([, each]) => each.network === network) ?? []
    await process.print(`${name}\n`)
    return 0
  }
  if (is('pids')) {
    if (rest[0] === undefined) return await say('No netns name specified')
    const there = all.get(rest[0]) ?? madePlace(process, rest[0])
    if (!there) return await say(`Cannot open network namespace: No such file or directory`)
    const inside = process.machine.others.filter(({ network }) => network === there.network) ?? []
    const entered = [...process.machine.pids.processes.values()].filter(({ machine }) => machine.network === there.network)
    await process.print([...inside, ...entered].map(({ pid }) => `${pid}\n`).join(''))
    return 0
  }
  if (is('exec')) {
    const [name, ...command] = rest
    if (name === undefined) return await say('No netns name specified')
    const there = all.get(name) ?? madePlace(process, name)
    if (!there) return await say(`Cannot open network namespace "${name}": No such file or directory`, 255)
    if (command.length === 0) return await say('No command specified')
    const missing = (program: string, why: string): [string, number] => [`exec of "${program}" failed: ${why}\n`, 1]
    return await runIn(process, entered(process.machine, 'net', there), command, { missing, home: process.cwd })
  }
  if (is('add') || is('delete')) {
    const [name] = rest
    if (name === undefined) return await say('No netns name specified')
    if (!/^[^/\s]+$/.test(name) || name.startsWith('.')) return await say(`Invalid netns name "${name}"`)
    if (all.has(name)) {
      if (is('add')) return await say(`Cannot create namespace file "/run/netns/${name}": File exists`)
      return await say(`Cannot remove namespace file "/run/netns/${name}": Device or resource busy`)
    }
    if (is('add')) made?.add(name)
    else made?.delete(name)
    return 0
  }
  if (is('set') || is('attach') || is('monitor')) throw new StackError('EOPNOTSUPP', 'RTNETLINK answers: Operation not supported')
  return await say(`Command "${action}" is unknown, try "ip netns help".`)
}

/** What /run/netns has: a name for each pod's network namespace, those first that are oldest. */
function namesOf({ machine }: Process): Map<string, NodeProcess> {
  const names = new Map<string, NodeProcess>()
  for (const each of machine.others) {
    const name = each.pod && each.network ? netnsOf(each.pod.uid) : undefined
    if (name !== undefined && !names.has(name)) names.set(name, each)
  }
  return names
}

/** A process by its number; those of the node's own namespaces are all alike. */
function found(process: Process, pid: number): NodeProcess | 'node' | undefined {
  const other = process.machine.others.find((each) => each.pid === pid)
  if (other) return other.pod ? other : 'node'
  return process.machine.pids.processes.has(pid) ? 'node' : undefined
}

/** What `ip netns` makes and removes, as seen from a node or from one of its namespaces. */
export function namespacesOf({ machine: { network } }: Process): NodeNamespaces | undefined {
  return (network.node ?? network.made?.node)?.namespaces
}

function madePlace(process: Process, name: string): Place | undefined {
  const network = namespacesOf(process)?.open(name)
  return network && { network }
}

function byFile(process: Process, path: string): Place | 'node' | undefined {
  const [, pid] = /^\/proc\/(\d+|self)\/ns\/\w+$/.exec(path) ?? []
  if (pid !== undefined) return pid === 'self' ? 'node' : found(process, Number(pid))
  const [, name = ''] = /^(?:\/var)?\/run\/netns\/([^/]+)$/.exec(path) ?? []
  return namesOf(process).get(name) ?? madePlace(process, name)
}

function entered(machine: Machine, kind: Kind, { network, container }: Place): Machine {
  const inside = container?.container.machine
  if (kind === 'net' && network?.made) {
    return machine.entering({ network, parameters: new KernelParameters({}, () => machine.hostname, network.stack) })
  }
  if (kind === 'net' && network) {
    const kernel = inside?.network === network ? { parameters: inside.parameters } : {}
    return machine.entering({ network: network as PodNetwork, ...kernel })
  }
  if (!inside) return machine
  if (kind === 'mnt') return machine.entering({ fs: inside.fs, host: undefined })
  if (kind === 'uts') return machine.entering({ hostname: inside.hostname })
  if (kind === 'pid') return machine.entering({ pids: inside.pids })
  return machine
}

/** Runs a command as root in another machine, in the foreground of this process. */
export async function runIn(
  process: Process,
  machine: Machine,
  command: readonly string[],
  { missing, home }: { missing(name: string, why: string): [text: string, code: number]; home: string },
): Promise<number> {
  const child = machine.create({
    argv: command,
    env: process.env,
    cwd: home,
    uid: 0,
    gid: 0,
    umask: process.umask,
    parent: process,
    files: process.files,
    terminal: process.terminal,
  })
  child.pgid = machine.pids === process.machine.pids ? process.pgid : child.pid
  const name = command[0] ?? ''
  try {
    const target = machine.resolve(name, child)
    machine.prepare(child, target, [...(target.argv.length > 1 ? target.argv : [name]), ...command.slice(1)])
    process.onEnd(() => child.end({ code: 137, signal: 'KILL' }))
    const { terminal } = process
    const before = terminal && { pids: terminal.pids, foreground: terminal.foreground }
    if (terminal && machine.pids !== process.machine.pids) Object.assign(terminal, { pids: machine.pids, foreground: child.pgid })
    // Ctrl-C is for who runs inside.
    for (const signal of ['INT', 'QUIT'] satisfies SignalName[]) process.trap(signal, 'ignore')
    process.trap('TERM', () => child.kill('TERM', 'outside'))
    void machine.run(child, target.program.run)
    const status = await process.block<{ code: number }>((resolve) => child.onEnd(resolve))
    if (terminal) Object.assign(terminal, before)
    return status.code
  } catch (error) {
    if (!(error instanceof Errno)) throw error
    child.end({ code: 127 })
    const [text, code] = missing(name, error.message)
    await process.complain(text)
    return code
  }
}
