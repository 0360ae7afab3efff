import { Stackless } from '../stackless.ts'
import { Errno } from '../vfs/errno.ts'
import type { Credentials } from '../vfs/file-system.ts'
import { sizeOf } from '../vfs/node.ts'
import type { Tree } from '../vfs/tree.ts'
import { type Capabilities, type Capability, hasCapability } from './capabilities.ts'
import type { Meter } from './cpu.ts'
import type { Machine } from './machine.ts'
import { DirectoryFile, type OpenFile, RegularFile } from './open-file.ts'
import { harmless, type SignalName, signalNumbers } from './signals.ts'
import type { Terminal } from './terminal.ts'

/** Runs a program to its end; resolves with its exit code. A rejection other than Killed is a fault of the program. */
export type Run = (process: Process) => Promise<number> | number

export interface Program {
  run: Run
  /** Resident bytes while it runs, as `kubectl top` shows them. */
  memoryBytes?: number
}

/** Unwinds a program whose process has ended. */
export class Killed extends Stackless {
  readonly signal: SignalName | undefined
  constructor(signal: SignalName | undefined) {
    super(signal ? `killed by SIG${signal}` : 'exited')
    this.signal = signal
  }
}

export class TimeoutFault extends Error {
  constructor() {
    super('timed out')
  }
}

export interface ExitStatus {
  code: number
  signal?: SignalName
}

export interface ProcessOptions {
  argv: readonly string[]
  env: Map<string, string>
  cwd: string
  uid: number
  gid: number
  groups?: readonly number[]
  umask: number
  parent: Process | undefined
  files: Map<number, OpenFile>
  terminal: Terminal | undefined
}

export type Disposition = 'ignore' | (() => void)

const encoder = new TextEncoder()
const textPrice = 10
/** Nanoseconds for which a process goes on in one turn of the event loop, and what each step counts for at least. */
const longestTurn = 2_000_000
const leastPrice = 2_000

/** One process of a container: its descriptors, its signals, its share of CPU and memory. */
export class Process {
  readonly machine: Machine
  readonly pid: number
  parent: Process | undefined
  /** The first of its ancestors: 1, or a process that was started from outside (exec). */
  readonly origin: number
  pgid: number
  argv: readonly string[]
  /** What ps shows instead of the arguments, where a program has renamed itself. */
  title: string | undefined
  env: Map<string, string>
  cwd: string
  uid: number
  gid: number
  /** All its groups, gid among them, in order. */
  groups: readonly number[]
  umask: number
  readonly files: Map<number, OpenFile>
  readonly startedAt: number
  readonly meter: Meter = { until: 0, busySince: 0 }
  readonly dispositions = new Map<SignalName, Disposition>()
  readonly children = new Set<Process>()
  terminal: Terminal | undefined
  memoryBytes = 0
  /** Of these, what its program is said to take; the rest it really holds. */
  declaredBytes = 0
  cpuNanoseconds = 0
  status: ExitStatus | undefined
  private unwinding: Killed | undefined
  /** Nanoseconds that were paid for since it last waited for something. */
  private sinceTurn = 0
  private readonly blocked = new Set<(error: Killed) => void>()
  private readonly endings: ((status: ExitStatus) => void)[] = []

  constructor(machine: Machine, pid: number, options: ProcessOptions) {
    this.machine = machine
    this.pid = pid
    this.parent = options.parent
    this.origin = options.parent?.origin ?? pid
    this.pgid = options.parent?.pgid ?? pid
    this.argv = options.argv
    this.env = options.env
    this.cwd = options.cwd
    this.uid = options.uid
    this.gid = options.gid
    this.groups = options.groups ?? [options.gid]
    this.umask = options.umask
    this.terminal = options.terminal
    this.startedAt = machine.clock.now()
    this.files = new Map()
    for (const [fd, open] of options.files) this.files.set(fd, open.retain())
    options.parent?.children.add(this)
  }

  /** What its program is unwound with, once it has ended. */
  private get killed(): Killed | undefined {
    return this.status && (this.unwinding ??= new Killed(this.status.signal))
  }

  get ppid(): number {
    return this.parent?.pid ?? 0
  }

  get name(): string {
    const word = this.argv[0] ?? ''
    return word.slice(word.lastIndexOf('/') + 1)
  }

  get commandLine(): string {
    return this.title ?? this.argv.join(' ')
  }

  get args(): string[] {
    return this.argv.slice(1)
  }

  get fs() {
    return this.machine.fs
  }

  get ended(): boolean {
    return this.status !== undefined
  }

  /** Who acts, for the file system. */
  /** What it may beyond what everybody may. */
  get capabilities(): Capabilities {
    return this.uid === 0 ? this.machine.capabilities : 0n
  }

  may(capability: Capability): boolean {
    return hasCapability(this.capabilities, capability)
  }

  get who(): Credentials {
    return this
  }

  /** /proc/self needs to know who looks. */
  get process(): Process {
    return this
  }

  /** Resolves once the process has ended. */
  wait(): Promise<ExitStatus> {
    if (this.status) return Promise.resolve(this.status)
    return new Promise((resolve) => this.endings.push(resolve))
  }

  onEnd(listener: (status: ExitStatus) => void): void {
    if (this.status) listener(this.status)
    else this.endings.push(listener)
  }

  /** Waits for something that a kill interrupts; `start` returns how to give up waiting. */
  block<T>(start: (resolve: (value: T) => void, reject: (error: unknown) => void) => (() => void) | undefined | void): Promise<T> {
    if (this.killed) return Promise.reject(this.killed)
    return new Promise<T>((resolve, reject) => {
      let cancel: (() => void) | undefined | void
      const interrupt = (error: Killed) => {
        cancel?.()
        reject(error)
      }
      this.blocked.add(interrupt)
      cancel = start(
        (value) => {
          this.blocked.delete(interrupt)
          resolve(value)
        },
        (error) => {
          this.blocked.delete(interrupt)
          reject(error)
        },
      )
    })
  }

  /** A promise of the outside world, given up when the process is killed. */
  until<T>(start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController()
    return this.block<T>((resolve, reject) => {
      start(abort.signal).then(resolve, reject)
      return () => abort.abort(new Killed(undefined))
    })
  }

  sleep(ms: number): Promise<void> {
    return this.block<void>((resolve) => {
      const timer = this.machine.clock.setTimeout(resolve, ms)
      return () => timer.cancel()
    })
  }

  /** Like `until`, given up with a TimeoutFault after ms as well. */
  async within<T>(ms: number, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const abort = new AbortController()
    return this.block<T>((resolve, reject) => {
      const timer = this.machine.after(ms, () => {
        abort.abort(new TimeoutFault())
        reject(new TimeoutFault())
      })
      start(abort.signal)
        .then(resolve, reject)
        .finally(() => timer.cancel())
      return () => {
        timer.cancel()
        abort.abort(new Killed(undefined))
      }
    })
  }

  /**
   * Remembers a program's state across a restart of the platform and in forks; only PID 1's is kept. JSON, or what makes it
   * when it is needed.
   */
  save(state: unknown): void {
    if (this !== this.machine.init) return
    this.machine.saved = state
    this.machine.onDirty()
  }

  /** What `save` kept before the restart, once. */
  resume<T>(): T | undefined {
    if (this !== this.machine.init) return undefined
    const { resumed } = this.machine
    this.machine.resumed = undefined
    this.machine.saved = resumed
    return resumed as T | undefined
  }

  /** Pays for CPU time; what it returns must be awaited when there is something. */
  spend(nanoseconds: number): Promise<void> | undefined {
    if (this.killed) throw this.killed
    const { cpu } = this.machine
    const price = cpu.price(this.meter, nanoseconds)
    this.cpuNanoseconds += price
    const wait = cpu.charge(this.meter, price)
    this.sinceTurn = wait > 0 ? 0 : this.sinceTurn + Math.max(price, leastPrice)
    if (wait > 0) return this.sleep(wait)
    return this.sinceTurn < longestTurn ? undefined : this.turn()
  }

  /** Lets others of this thread go on: what is cheap in the model may still take long here. */
  private turn(): Promise<void> {
    this.sinceTurn = 0
    const { clock } = this.machine
    return this.block<void>((resolve, reject) => {
      clock.during(clock.turn()).then(resolve, reject)
    })
  }

  /** Takes memory (or gives it back, when negative). Past the container's limit everything in it is killed. */
  allocate(bytes: number): void {
    if (this.killed) throw this.killed
    this.memoryBytes += bytes
    if (bytes > 0 && this.machine.overLimit()) {
      this.machine.outOfMemory(this)
      if (this.killed) throw this.killed
    }
  }

  async read(fd: number, max = 65536): Promise<Uint8Array> {
    if (this.killed) throw this.killed
    const open = this.files.get(fd)
    if (!open) throw new Errno('EBADF')
    const data = await open.read(max, this)
    if (this.killed) throw this.killed
    const wait = this.spend(data.length * textPrice)
    if (wait) await wait
    return data
  }

  async write(fd: number, data: Uint8Array | string): Promise<void> {
    if (this.killed) throw this.killed
    const open = this.files.get(fd)
    if (!open) throw new Errno('EBADF')
    const bytes = typeof data === 'string' ? encoder.encode(data) : data
    if (bytes.length === 0) return
    try {
      const writing = open.write(bytes, this)
      if (writing) await writing
    } catch (error) {
      if (error instanceof Errno && error.code === 'EPIPE' && !this.dispositions.has('PIPE')) {
        this.end({ code: 128 + signalNumbers.PIPE, signal: 'PIPE' })
        throw this.killed ?? new Killed('PIPE')
      }
      throw error
    }
    const wait = this.spend(bytes.length * textPrice)
    if (wait) await wait
  }

  print(text: string | Uint8Array): Promise<void> {
    return this.write(1, text)
  }

  async complain(text: string): Promise<void> {
    if (this.files.has(2)) await this.write(2, text)
  }

  /** "name: text" on stderr; returns the exit code, for `return process.fail(...)`. */
  async fail(text: string, code = 1): Promise<number> {
    await this.complain(`${this.name}: ${text}\n`)
    return code
  }

  /** Opens a path, as open(2). */
  open(path: string, mode: 'read' | 'write' | 'append' | 'both', permissions = 0o666): OpenFile {
    const { machine } = this
    if (mode === 'read') {
      const node = this.fs.lookup(path, this.who)
      if (!this.fs.access(node, this.who, 4)) throw new Errno('EACCES')
      if (node.type === 'device') return node.open(this)
      if (node.type === 'dir') return named(new DirectoryFile(), path)
      if (node.type === 'fifo') return named(machine.fifo(node).reader(), path)
      if (node.type !== 'file') throw new Errno('ELOOP')
      return named(new RegularFile(node, undefined, false, machine.now), path)
    }
    const existing = this.fs.find(path, this.who)
    if (existing?.type === 'device') return existing.open(this)
    if (existing?.type === 'fifo') return named(machine.fifo(existing).writer(), path)
    const { node, tree } = this.fs.openForWriting(path, this.who, { truncate: mode === 'write', mode: permissions })
    if (node.type !== 'file') throw new Errno('EISDIR')
    return named(new RegularFile(node, tree as Tree, mode === 'append', machine.now), path)
  }

  /** A file's whole content, as cat reads it. */
  async readWhole(path: string): Promise<Uint8Array> {
    const open = this.open(path, 'read').retain()
    try {
      const chunks: Uint8Array[] = []
      for (;;) {
        const chunk = await open.read(65536, this)
        if (chunk.length === 0) break
        chunks.push(chunk)
        if (chunks.length % 64 === 0) this.allocate(64 * 65536)
      }
      if (chunks.length >= 64) this.allocate(-Math.floor(chunks.length / 64) * 64 * 65536)
      return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)
    } finally {
      open.release()
    }
  }

  setFile(fd: number, open: OpenFile): void {
    open.retain()
    this.files.get(fd)?.release()
    this.files.set(fd, open)
  }

  closeFile(fd: number): void {
    this.files.get(fd)?.release()
    this.files.delete(fd)
  }

  /** What happens on a signal from now on; undefined is the default. */
  trap(signal: SignalName, disposition: Disposition | undefined): void {
    if (disposition) this.dispositions.set(signal, disposition)
    else this.dispositions.delete(signal)
  }

  /** Delivers a signal. PID 1 gets only those it handles, and KILL only from outside of the container. */
  kill(signal: SignalName, from: 'inside' | 'outside' = 'inside'): void {
    if (this.status) return
    if (signal === 'KILL') {
      if (this.pid !== 1 || from === 'outside') this.end({ code: 137, signal })
      return
    }
    const disposition = this.dispositions.get(signal)
    if (disposition === 'ignore') return
    if (disposition) {
      disposition()
      return
    }
    if (this.pid === 1 || harmless.has(signal)) return
    this.end({ code: 128 + signalNumbers[signal], signal })
  }

  /** Ends the process now: descriptors closed, waiters told, the program's own code unwound. */
  end(status: ExitStatus): void {
    if (this.status) return
    this.status = status
    for (const open of this.files.values()) open.release()
    this.files.clear()
    if (this.blocked.size > 0) {
      const blocked = [...this.blocked]
      this.blocked.clear()
      for (const interrupt of blocked) interrupt(this.killed as Killed)
    }
    for (const child of this.children) child.parent = this.machine.init
    this.machine.ended(this)
    const parent = this.parent
    parent?.children.delete(this)
    for (const tell of this.endings.splice(0)) tell(status)
    parent?.kill('CHLD')
  }

  fileSize(path: string): number {
    return sizeOf(this.fs.lookup(path, this.who))
  }
}

function named<T extends OpenFile>(open: T, path: string): T {
  open.path = path
  return open
}
