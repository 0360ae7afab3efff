import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Capabilities, Engine, Progress, Sandbox, SandboxSpec, Snapshot } from '../../engine.ts'
import { findJails, type JailKind } from '../../terminal/jail.ts'
import { joined, Shortage, type Text } from '../../text.ts'
import { ProcessPool } from './pool.ts'
import { EmbeddedSandbox } from './sandbox.ts'

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
