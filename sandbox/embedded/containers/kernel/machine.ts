import type { Clock, Timer } from '../../clock.ts'
import { PatternTimeout } from '../../machinery/linear-regexp.ts'
import type { PodNetwork } from '../../network/network.ts'
import type { NodeHost, NodeProcess } from '../../node/host.ts'
import type { ComponentName } from '../servers/control-plane.ts'
import { Errno } from '../vfs/errno.ts'
import { FileSystem } from '../vfs/file-system.ts'
import { contentOf, type FifoNode, type Node } from '../vfs/node.ts'
import type { KernelParameters } from '../vfs/sysctl.ts'
import type { Tree } from '../vfs/tree.ts'
import type { TreeVolume } from '../volume.ts'
import { allCapabilities, type Capabilities } from './capabilities.ts'
import type { Cpu } from './cpu.ts'
import type { OpenFile } from './open-file.ts'
import { PidNamespace } from './pid-namespace.ts'
import { Pipe } from './pipe.ts'
import { type ExitStatus, Killed, Process, type ProcessOptions, type Program, type Run } from './process.ts'

export interface MachineOptions {
  clock: Clock
  random: () => number
  fs: FileSystem
  network: PodNetwork
  cpu: Cpu
  hostname: string
  parameters: KernelParameters
  /** As prctl's: a program's set-user-ID bit gives nothing. */
  noNewPrivileges: boolean
  /** What root may at most; all of it where absent. */
  capabilities?: Capabilities
  /** Absent where it has one of its own. */
  pids?: PidNamespace
  memoryLimit: number | undefined
  /** Without memory only the largest process ends, not all. */
  singleProcessOOMKill?: boolean
  oomScoreAdj?: number
  /** Trees whose bytes are memory. */
  memoryTrees: Tree[]
  programs: ReadonlyMap<string, Program>
  /** Has a part of the control plane run until it is disposed; where a container is not of the control plane nothing does. */
  component?: (name: ComponentName) => Disposable
  /** Of the machine under a kubelet, seen by its own shells. */
  host?: NodeHost
  /** The node whose own files a tree has. */
  nodeOf?: (files: Tree) => NodeHost | undefined
  report: (where: string, error: unknown) => void
}

/** What the kernel knows when there is no memory left for a container. */
export interface OutOfMemory {
  /** Who asked for more. */
  invoker: Process
  victim: Process
  /** All that end, the victim first. */
  killed: Process[]
  /** Bytes in use. */
  usage: number
  /** Bytes; absent where it is the node that has no more. */
  limit: number | undefined
}

/** Where a command leads. */
export interface Target {
  program: Program
  /** Its path; an interpreter's with its arguments and the script. */
  argv: string[]
  path: string
  /** The program's own file, for its set-user-ID bits; a script's count for nothing. */
  node?: Node
}

/** What a program file looks like: an ELF header followed by the program's name. */
export const programMark = '\x7fELF\x02\x01\x01\x00'

/** The kernel's side of one container: its processes, and what they share. */
export class Machine {
  readonly clock: Clock
  readonly random: () => number
  readonly fs: FileSystem
  readonly network: PodNetwork
  readonly cpu: Cpu
  hostname: string
  readonly parameters: KernelParameters
  readonly noNewPrivileges: boolean
  readonly capabilities: Capabilities
  memoryLimit: number | undefined
  readonly programs: ReadonlyMap<string, Program>
  /** Its own; those that they see may be more: `pids`. */
  readonly processes = new Map<number, Process>()
  readonly pids: PidNamespace
  readonly bootedAt: number
  /** What PID 1 had saved before a restart of the platform; taken once. */
  resumed: unknown
  /** What PID 1 wants to be kept, or a function that tells. */
  saved: unknown
  /** Processes of the container were killed for its memory. */
  oomKilled = false
  readonly oomScoreAdj: number
  /** Processes that were killed for it. */
  oomKills = 0
  /** Hears of it before they are. */
  onOutOfMemory: (report: OutOfMemory) => void = () => {}
  /** Told of everything worth a checkpoint. */
  onDirty: () => void = () => {}
  init: Process | undefined
  /** Of the machine under a kubelet, seen by its own shells. */
  readonly host: NodeHost | undefined
  readonly component: (name: ComponentName) => Disposable
  private readonly memoryTrees: Tree[]
  private readonly report: MachineOptions['report']
  private readonly options: MachineOptions

  constructor(options: MachineOptions) {
    this.options = options
    this.clock = options.clock
    this.random = options.random
    this.fs = options.fs
    this.network = options.network
    this.cpu = options.cpu
    this.hostname = options.hostname
    this.parameters = options.parameters
    this.noNewPrivileges = options.noNewPrivileges
    this.capabilities = options.capabilities ?? allCapabilities
    this.pids = options.pids ?? new PidNamespace()
    this.memoryLimit = options.memoryLimit
    this.memoryTrees = options.memoryTrees
    this.programs = options.programs
    this.host = options.host
    this.component = options.component ?? (() => ({ [Symbol.dispose]: () => {} }))
    this.report = options.report
    this.oomScoreAdj = options.oomScoreAdj ?? 0
    this.bootedAt = options.clock.now()
  }

  /** The same machine with some namespaces of another: where nsenter runs things. */
  entering(namespaces: Partial<Pick<MachineOptions, 'fs' | 'network' | 'hostname' | 'parameters' | 'pids' | 'host'>>): Machine {
    const { fs, network, hostname, parameters, pids } = this
    const entered = new Machine({ ...this.options, fs, network, hostname, parameters, pids, ...namespaces })
    entered.init = this.init
    return entered
  }

  /** What else is seen here than what has been started here: on a node, and in a container that has the node's namespace. */
  get others(): NodeProcess[] {
    if (this.host) return this.host.processes()
    const all = this.pids.node?.()?.processes() ?? []
    const [oldest] = all
    return oldest ? [{ ...oldest, ...systemd }, ...all] : []
  }

  readonly now = (): number => this.clock.now()

  after(ms: number, callback: () => void): Timer {
    return this.clock.setTimeout(callback, ms)
  }

  /** The same machine with a directory for its root; a node's own files lead to what runs on the node. Throws Errno. */
  rootedAt(path: string, process: Process): Machine {
    const node = this.pids.node?.()
    if (node && this.fs.lookup(path, process.who) === (node.files as TreeVolume).tree.root) return this.overFilesOf(node)
    const fs = this.fs.rootedAt(path, process.who)
    const root = fs.mounts.get('/')
    const host = root && root.prefix.length === 0 ? this.options.nodeOf?.(root.tree) : undefined
    if (!host) return this.entering({ fs })
    return this.withKernelFiles(fs, host)
  }

  /** The same machine over a node's own files. */
  overFilesOf(host: NodeHost): Machine {
    const { tree } = host.files as TreeVolume
    const fs = new FileSystem({ path: '/', tree, prefix: [], readOnly: false, source: 'overlay', type: 'overlay' }, this.now)
    return this.withKernelFiles(fs, host)
  }

  /** What the kernel shows of itself is mounted on a node, too. */
  private withKernelFiles(fs: FileSystem, host: NodeHost): Machine {
    for (const at of ['/proc', '/dev', '/sys']) {
      const shown = this.fs.mounts.get(at)
      if (shown) fs.mount(shown)
    }
    return this.entering({ fs, host })
  }

  /** A new process, not yet running anything. */
  create(options: ProcessOptions): Process {
    if (this.processes.size >= processLimit) throw new Errno('EAGAIN')
    const process = new Process(this, this.pids.take(), options)
    this.init ??= process
    this.processes.set(process.pid, process)
    this.pids.add(process)
    return process
  }

  /** A child with copies of its parent's descriptors and surroundings. */
  fork(parent: Process, argv: readonly string[] = parent.argv): Process {
    const child = this.create({
      argv,
      env: parent.env,
      cwd: parent.cwd,
      uid: parent.uid,
      gid: parent.gid,
      groups: parent.groups,
      umask: parent.umask,
      parent,
      files: parent.files,
      terminal: parent.terminal,
    })
    for (const [signal, disposition] of parent.dispositions) if (disposition === 'ignore') child.dispositions.set(signal, disposition)
    return child
  }

  /** Runs a program in a process and ends the process with what it returns. */
  async run(process: Process, run: Run): Promise<ExitStatus> {
    try {
      const code = await run(process)
      process.end({ code: code & 255 })
    } catch (error) {
      if (!process.ended) {
        if (!(error instanceof Killed || error instanceof Errno || error instanceof PatternTimeout))
          this.report(`program ${process.name}`, error)
        const text = error instanceof Error ? error.message : String(error)
        const tell = error instanceof Killed ? Promise.resolve() : process.complain(`${process.name}: ${text}\n`)
        await tell.catch((reason: unknown) => {
          if (!(reason instanceof Killed || reason instanceof Errno)) this.report(`program ${process.name}`, reason)
        })
        process.end({ code: 1 })
      } else if (!(error instanceof Killed || error instanceof Errno)) this.report(`program ${process.name}`, error)
    }
    return process.status as ExitStatus
  }

  /** Replaces what a process runs, as execve: signals that were handled fall back to their default. */
  prepare(process: Process, { program, node }: Pick<Target, 'program' | 'node'>, argv: readonly string[]): void {
    process.argv = argv
    if (node && !this.noNewPrivileges) {
      if (node.mode & 0o4000) process.uid = node.uid
      if (node.mode & 0o2000) process.gid = node.gid
    }
    // What the program before has saved says nothing to this one.
    if (process === this.init) this.saved = undefined
    for (const [signal, disposition] of process.dispositions) if (disposition !== 'ignore') process.dispositions.delete(signal)
    process.memoryBytes = 0
    process.declaredBytes = program.memoryBytes ?? smallProgram
    process.allocate(process.declaredBytes)
  }

  /**
   * Which program a command name leads to, by PATH when it has no slash. Scripts with #! lead to their interpreter with
   * the arguments in front. Throws Errno ENOENT, EACCES, ENOEXEC (a file that is no program), EISDIR.
   */
  resolve(name: string, process: Process): Target {
    const path = name.includes('/') ? name : this.search(name, process)
    if (!path) throw new Errno('ENOENT')
    return this.load(path, process, 0)
  }

  /** The path that a bare command name has by PATH. */
  search(name: string, process: Process): string | undefined {
    if (name === '') return undefined
    const path = process.env.get('PATH') ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    let forbidden: string | undefined
    for (const folder of path.split(':')) {
      const candidate = `${folder === '' ? '.' : folder.replace(/\/$/, '')}/${name}`
      const node = this.fs.find(candidate, process.who)
      if (node?.type !== 'file') continue
      if (this.fs.access(node, process.who, 1)) return candidate
      forbidden ??= candidate
    }
    return forbidden
  }

  private load(path: string, process: Process, depth: number): Target {
    const node = this.fs.lookup(path, process.who)
    if (node.type === 'dir') throw new Errno('EACCES')
    if (node.type !== 'file' || !this.fs.access(node, process.who, 1)) throw new Errno('EACCES')
    const { buffer, byteOffset, length } = contentOf(node)
    const head = Buffer.from(buffer, byteOffset, Math.min(length, 256)).toString('latin1')
    if (head.startsWith(programMark)) {
      const program = this.programs.get((head.slice(programMark.length).split('\n')[0] ?? '').trim())
      if (!program) throw new Errno('ENOEXEC')
      return { program, argv: [path], path, node }
    }
    const shebang = /^#!\s*(\S+)(?:[ \t]+([^\n]*?))?[ \t]*(?:\n|$)/.exec(head)
    if (!shebang || depth > 3) throw new Errno('ENOEXEC')
    const interpreter = this.load(shebang[1] as string, process, depth + 1)
    return { program: interpreter.program, argv: [...interpreter.argv, ...(shebang[2] ? [shebang[2]] : []), path], path }
  }

  fifo(node: FifoNode): { reader: () => OpenFile; writer: () => OpenFile } {
    if (!node.pipe) node.pipe = new Pipe()
    return node.pipe
  }

  /** Signals every process of a group. */
  killGroup(pgid: number, signal: Parameters<Process['kill']>[0], pids: PidNamespace = this.pids): boolean {
    const members = [...pids.processes.values()].filter((process) => process.pgid === pgid)
    for (const process of members) process.kill(signal)
    return members.length > 0
  }

  /** Whether programs run that PID 1's children have left behind in the background. */
  get hasDaemons(): boolean {
    const { init } = this
    if (!init) return false
    const left = (process: Process) => process.parent === init && process.origin === init.pid && !init.children.has(process)
    return [...this.processes.values()].some(left)
  }

  get memoryBytes(): number {
    let sum = 0
    for (const process of this.processes.values()) sum += process.memoryBytes
    for (const tree of this.memoryTrees) sum += tree.usedBytes
    return sum
  }

  overLimit(): boolean {
    if (this.memoryLimit !== undefined) return this.memoryBytes > this.memoryLimit
    let declared = 0
    for (const process of this.processes.values()) declared += process.declaredBytes
    return this.memoryBytes - declared > hostLimit
  }

  /**
   * The largest process is killed, and with memory.oom.group every process of the container; where that does not make room,
   * since files in memory stay, the next one.
   */
  outOfMemory(invoker: Process): void {
    this.oomKilled = true
    while (this.overLimit()) {
      const all = [...this.processes.values()].sort((one, other) => other.memoryBytes - one.memoryBytes)
      const [victim] = all
      if (!victim) return
      const killed = this.options.singleProcessOOMKill ? [victim] : [victim, ...all.slice(1)]
      this.oomKills += killed.length
      this.onOutOfMemory({ invoker, victim, killed, usage: this.memoryBytes, limit: this.memoryLimit })
      if (this.options.singleProcessOOMKill) victim.end({ code: 137, signal: 'KILL' })
      else this.killAll()
    }
  }

  killAll(): void {
    for (const process of [...this.processes.values()].reverse()) process.end({ code: 137, signal: 'KILL' })
  }

  ended(process: Process): void {
    this.processes.delete(process.pid)
    this.pids.ended(process)
    if (process === this.init) this.killAll()
  }
}

/** A node's first process, which lives as long as it. */
const systemd = { pid: 1, ppid: 0, argv: ['/sbin/init'], memoryBytes: 12 * 1024 * 1024, kill: () => {} }
/** As pids.max. */
const processLimit = 1024
const smallProgram = 600 * 1024
/** What a container without a limit may really take before it counts as out of memory: this process's own is at stake. */
const hostLimit = 96 * 1024 * 1024
