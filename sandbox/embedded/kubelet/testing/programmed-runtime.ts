import type { Clock } from '../../clock.ts'
import {
  type Container,
  type ContainerExit,
  type ContainerRuntime,
  type ContainerSpec,
  type Image,
  ImageError,
  type LogLine,
  type Process,
  type Pulled,
  type PullOptions,
  type Signal,
  type Volume,
  type VolumeTraits,
} from '../../containers/runtime.ts'

/** What a test's image does: called when a container starts. */
export interface Program {
  main(container: ProgrammedContainer): void
  exec?(container: ProgrammedContainer, argv: readonly string[]): Promise<number> | number
  onSignal?(container: ProgrammedContainer, signal: Signal): void
}

/** A runtime whose containers do what the test says, on the cluster's clock. */
export class ProgrammedRuntime implements ContainerRuntime {
  readonly created: ProgrammedContainer[] = []
  readonly volumes = new Map<string, MemoryVolume>()
  readonly programs = new Map<string, Program>()
  readonly clock: Clock
  pullTime = 1234
  left: Container[] = []
  private readonly pulled = new Set<string>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  async pull(image: string, { signal }: PullOptions = {}): Promise<Pulled> {
    await this.clock.sleep(this.pullTime, signal)
    if (!this.programs.has(image))
      throw new ImageError('ErrImagePull', `failed to resolve reference "docker.io/library/${image}": not found`)
    this.pulled.add(image)
    return { image: imageOf(image), ms: this.pullTime }
  }

  present(image: string): Image | undefined {
    return this.pulled.has(image) ? imageOf(image) : undefined
  }

  images(): Image[] {
    return [...this.pulled].map(imageOf)
  }

  removeImage(image: string): boolean {
    return this.pulled.delete(image)
  }

  async create(spec: ContainerSpec): Promise<Container> {
    const container = new ProgrammedContainer(this, spec)
    this.created.push(container)
    return container
  }

  volume(key: string, traits: VolumeTraits = {}): MemoryVolume {
    const volume = this.volumes.get(key) ?? new MemoryVolume(key)
    if (traits.image) for (const plugin of ['ptp', 'host-local']) volume.write(`opt/cni/bin/${plugin}`, Buffer.from('cni-plugin'))
    this.volumes.set(key, volume)
    return volume
  }

  removeVolume(key: string): void {
    this.volumes.delete(key)
  }

  restored(): readonly Container[] {
    return this.left
  }

  containers(): readonly Container[] {
    return [...this.left, ...this.created.filter(({ removed }) => !removed)]
  }
}

export class ProgrammedContainer implements Container {
  readonly spec: ContainerSpec
  state: 'created' | 'running' | 'exited' = 'created'
  startedAt?: number
  exit?: ContainerExit
  removed = false
  readonly signals: { signal: Signal; at: number }[] = []
  readonly files = new Map<string, string>()
  readonly lines: LogLine[] = []
  readonly runtime: ProgrammedRuntime
  private readonly exits = new Set<(exit: ContainerExit) => void>()
  private readonly lineListeners = new Set<(line: LogLine) => void>()

  constructor(runtime: ProgrammedRuntime, spec: ContainerSpec) {
    this.runtime = runtime
    this.spec = spec
  }

  readonly log = {
    lines: () => this.lines,
    fileBytes: 0,
    removed: false,
    reopen: () => {},
    putAside: () => {
      this.lines.length = 0
    },
    onLine: (listener: (line: LogLine) => void) => {
      this.lineListeners.add(listener)
      return { [Symbol.dispose]: () => this.lineListeners.delete(listener) }
    },
  }

  get program(): Program {
    return this.runtime.programs.get(this.spec.image) ?? { main: () => {} }
  }

  async start(): Promise<void> {
    this.state = 'running'
    this.startedAt = this.runtime.clock.now()
    this.program.main(this)
  }

  print(text: string): void {
    const line: LogLine = { time: this.runtime.clock.now(), stream: 'stdout', text: `${text}\n` }
    this.lines.push(line)
    for (const listener of this.lineListeners) listener(line)
  }

  end(exitCode: number, reason = exitCode === 0 ? 'Completed' : 'Error'): void {
    if (this.state === 'exited') return
    this.state = 'exited'
    this.exit = { exitCode, reason, finishedAt: this.runtime.clock.now() }
    for (const listener of [...this.exits]) listener(this.exit)
  }

  signal(signal: Signal): void {
    this.signals.push({ signal, at: this.runtime.clock.now() })
    if (signal === 'SIGKILL') this.end(137)
    else if (this.program.onSignal) this.program.onSignal(this, signal)
    else if (signal === 'SIGTERM') this.end(143)
  }

  onExit(listener: (exit: ContainerExit) => void): Disposable {
    this.exits.add(listener)
    return { [Symbol.dispose]: () => this.exits.delete(listener) }
  }

  async exec(argv: readonly string[]): Promise<Process> {
    const exited = Promise.resolve(this.program.exec?.(this, argv) ?? 0).then((exitCode) => ({ exitCode }))
    return { ...silentProcess, exited }
  }

  attach(): Process {
    return { ...silentProcess, exited: new Promise(() => {}) }
  }

  readFile(path: string): Uint8Array | undefined {
    const text = this.files.get(path)
    return text === undefined ? undefined : Buffer.from(text)
  }

  setLimits({ memoryLimit, cpuLimit }: { memoryLimit?: number; cpuLimit?: number }): void {
    Object.assign(this.spec, { memoryLimit, cpuLimit })
  }

  usage() {
    return { memoryBytes: 1024, cpuNanoCores: 1000, cpuNanoSeconds: 5000 }
  }

  disk() {
    return { bytes: 0, inodes: 0 }
  }

  remove(): void {
    this.end(137)
    this.removed = true
  }
}

class MemoryVolume implements Volume {
  readonly key: string
  files = new Map<string, Uint8Array>()
  constructor(key: string) {
    this.key = key
  }

  replace(files: Record<string, { content: Uint8Array }>): void {
    this.files = new Map(Object.entries(files).map(([name, { content }]) => [name, content]))
  }

  read(path: string): Uint8Array | undefined {
    return this.files.get(path)
  }

  write(path: string, content: Uint8Array): void {
    this.files.set(path, content)
  }

  giveToGroup(): void {}

  list(path: string): string[] {
    const prefix = `${path}/`
    return [...this.files.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length))
  }

  kindOf(path: string): 'file' | 'dir' | undefined {
    return this.files.has(path) ? 'file' : path === '' ? 'dir' : undefined
  }

  makeDirectory(): void {}

  usedBytes(): number {
    return 0
  }

  usedInodes(): number {
    return 0
  }

  watch(): Disposable {
    return { [Symbol.dispose]: () => {} }
  }
}

const silentProcess: Omit<Process, 'exited'> = {
  write: () => {},
  closeStdin: () => {},
  resize: () => {},
  onOutput: () => ({ [Symbol.dispose]: () => {} }),
  kill: () => {},
}

function imageOf(name: string): Image {
  return { name: `docker.io/library/${name}`, id: `docker.io/library/${name}@sha256:1`, sizeBytes: 1000 }
}
