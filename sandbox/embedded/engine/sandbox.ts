import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type {
  ApiRequest,
  AuditedRequest,
  ExecOptions,
  ExecResult,
  ForkedSandbox,
  ObjectSelector,
  Sandbox,
  SandboxSpec,
  Snapshot,
  TerminalOptions,
  TerminalProcess,
  WatchEvent,
} from '../../engine.ts'
import { Listeners } from '../../listeners.ts'
import { applyManifests } from '../../manifests.ts'
import type { JailKind } from '../../terminal/jail.ts'
import { openToolbox, type Toolbox } from '../../terminal/toolbox.ts'
import type { Text } from '../../text.ts'
import { Doorway, doorOf } from './doorway.ts'
import { NodeTerminal } from './node-terminal.ts'
import type { ProcessPool } from './pool.ts'

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

/** A cluster in one of the engine's processes, and the toolbox in which its learner's shells run. */
export class EmbeddedSandbox implements Sandbox {
  readonly engine = 'embedded'
  private readonly parts: SandboxParts
  private readonly watches = new Set<Watch>()
  private readonly terminals = new Set<NodeTerminal>()
  private readonly notices = new Listeners<Text>()
  private toolbox: Promise<Toolbox> | null = null
  /** While there is a toolbox: its way to the cluster's addresses. */
  private door: Doorway | undefined
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
    if (this.door) await this.openDoor(this.door)
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
    this.notices.add(listener, signal)
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
    for (const socket of [this.parts.socket, doorOf(this.parts.socket)]) await rm(socket, { force: true })
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
    if (jail !== 'none' && !this.door) {
      this.door = new Doorway(pool, doorOf(socket))
      await this.openDoor(this.door)
    }
    return openToolbox({
      home: join(folder, 'home'),
      tools,
      apiSocket: socket,
      jail,
      ...(this.door && { surroundings: this.door }),
      kubeconfig: (server) => pool.call('kubeconfig', this.id, server, null),
      onNotice: (notice) => this.notices.tell(notice),
    })
  }

  private async openDoor({ number, socket }: Doorway): Promise<void> {
    await rm(socket, { force: true })
    await this.parts.pool.call('openDoor', this.id, number, socket)
  }

  private async closeToolbox(): Promise<void> {
    const closing = this.toolbox
    this.toolbox = null
    const open = await closing?.catch(() => null)
    await open?.[Symbol.asyncDispose]()
    this.door?.[Symbol.dispose]()
    this.door = undefined
  }
}

/** The same chance for the same sandbox, also after a restart. */
function seedOf(id: string): number {
  let seed = 2166136261
  for (const char of id) seed = Math.imul(seed ^ char.charCodeAt(0), 16777619)
  return seed >>> 0
}
