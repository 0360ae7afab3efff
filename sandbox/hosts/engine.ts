import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Capabilities, Engine, Progress, Sandbox, SandboxSpec } from '../engine.ts'
import { claimUid, releaseUid } from '../terminal/holder.ts'
import { Shortage, type Text } from '../text.ts'
import { furnish, type HostPlan, planHosts } from './furniture.ts'
import { findHolder, type Holder, type HolderRecord, startHolder } from './holder.ts'
import { findRequirements, noPlugins, type Requirements } from './requirements.ts'
import { HostsSandbox } from './sandbox.ts'
import { hostsCommand, nodeOf } from './walls.ts'

export interface HostsOptions {
  /** Folder for what is kept of sandboxes while they live; one folder inside per sandbox. */
  dir: string
  onFault: (fault: string) => void
}

/** What outlives the platform, in hosts.json. */
interface Kept {
  spec: SandboxSpec
  uid: number | null
  holder: HolderRecord
}

/** What the hosts are made of, on disk. */
interface Stage extends AsyncDisposable {
  folder: string
}

/**
 * Linux hosts as network namespaces in a user namespace: joined by an underlay, each with its own processes and files, for
 * networks made by hand. They are a state of the kernel and of running processes, so they outlive the platform (a holder keeps
 * them until somebody adopts them, limits.orphanSeconds at most) but not the machine.
 */
export class HostsEngine implements Engine {
  readonly name = 'hosts'
  private readonly options: HostsOptions
  private readonly sandboxes = new Map<string, HostsSandbox>()
  private readonly uids = new Map<string, number>()
  /** By number of hosts. */
  private readonly stages = new Map<number, Promise<Stage>>()
  private requirements: Promise<Requirements> | null = null

  private constructor(options: HostsOptions) {
    this.options = options
  }

  static async start(options: HostsOptions): Promise<HostsEngine> {
    await mkdir(options.dir, { recursive: true, mode: 0o700 })
    return new HostsEngine(options)
  }

  async capabilities(): Promise<Capabilities> {
    const { hosts, network, plugins } = await this.found()
    const none = (what: string, thing = ` ${what}`): Text => ({
      en: `Hosts have no ${what}: there is no Kubernetes on them.`,
      zh: `主机上没有${thing}：上面没有 Kubernetes。`,
    })
    return {
      hosts: hosts ?? true,
      'node-shell': hosts ?? true,
      'multi-node': hosts ?? true,
      terminal: hosts ?? true,
      exec: hosts ?? true,
      network: network ?? true,
      cni: network ?? (plugins === null ? noPlugins : true),
      api: none('Kubernetes API'),
      pods: none('Pods', ' Pod'),
      etcd: none('etcd'),
      fork: { en: 'Hosts cannot be copied while they run.', zh: '主机在运行时不能复制。' },
      clock: { en: 'Hosts keep the time of their machine.', zh: '主机使用所在机器的时间。' },
      audit: none('audit log', '审计日志'),
    }
  }

  async create(spec: SandboxSpec, onProgress: (progress: Progress) => void, signal?: AbortSignal): Promise<Sandbox> {
    const { network, plugins } = await this.found()
    if (network !== null) throw new Shortage(network)
    if (spec.manifests) throw new Error('Hosts have no Kubernetes API to apply manifests to.')
    const folder = this.folder(spec.id)
    const uid = process.getuid?.() === 0 ? claimUid() : null
    if (uid !== null) this.uids.set(spec.id, uid)
    const hosts = planHosts(spec.nodes)
    await using stage = await this.stageFor(spec, hosts, uid, plugins)
    try {
      onProgress({ step: 'hosts', fraction: 0.1 })
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const names = hosts.map(({ name }) => name)
      signal?.throwIfAborted()
      const holder = await startHolder(hostsCommand(stage.folder, uid, names), names, join(folder, 'pulse'), (record) =>
        this.keep(folder, { spec, uid, holder: record }),
      )
      signal?.throwIfAborted()
      onProgress({ step: 'ready', fraction: 1 })
      return this.open(spec.id, uid, holder)
    } catch (error) {
      await this.destroy(spec.id)
      throw error
    }
  }

  async adopt(ids: readonly string[]): Promise<Sandbox[]> {
    const found: Sandbox[] = []
    for (const id of await readdir(this.options.dir)) {
      const kept = await this.recall(id)
      const holder = kept && (await findHolder(kept.holder))
      if (!kept || !holder || !ids.includes(id)) {
        if (kept && ids.includes(id))
          this.options.onFault(`the hosts of ${id} have ended: the machine was started anew, or nobody came back to them in time`)
        await this.destroy(id)
        continue
      }
      if (kept.uid !== null) this.uids.set(id, claimUid(kept.uid))
      found.push(this.open(id, kept.uid, holder))
    }
    return found
  }

  async destroy(id: string): Promise<void> {
    const folder = this.folder(id)
    const open = this.sandboxes.get(id)
    const kept = await this.recall(id)
    await open?.[Symbol.asyncDispose]()
    if (kept) await (await findHolder(kept.holder))?.end()
    await rm(folder, { recursive: true, force: true })
    const uid = this.uids.get(id)
    if (uid !== undefined) releaseUid(uid)
    this.uids.delete(id)
  }

  /** Lets go of the hosts but leaves them as they are, for the next process to adopt. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.sandboxes.values()].map((sandbox) => sandbox[Symbol.asyncDispose]()))
    for (const stage of this.stages.values()) await rm((await stage).folder, { recursive: true, force: true })
  }

  /** All sandboxes of a size share one: each mounts over it in a mount namespace of its own. With files of its own it has its own. */
  private async stageFor(spec: SandboxSpec, hosts: readonly HostPlan[], uid: number | null, plugins: string | null): Promise<Stage> {
    const make = async (homeFiles: string | null): Promise<Stage> => {
      const folder = await mkdtemp(join(tmpdir(), 'hosts-'))
      await chmod(folder, 0o755)
      await furnish(folder, hosts, { node: nodeOf(folder, uid), plugins, homeFiles })
      const remove = homeFiles === null ? async () => undefined : () => rm(folder, { recursive: true, force: true })
      return { folder, [Symbol.asyncDispose]: remove }
    }
    if (spec.homeFiles) return make(spec.homeFiles)
    const stage = this.stages.get(hosts.length) ?? make(null)
    this.stages.set(hosts.length, stage)
    stage.catch(() => this.stages.delete(hosts.length))
    return stage
  }

  private found(): Promise<Requirements> {
    this.requirements ??= findRequirements()
    return this.requirements
  }

  private open(id: string, uid: number | null, holder: Holder): HostsSandbox {
    const sandbox = new HostsSandbox({ id, uid, holder, gone: () => this.sandboxes.delete(id) })
    this.sandboxes.set(id, sandbox)
    return sandbox
  }

  private folder(id: string): string {
    if (!/^[A-Za-z0-9_-]+$/.test(id)) throw new Error(`Not a sandbox's name: ${id}`)
    return join(this.options.dir, id)
  }

  private async keep(folder: string, kept: Kept): Promise<void> {
    await writeFile(join(folder, 'draft'), JSON.stringify(kept), { mode: 0o600 })
    await rename(join(folder, 'draft'), join(folder, 'hosts.json'))
  }

  private async recall(id: string): Promise<Kept | null> {
    const text = await readFile(join(this.folder(id), 'hosts.json'), 'utf8').catch(() => null)
    return text === null ? null : (JSON.parse(text) as Kept)
  }
}
