import type { ClusterContext } from '../machinery/context.ts'
import { randomHex } from '../machinery/random.ts'
import type { NodeHost } from '../node/host.ts'
import type { ResolvedImage } from './images.ts'
import { capabilitiesOf } from './kernel/capabilities.ts'
import { Cpu } from './kernel/cpu.ts'
import { Machine, type OutOfMemory } from './kernel/machine.ts'
import { NullFile, type OpenFile, SinkFile } from './kernel/open-file.ts'
import type { PidNamespace } from './kernel/pid-namespace.ts'
import { Pipe } from './kernel/pipe.ts'
import type { ExitStatus, Process as KernelProcess, Program } from './kernel/process.ts'
import { type SignalName, signalByName } from './kernel/signals.ts'
import { Terminal } from './kernel/terminal.ts'
import { Log } from './log.ts'
import { makeMountPoint, memoryVolumes, systemMounts, volumeMount } from './mounts.ts'
import { programs } from './programs/table.ts'
import type { Container, ContainerExit, ContainerSpec, DiskUse, LogLine, Process, Signal } from './runtime.ts'
import { ContainerError } from './runtime.ts'
import type { ComponentName } from './servers/control-plane.ts'
import { Session } from './session.ts'
import { type Change, changesOf, replay } from './vfs/diff.ts'
import { Errno } from './vfs/errno.ts'
import { FileSystem } from './vfs/file-system.ts'
import { contentOf, directory } from './vfs/node.ts'
import { KernelParameters } from './vfs/sysctl.ts'
import { Tree } from './vfs/tree.ts'

/** What a container's record holds: enough to run it on after a restart, or in a fork. */
export interface ContainerRecord {
  spec: Omit<ContainerSpec, 'network' | 'mounts' | 'logFile'> & {
    mounts: { mountPath: string; subPath?: string; readOnly: boolean; volume: string }[]
    logFile?: { files: string; attempt: number }
  }
  state: Container['state']
  startedAt?: number
  exit?: ContainerExit
  /** What PID 1 runs now (after exec), and what it saved. */
  main?: { argv: string[]; env: [string, string][]; cwd: string; saved: unknown }
  layer: Change[]
}

export interface LocalContainerParts {
  pids: PidNamespace
  image: ResolvedImage
  onDirty: () => void
  /** What PID 1 runs, whatever its command names: a stand-in. */
  main?: Program
  /** Has a part of the control plane run until it is disposed. */
  component?: (name: ComponentName) => Disposable
  /** The node whose own files a tree has. */
  nodeOf?: (files: Tree) => NodeHost | undefined
  restored?: { record: ContainerRecord; log: LogLine[] }
}

/** Bytes a container may write to its own layer. */
const layerLimit = 64 * 1024 * 1024
const sharedMemoryLimit = 64 * 1024 * 1024

/** One container: its file system, its kernel, its main process. Owned by the runtime; `remove` ends it. */
export class LocalContainer implements Container {
  readonly spec: ContainerSpec
  state: Container['state'] = 'created'
  startedAt?: number
  exit?: ContainerExit
  readonly machine: Machine
  readonly layer: Tree
  private readonly ctx: ClusterContext
  private readonly image: ResolvedImage
  private readonly output: Log
  private readonly exitListeners = new Set<(exit: ContainerExit) => void>()
  private readonly outputListeners = new Set<(stream: 'stdout' | 'stderr', data: Uint8Array) => void>()
  private terminal: Terminal | undefined
  private stdin: { pipe: Pipe; writer: OpenFile } | undefined
  private readonly onDirty: () => void
  private readonly main: Program | undefined
  private removed = false
  /** What PID 1 was started as, before any exec. */
  private command: { argv: string[]; env: Map<string, string>; cwd: string } | undefined

  constructor(ctx: ClusterContext, spec: ContainerSpec, { pids, image, onDirty, main, component, nodeOf, restored }: LocalContainerParts) {
    this.ctx = ctx
    this.spec = spec
    this.onDirty = onDirty
    this.image = image
    this.main = main
    const now = () => ctx.clock.now()
    this.output = new Log(now, restored?.log)
    this.layer = new Tree(this.image.root, { limitBytes: layerLimit, shared: true })
    const fs = new FileSystem(
      { path: '/', tree: this.layer, prefix: [], readOnly: spec.readOnlyRootFilesystem ?? false, source: 'overlay', type: 'overlay' },
      now,
    )
    const sharedMemory = new Tree(directory(0o1777), { limitBytes: sharedMemoryLimit, medium: 'memory' })
    this.machine = new Machine({
      clock: ctx.clock,
      random: ctx.random,
      fs,
      network: spec.network,
      cpu: new Cpu(ctx.clock, spec.cpuLimit),
      hostname: spec.hostname,
      parameters: new KernelParameters(spec.sysctls ?? {}, () => this.machine.hostname),
      noNewPrivileges: spec.noNewPrivileges ?? false,
      capabilities: spec.privileged ? undefined : capabilitiesOf(spec.capabilities ?? {}),
      pids,
      memoryLimit: spec.memoryLimit,
      singleProcessOOMKill: spec.singleProcessOOMKill,
      oomScoreAdj: spec.oomScoreAdj,
      memoryTrees: [sharedMemory, ...memoryVolumes(spec)],
      programs,
      component,
      nodeOf,
      report: (where, error) => ctx.report(`container ${spec.podNamespace}/${spec.podName}/${spec.name}: ${where}`, error),
    })
    this.machine.onDirty = onDirty
    const mounted = new Set(spec.mounts.map((mount) => mount.mountPath))
    for (const point of systemMounts(spec, () => this.machine, sharedMemory, now())) if (!mounted.has(point.path)) fs.mount(point)
    if (restored) {
      replay(this.layer, restored.record.layer)
      this.state = restored.record.state
      this.startedAt = restored.record.startedAt
      this.exit = restored.record.exit
      this.machine.resumed = restored.record.main?.saved
    }
    for (const mount of spec.mounts) fs.mount(volumeMount(mount))
    // A mount shows where there is a directory for it.
    if (!restored) for (const point of fs.mounts.values()) makeMountPoint(this.layer, point)
  }

  get log(): Log {
    return this.output
  }

  async start(): Promise<void> {
    if (this.state !== 'created') throw new ContainerError('StartError', `cannot start a container that is ${this.state}`)
    const { config } = this.image
    const command = this.spec.command ?? config.entrypoint
    const args = this.spec.args ?? (this.spec.command ? [] : config.cmd)
    const argv = [...command, ...args]
    if (argv.length === 0) throw new ContainerError('CreateContainerError', 'no command specified')
    const env = this.environment()
    const cwd = this.workingDirectory()
    this.launch(argv, env, cwd)
    this.onDirty()
  }

  /** Runs on after a restart: servers as they were, scripts from the statement where they stood, with the files they had. */
  resume(record: ContainerRecord): void {
    if (record.state !== 'running' || !record.main) return
    this.state = 'created'
    const { startedAt } = this
    try {
      this.launch(record.main.argv, new Map(record.main.env), record.main.cwd)
      this.startedAt = startedAt
    } catch (error) {
      if (!(error instanceof ContainerError)) throw error
      this.ctx.report(`container ${this.spec.podNamespace}/${this.spec.podName}/${this.spec.name}: resume`, error)
      this.ended({ code: 128 })
    }
  }

  signal(signal: Signal): void {
    const name = signalByName(signal) as SignalName
    this.machine.init?.kill(name, 'outside')
  }

  onExit(listener: (exit: ContainerExit) => void): Disposable {
    if (this.exit) listener(this.exit)
    else this.exitListeners.add(listener)
    return { [Symbol.dispose]: () => this.exitListeners.delete(listener) }
  }

  onOutOfMemory(listener: (report: OutOfMemory) => void): Disposable {
    this.machine.onOutOfMemory = listener
    return {
      [Symbol.dispose]: () => {
        if (this.machine.onOutOfMemory === listener) this.machine.onOutOfMemory = () => {}
      },
    }
  }

  async exec(argv: readonly string[], options: { tty: boolean; stdin: boolean; cols?: number; rows?: number }): Promise<Process> {
    if (this.state !== 'running') throw new ContainerError('ExecError', `container is not running: ${this.spec.id}`, 126)
    const session = new Session(options)
    const files = session.files()
    const process = this.machine.create({
      argv,
      env: this.environment(),
      cwd: this.workingDirectory(),
      ...this.identity(),
      umask: 0o022,
      parent: undefined,
      files,
      terminal: undefined,
    })
    session.attach(this.machine, process)
    if (options.tty) process.env.set('TERM', 'xterm')
    const changes = this.layer.changes
    try {
      this.run(process, argv, 'exec')
    } catch (error) {
      process.end({ code: 126 })
      throw error
    }
    process.onEnd(() => {
      if (this.layer.changes !== changes) this.onDirty()
    })
    return session.process
  }

  attach(): Process {
    const { terminal, stdin } = this
    return {
      write: (data) => (terminal ? terminal.type(data) : stdin?.pipe.feed(data)),
      closeStdin: () => {
        this.stdin?.writer.release()
        this.stdin = undefined
      },
      resize: (cols, rows) => terminal?.resize(cols, rows),
      onOutput: (listener) => {
        this.outputListeners.add(listener)
        return { [Symbol.dispose]: () => this.outputListeners.delete(listener) }
      },
      exited: new Promise((resolve) => void this.onExit((exit) => resolve({ exitCode: exit.exitCode }))),
      kill: (signal) => this.signal(signal),
    }
  }

  readFile(path: string): Uint8Array | undefined {
    const node = this.machine.fs.find(path, { uid: 0, gid: 0, umask: 0, cwd: '/', process: this.machine.init })
    return node?.type === 'file' ? contentOf(node, this.machine.init).slice() : undefined
  }

  usage(): { memoryBytes: number; cpuNanoCores: number; cpuNanoSeconds: number } {
    const { memoryBytes, cpu } = this.machine
    return { memoryBytes, cpuNanoCores: cpu.usage(), cpuNanoSeconds: cpu.total }
  }

  disk(): DiskUse {
    return { bytes: this.layer.usedBytes + this.output.size, inodes: this.layer.usedInodes + 1 }
  }

  setLimits({ memoryLimit, cpuLimit }: { memoryLimit?: number; cpuLimit?: number }): void {
    this.spec.memoryLimit = memoryLimit
    this.spec.cpuLimit = cpuLimit
    this.machine.memoryLimit = memoryLimit
    this.machine.cpu.setLimit(cpuLimit)
    this.onDirty()
  }

  remove(): void {
    this.removed = true
    this.machine.killAll()
    this.exitListeners.clear()
    this.outputListeners.clear()
  }

  /** Ends its processes without a word to anybody: the platform stops, the records keep it as running. */
  suspend(): void {
    this.removed = true
    this.machine.killAll()
  }

  record(): ContainerRecord {
    const { network: _network, mounts, logFile, ...spec } = this.spec
    const { init } = this.machine
    const running = init !== undefined && !init.ended
    // Programs that went into the background come back only with what has started them: the command from its beginning.
    const again = running && this.machine.hasDaemons ? this.command : undefined
    const main = running ? (again ?? init) : undefined
    const { saved } = this.machine
    const state = again ? undefined : typeof saved === 'function' ? saved() : saved
    return {
      spec: {
        ...spec,
        mounts: mounts.map(({ volume, ...mount }) => ({ ...mount, volume: volume.key })),
        ...(logFile && { logFile: { files: logFile.files.key, attempt: logFile.attempt } }),
      },
      state: this.state,
      startedAt: this.startedAt,
      exit: this.exit,
      main: main && { argv: [...main.argv], env: [...main.env], cwd: main.cwd, saved: state },
      layer: changesOf(this.layer),
    }
  }

  onLogged(listener: () => void): void {
    this.output.onLine(listener)
    this.output.onNewGeneration = listener
  }

  /** Whether its record is only right when it is made: the main program tells its state when asked. */
  get tellsState(): boolean {
    return this.state === 'running' && typeof this.machine.saved === 'function'
  }

  private launch(argv: string[], env: Map<string, string>, cwd: string): void {
    this.command = { argv: [...argv], env: new Map(env), cwd }
    const files = this.mainFiles()
    const process = this.machine.create({
      argv,
      env,
      cwd,
      ...this.identity(),
      umask: 0o022,
      parent: undefined,
      files,
      terminal: this.terminal,
    })
    if (this.terminal) this.terminal.foreground = process.pgid
    process.onEnd((status) => this.ended(status))
    try {
      this.state = 'running'
      this.startedAt = this.ctx.clock.now()
      this.run(process, argv, 'start')
    } catch (error) {
      if (error instanceof ContainerError) {
        this.state = 'exited'
        this.exit = { exitCode: error.exitCode, reason: error.reason, finishedAt: this.ctx.clock.now() }
        this.removed = true
        process.end({ code: error.exitCode })
        this.removed = false
        this.onDirty()
      }
      throw error
    }
  }

  /** Resolves a command as runc does and sets it going. Throws ContainerError in runc's words. */
  private run(process: KernelProcess, argv: readonly string[], how: 'start' | 'exec'): void {
    if (this.main && how === 'start') {
      this.machine.prepare(process, { program: this.main }, argv)
      void this.machine.run(process, this.main.run)
      return
    }
    const name = argv[0] ?? ''
    let target: ReturnType<Machine['resolve']>
    try {
      target = this.machine.resolve(name, process)
    } catch (error) {
      if (!(error instanceof Errno)) throw error
      throw commandError(name, error, how, this.ctx)
    }
    const full = [...(target.argv.length > 1 ? target.argv : [name]), ...argv.slice(1)]
    try {
      this.machine.prepare(process, target, full)
    } catch (error) {
      if (process.ended) return
      throw error
    }
    void this.machine.run(process, target.program.run)
  }

  private ended(status: ExitStatus): void {
    if (this.removed) return
    this.output.end()
    this.state = 'exited'
    this.exit = {
      exitCode: status.code,
      ...(status.signal === undefined ? {} : { signal: signalOf(status.signal) }),
      reason: this.machine.oomKilled ? 'OOMKilled' : status.code === 0 ? 'Completed' : 'Error',
      finishedAt: this.ctx.clock.now(),
    }
    this.onDirty()
    for (const listener of [...this.exitListeners]) listener(this.exit)
    this.exitListeners.clear()
  }

  private mainFiles(): Map<number, OpenFile> {
    const emit = (stream: 'stdout' | 'stderr', data: Uint8Array) => {
      this.output.write(stream, data)
      for (const listener of [...this.outputListeners]) listener(stream, data)
    }
    if (this.spec.tty) {
      const terminal = new Terminal(
        { cols: 80, rows: 24 },
        (data) => emit('stdout', data),
        (pgid, signal) => void this.machine.killGroup(pgid, signal),
      )
      this.terminal = terminal
      const open = terminal.open()
      return new Map([
        [0, open],
        [1, open],
        [2, open],
      ])
    }
    let stdin: OpenFile = new NullFile()
    if (this.spec.stdin) {
      const pipe = new Pipe()
      stdin = pipe.reader()
      this.stdin = { pipe, writer: pipe.writer().retain() }
    }
    return new Map([
      [0, stdin],
      [1, new SinkFile((data) => emit('stdout', data))],
      [2, new SinkFile((data) => emit('stderr', data))],
    ])
  }

  private environment(): Map<string, string> {
    const env = new Map(Object.entries(this.image.config.env))
    env.set('HOSTNAME', this.spec.hostname)
    for (const { name, value } of this.spec.env) env.set(name, value)
    if (this.spec.tty) env.set('TERM', env.get('TERM') ?? 'xterm')
    if (!env.has('HOME')) env.set('HOME', this.homeDirectory())
    return env
  }

  private homeDirectory(): string {
    return this.user(this.spec.user ?? this.image.config.user)?.home ?? '/'
  }

  /** Who its processes are, as containerd works it out of the spec and the image's /etc/passwd and /etc/group. */
  private identity(): { uid: number; gid: number; groups: number[] } {
    const { group, supplementalGroups = [], strictGroups } = this.spec
    const uid = this.spec.user ?? this.image.config.user
    const known = this.user(uid)
    const gid = group ?? known?.gid ?? (this.spec.user === undefined ? uid : 0)
    const member = (row: string[]) => known !== undefined && (row[3] ?? '').split(',').includes(known.name)
    const ofImage = strictGroups
      ? []
      : this.table('/etc/group')
          .filter(member)
          .map((row) => Number(row[2]))
    return { uid, gid, groups: [...new Set([gid, ...supplementalGroups, ...ofImage])].sort((a, b) => a - b) }
  }

  private user(uid: number): { name: string; gid: number; home: string } | undefined {
    const row = this.table('/etc/passwd').find((fields) => fields[2] === String(uid))
    return row && { name: row[0] ?? '', gid: Number(row[3]), home: row[5] ?? '/' }
  }

  private table(path: string): string[][] {
    const content = this.readFile(path)
    return content
      ? new TextDecoder()
          .decode(content)
          .split('\n')
          .map((line) => line.split(':'))
      : []
  }

  private workingDirectory(): string {
    const path = this.spec.workingDir ?? this.image.config.workingDir
    const who = { uid: 0, gid: 0, umask: 0o022, cwd: '/' }
    const node = this.machine.fs.find(path, who)
    if (!node) {
      try {
        this.machine.fs.mkdirs(path, who, 0o755)
      } catch (error) {
        if (!(error instanceof Errno)) throw error
        throw new ContainerError('StartError', `${startPrefix}error during container init: mkdir ${path}: ${error.message.toLowerCase()}`)
      }
    } else if (node.type !== 'dir')
      throw new ContainerError('StartError', `${startPrefix}error during container init: mkdir ${path}: not a directory`)
    return path
  }
}

const startPrefix =
  'failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: '

function commandError(name: string, error: Errno, how: 'start' | 'exec', ctx: ClusterContext): ContainerError {
  const cause =
    error.code === 'ENOENT' && !name.includes('/')
      ? 'executable file not found in $PATH'
      : error.code === 'ENOENT'
        ? `stat ${name}: no such file or directory`
        : error.message.toLowerCase()
  if (how === 'start') return new ContainerError('StartError', `${startPrefix}exec: "${name}": ${cause}`, 128)
  const id = randomHex(ctx.random, 64)
  return new ContainerError(
    'ExecError',
    `failed to exec in container: failed to start exec "${id}": OCI runtime exec failed: exec failed: unable to start container process: exec: "${name}": ${cause}`,
    error.code === 'ENOENT' ? 127 : 126,
  )
}

function signalOf(name: SignalName): Signal | undefined {
  const signal = `SIG${name}`
  return (['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCHLD'] as const).find((each) => each === signal)
}
