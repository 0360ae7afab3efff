import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type {
  ApiRequest,
  AuditedRequest,
  Capabilities,
  Engine,
  ExecOptions,
  ExecResult,
  ForkedSandbox,
  ObjectSelector,
  Progress,
  Sandbox,
  SandboxSpec,
  Snapshot,
  TerminalOptions,
  TerminalProcess,
  WatchEvent,
} from '../../engine.ts'
import { applyManifests } from '../../manifests.ts'
import { findJails, type JailKind } from '../../terminal/jail.ts'
import { openToolbox, type Toolbox } from '../../terminal/toolbox.ts'
import { joined, Shortage, type Text } from '../../text.ts'
import { NodeTerminal } from './node-terminal.ts'
import { ProcessPool } from './pool.ts'

export interface EmbeddedOptions {
  /** Folder for the sandboxes' state; one folder inside per sandbox. */
  dir: string
  /** kubectl and helm, as prepareTools leaves them. */
  tools: string
  /** Processes that run clusters, at most; one per CPU unless given. */
  processes?: number
  /** Shells without a jail are allowed (only ever for a server on loopback). */
  allowNoJail: boolean
  /** Forces one kind of jail; the best of the machine unless given. */
  jail?: JailKind
  onFault: (fault: string) => void
}

const onLoopback: Text = {
  en: 'Shells without a jail are offered on loopback only.',
  zh: '没有隔离环境的 shell 只在本机回环地址上提供。',
}

/** Bytes that the path of a Unix socket may have (unix(7), sun_path; other systems have 4 fewer). */
const longestSocket = process.platform === 'linux' ? 107 : 103
const socketsFolder = 'labernetes-'

/** The engine that needs nothing but this program: Kubernetes clusters in our own processes. */
export class EmbeddedEngine implements Engine {
  readonly name = 'embedded'
  /** To be raised when a cluster's records (objects aside: logs, volumes, containers, nodes) are no longer read as they were written. */
  readonly storageFormat = 2
  private readonly options: EmbeddedOptions
  private readonly pool: ProcessPool
  private readonly sockets: string
  private readonly sandboxes = new Map<string, EmbeddedSandbox>()
  private readonly jail: JailKind | 'none'
  private readonly noJail: Text | null
  private creating = 0
  /** Those whose toolboxes wait for their turn, in order. */
  private readonly unprepared: EmbeddedSandbox[] = []

  private constructor(options: EmbeddedOptions, sockets: string) {
    this.options = options
    this.sockets = sockets
    const jails = findJails()
    this.noJail = jails.reason
    this.jail = options.jail ?? jails.kinds[0] ?? 'none'
    this.pool = new ProcessPool({ size: options.processes ?? Math.max(1, cpus().length), onFault: options.onFault })
    this.pool.onLost = (id) => {
      const sandbox = this.sandboxes.get(id)
      if (sandbox) void sandbox.bringBack()
    }
  }

  /** Rejects with a Shortage where the folder for temporary files has too long a name for sockets. */
  static async start(options: EmbeddedOptions): Promise<EmbeddedEngine> {
    refuseLongFolder(tmpdir())
    await mkdir(options.dir, { recursive: true, mode: 0o700 })
    const engine = new EmbeddedEngine(options, await mkdtemp(join(tmpdir(), socketsFolder)))
    engine.pool.warm()
    return engine
  }

  async capabilities(): Promise<Capabilities> {
    const terminal = this.jail !== 'none' || this.options.allowNoJail ? true : joined([...(this.noJail ? [this.noJail] : []), onLoopback])
    return {
      api: true,
      pods: true,
      exec: true,
      network: true,
      fork: true,
      'multi-node': true,
      terminal,
      'node-shell': true,
      etcd: { en: 'The embedded engine has no etcd; a kind cluster has.', zh: '内嵌引擎没有 etcd；kind 集群有。' },
      clock: true,
      audit: true,
      cni: true,
      hosts: { en: 'The hosts engine has Linux hosts.', zh: 'Linux 主机由 hosts 引擎提供。' },
    }
  }

  /** Why shells run without a jail, for the log; null when they have one. */
  withoutJail(): string | null {
    return this.jail === 'none' ? (this.noJail?.en ?? null) : null
  }

  async create(spec: SandboxSpec, onProgress: (progress: Progress) => void, signal?: AbortSignal): Promise<Sandbox> {
    const folder = this.folder(spec.id)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const sandbox = this.make(spec)
    this.creating++
    try {
      onProgress({ step: 'cluster', fraction: 0.1 })
      if (spec.homeFiles) await cp(spec.homeFiles, join(folder, 'home'), { recursive: true })
      await sandbox.open()
      if (spec.shape?.cni === 'flannel') await sandbox.installFlannel()
      if (this.creating === 1) void sandbox.prepare()
      else this.unprepared.push(sandbox)
      signal?.throwIfAborted()
      onProgress({ step: 'objects', fraction: 0.6 })
      if (spec.manifests) await sandbox.apply(spec.manifests)
      signal?.throwIfAborted()
      // written last: a folder without it is half a sandbox, which nobody adopts
      const { manifests: _applied, ...kept } = spec
      await writeFile(join(folder, 'draft'), JSON.stringify(kept))
      await rename(join(folder, 'draft'), join(folder, 'spec.json'))
      onProgress({ step: 'ready', fraction: 1 })
      return sandbox
    } catch (error) {
      await this.destroy(spec.id)
      throw error
    } finally {
      if (--this.creating === 0) void this.prepareOthers()
    }
  }

  async adopt(ids: readonly string[]): Promise<Sandbox[]> {
    for (const id of await readdir(this.options.dir)) if (!ids.includes(id)) await this.destroy(id)
    const found: Sandbox[] = []
    for (const id of ids) {
      const text = await readFile(join(this.folder(id), 'spec.json'), 'utf8').catch(() => null)
      if (text === null) continue
      const sandbox = this.make(JSON.parse(text) as SandboxSpec)
      try {
        await sandbox.open()
        found.push(sandbox)
      } catch (error) {
        this.sandboxes.delete(id)
        this.options.onFault(`sandbox ${id} could not be brought back: ${(error as Error).message}`)
      }
    }
    return found
  }

  async destroy(id: string): Promise<void> {
    await this.sandboxes.get(id)?.[Symbol.asyncDispose]()
    await rm(this.folder(id), { recursive: true, force: true })
  }

  /** Opens a snapshot of any engine as a cluster of its own, in memory. */
  async openSnapshot(id: string, snapshot: Snapshot): Promise<Sandbox> {
    const sandbox = this.make({ id, nodes: 1 }, snapshot)
    await mkdir(this.folder(id), { recursive: true, mode: 0o700 })
    try {
      await sandbox.open()
      return sandbox
    } catch (error) {
      await this.destroy(id)
      throw error
    }
  }

  /** Pids of the processes that run clusters, for figures. */
  pids(): number[] {
    return this.pool.pids()
  }

  /** The Unix socket on which a sandbox's API server listens, for figures. */
  apiSocket(id: string): string {
    return join(this.sockets, socketName(id))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.sandboxes.values()].map((sandbox) => sandbox[Symbol.asyncDispose]()))
    await this.pool[Symbol.asyncDispose]()
    await rm(this.sockets, { recursive: true, force: true })
  }

  /** When many come at once, clusters go first and toolboxes follow one by one. */
  private async prepareOthers(): Promise<void> {
    while (this.creating === 0) {
      const sandbox = this.unprepared.shift()
      if (!sandbox) return
      await sandbox.prepare()
    }
  }

  private folder(id: string): string {
    if (!/^[A-Za-z0-9_-]+$/.test(id)) throw new Error(`Not a sandbox's name: ${id}`)
    return join(this.options.dir, id)
  }

  private make(spec: SandboxSpec, snapshot?: Snapshot): EmbeddedSandbox {
    const sandbox = new EmbeddedSandbox({
      spec,
      folder: this.folder(spec.id),
      socket: this.apiSocket(spec.id),
      pool: this.pool,
      tools: this.options.tools,
      jail: this.jail,
      gone: () => this.sandboxes.delete(spec.id),
      onFault: this.options.onFault,
      ...(snapshot ? { snapshot } : {}),
    })
    this.sandboxes.set(spec.id, sandbox)
    return sandbox
  }
}

interface SandboxParts {
  spec: SandboxSpec
  folder: string
  socket: string
  pool: ProcessPool
  tools: string
  jail: JailKind | 'none'
  snapshot?: Snapshot
  gone: () => void
  onFault: (fault: string) => void
}

interface Watch {
  selector: ObjectSelector
  number: number
  known: Map<string, WatchEvent['object']>
}

/** The manifest that kind clusters get too. */
const flannelManifest = join(import.meta.dirname, '../../kind/flannel.yaml')
/** Images are pulled, plugins are copied, leases are made: ms of cluster time. */
const flannelTime = 60_000

class EmbeddedSandbox implements Sandbox {
  readonly engine = 'embedded'
  private readonly parts: SandboxParts
  private readonly watches = new Set<Watch>()
  private readonly terminals = new Set<NodeTerminal>()
  private readonly noticeListeners = new Set<(notice: Text) => void>()
  private toolbox: Promise<Toolbox> | null = null
  private returning: Promise<void> = Promise.resolve()
  private closed = false
  private forks = 0

  constructor(parts: SandboxParts) {
    this.parts = parts
  }

  get id(): string {
    return this.parts.spec.id
  }

  async open(): Promise<void> {
    const { spec, folder, socket, pool, snapshot } = this.parts
    pool.place(spec.id)
    await rm(socket, { force: true })
    await pool.call('open', spec.id, {
      dir: snapshot ? null : join(folder, 'cluster'),
      name: 'labernetes',
      socket,
      nodes: spec.nodes,
      seed: spec.seed ?? seedOf(spec.id),
      rate: spec.clockRate ?? 1,
      ...(spec.shape?.cni && spec.shape.cni !== 'kindnet' ? { cni: 'none' as const } : {}),
      ...(spec.shape?.addons ? { addons: spec.shape.addons } : {}),
      ...(snapshot ? { snapshot } : {}),
    })
  }

  /** After the cluster's process died: opens it in another one and catches the watches up. Never rejects. */
  bringBack(): Promise<void> {
    for (const terminal of this.terminals) terminal.exit(137)
    this.returning = (async () => {
      for (let wait = 100; !this.closed; wait = Math.min(5_000, wait * 2)) {
        try {
          await this.open()
          for (const watch of this.watches) await this.catchUp(watch)
          return
        } catch (error) {
          this.parts.onFault(`sandbox ${this.id} could not be brought back: ${(error as Error).message}`)
          await new Promise((resolve) => setTimeout(resolve, wait))
        }
      }
    })()
    return this.returning
  }

  /** Applies flannel's manifest and skips the minute in which the nodes become ready by it. */
  async installFlannel(): Promise<void> {
    await this.apply(await readFile(flannelManifest, 'utf8'))
    await this.advance(flannelTime)
  }

  async nodes(): Promise<string[]> {
    await this.returning
    return this.parts.pool.call('nodes', this.id)
  }

  /** A node by its own name or by the part that is the same on every engine. */
  private async nodeCalled(name: string): Promise<string> {
    const names = await this.nodes()
    const found = names.find((each) => each === name || each === `labernetes-${name}`)
    if (!found) throw new Error(`There is no node ${name}; the nodes are ${names.join(', ')}`)
    return found
  }

  async kubeconfig(user?: { username: string; groups: string[] }): Promise<string> {
    await this.returning
    return this.parts.pool.call('kubeconfig', this.id, 'https://127.0.0.1:6443', user ?? null)
  }

  onNotice(listener: (notice: Text) => void, signal: AbortSignal): void {
    this.noticeListeners.add(listener)
    signal.addEventListener('abort', () => this.noticeListeners.delete(listener), { once: true })
  }

  async openTerminal(options: TerminalOptions): Promise<TerminalProcess> {
    if (options.node) return this.openNodeTerminal(await this.nodeCalled(options.node), options)
    return (await this.box()).openTerminal(options)
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    if (options.node) {
      const { timeout, stdin } = options
      try {
        const node = await this.nodeCalled(options.node)
        return await this.parts.pool.call('execOnNode', this.id, node, [...argv], {
          ...(timeout && { timeout }),
          ...(stdin !== undefined && { stdin }),
        })
      } catch (error) {
        return { exitCode: 126, stdout: '', stderr: (error as Error).message }
      }
    }
    return (await this.box()).exec(argv, options)
  }

  private async openNodeTerminal(node: string, { cols, rows }: TerminalOptions): Promise<TerminalProcess> {
    const { pool } = this.parts
    const terminal = new NodeTerminal(pool, this.id, () => this.terminals.delete(terminal))
    this.terminals.add(terminal)
    try {
      await pool.call('openTerminal', this.id, terminal.number, node, { cols, rows })
    } catch (error) {
      terminal.exit(126)
      throw error
    }
    return terminal
  }

  async execInPod(
    namespace: string,
    pod: string,
    argv: readonly string[],
    options: { container?: string; timeout?: number } = {},
  ): Promise<ExecResult> {
    await this.returning
    return this.parts.pool.call('exec', this.id, namespace, pod, [...argv], options)
  }

  async api(request: ApiRequest) {
    await this.returning
    return this.parts.pool.call('request', this.id, request)
  }

  apply(manifests: string): Promise<void> {
    return applyManifests((request) => this.api(request), manifests)
  }

  async watch(selector: ObjectSelector, onEvent: (event: WatchEvent) => void, signal: AbortSignal): Promise<void> {
    await this.returning
    const { pool } = this.parts
    const known: Watch['known'] = new Map()
    const watcher = pool.watcher((event) => {
      if (signal.aborted) return
      const { uid } = event.object.metadata
      if (event.type === 'DELETED') known.delete(uid)
      else known.set(uid, event.object)
      onEvent(event)
    })
    const watch: Watch = { selector, number: watcher.number, known }
    this.watches.add(watch)
    signal.addEventListener(
      'abort',
      () => {
        watcher[Symbol.dispose]()
        this.watches.delete(watch)
        if (!this.closed) pool.call('unwatch', this.id, watcher.number).catch(() => undefined) // its process is gone, and the watch with it
      },
      { once: true },
    )
    await pool.call('watch', this.id, watcher.number, selector)
  }

  async snapshot(): Promise<Snapshot> {
    await this.returning
    return this.parts.pool.call('snapshot', this.id)
  }

  async auditLog(): Promise<AuditedRequest[]> {
    await this.returning
    return this.parts.pool.call('auditLog', this.id)
  }

  async fork(): Promise<ForkedSandbox> {
    await this.returning
    const { pool } = this.parts
    const id = `${this.id}.fork-${++this.forks}`
    pool.placeBeside(id, this.id)
    try {
      await pool.call('fork', this.id, id)
    } catch (error) {
      pool.free(id)
      throw error
    }
    return {
      api: (request) => pool.call('request', id, request),
      execInPod: (namespace, pod, argv, options = {}) => pool.call('exec', id, namespace, pod, [...argv], options),
      now: () => pool.call('now', id),
      advance: (ms) => pool.call('advance', id, ms),
      async [Symbol.asyncDispose]() {
        await pool.call('close', id).catch(() => undefined) // its process is gone, and the copy with it
        pool.free(id)
      },
    }
  }

  async pause(): Promise<void> {
    await this.closeToolbox()
    await this.parts.pool.call('close', this.id)
    this.parts.pool.free(this.id)
  }

  async resume(): Promise<void> {
    await this.open()
    for (const watch of this.watches) await this.catchUp(watch)
  }

  async now(): Promise<number> {
    await this.returning
    return this.parts.pool.call('now', this.id)
  }

  async advance(ms: number): Promise<void> {
    await this.returning
    return this.parts.pool.call('advance', this.id, ms)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return
    this.closed = true
    this.watches.clear()
    await this.closeToolbox()
    await this.parts.pool.call('close', this.id).catch(() => undefined) // its process is gone, and the cluster with it
    this.parts.pool.free(this.id)
    await rm(this.parts.socket, { force: true })
    this.parts.gone()
  }

  /** Tells a watch anew under its number; what is not there any more is told as deleted. */
  private async catchUp(watch: Watch): Promise<void> {
    const before = new Map(watch.known)
    watch.known.clear()
    await this.parts.pool.call('watch', this.id, watch.number, watch.selector)
    // not this.now(): that waits for the return that this is part of
    const now = await this.parts.pool.call('now', this.id)
    for (const [uid, object] of before)
      if (!watch.known.has(uid)) this.parts.pool.deliver(watch.number, { type: 'DELETED', object, time: now })
  }

  /** Opens the toolbox ahead of need: it takes longer than the cluster. Never rejects: whoever needs it tries again, and hears why. */
  async prepare(): Promise<void> {
    if (!this.closed) await this.box().catch(() => undefined)
  }

  /** The toolbox, opened when there is none that lives; two who ask at once get the same. */
  private box(): Promise<Toolbox> {
    this.toolbox = this.openBox(this.toolbox)
    return this.toolbox
  }

  private async openBox(before: Promise<Toolbox> | null): Promise<Toolbox> {
    const open = await before?.catch(() => null)
    if (open?.alive()) return open
    if (open) await open[Symbol.asyncDispose]()
    await this.returning
    if (this.closed) throw new Error('The sandbox has ended')
    const { folder, tools, socket, jail, pool } = this.parts
    return openToolbox({
      home: join(folder, 'home'),
      tools,
      apiSocket: socket,
      jail,
      kubeconfig: (server) => pool.call('kubeconfig', this.id, server, null),
      onNotice: (notice) => {
        for (const listener of this.noticeListeners) listener(notice)
      },
    })
  }

  private async closeToolbox(): Promise<void> {
    const closing = this.toolbox
    this.toolbox = null
    const open = await closing?.catch(() => null)
    await open?.[Symbol.asyncDispose]()
  }
}

/** The same chance for the same sandbox, also after a restart. */
function seedOf(id: string): number {
  let seed = 2166136261
  for (const char of id) seed = Math.imul(seed ^ char.charCodeAt(0), 16777619)
  return seed >>> 0
}

function socketName(id: string): string {
  return `${id.slice(-24)}.sock`
}

/** Sockets are not in the data folder, whose name may be as long as it likes. */
function refuseLongFolder(folder: string): void {
  const excess = Buffer.byteLength(join(folder, `${socketsFolder}XXXXXX`, socketName('x'.repeat(24)))) - longestSocket
  if (excess <= 0) return
  throw new Shortage({
    en: `The folder for temporary files (TMPDIR), ${folder}, has too long a name: sockets in it would be ${excess} bytes longer than the ${longestSocket} that the system allows. Set TMPDIR to a shorter one, such as /tmp.`,
    zh: `临时文件夹（TMPDIR）${folder} 的路径太长：其中的套接字路径会比系统允许的 ${longestSocket} 字节多出 ${excess} 字节。请把 TMPDIR 设为更短的路径，例如 /tmp。`,
  })
}
