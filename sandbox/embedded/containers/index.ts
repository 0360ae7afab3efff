import type { Timer } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'
import type { PodNetwork } from '../network/network.ts'
import type { NodeHost } from '../node/host.ts'
import type { NodePids } from '../node/pids.ts'
import { type ContainerRecord, LocalContainer } from './container.ts'
import { missing, type ResolvedImage, resolveImage, standInImage } from './images.ts'
import { LogFolders } from './log-folders.ts'
import { LogRecords } from './log-records.ts'
import { type NodeOfProcesses, PidNamespaces } from './pid-namespaces.ts'
import { privateRegistry } from './registry.ts'
import type { Container, ContainerRuntime, ContainerSpec, Image, LogLine, Pulled, PullOptions, Volume, VolumeTraits } from './runtime.ts'
import { ContainerError, ImageError } from './runtime.ts'
import type { ComponentName } from './servers/control-plane.ts'
import type { StandIns } from './stand-in.ts'
import { type Change, changesOf, replay } from './vfs/diff.ts'
import type { Tree } from './vfs/tree.ts'
import { TreeVolume } from './volume.ts'

export interface RuntimeOptions {
  /** Sets this runtime's records apart from those of the cluster's other nodes. */
  node?: string
  /** The network of a pod whose containers come back from the records; without it they stay out of `restored`. */
  network?: (pod: { uid: string; namespace: string; name: string }) => PodNetwork | undefined
  /** Who plays the main programs of images that are not to be had here. */
  standIns?: StandIns
  /** Has a part of the control plane run until it is disposed. */
  component?: (name: ComponentName) => Disposable
  /** The node whose own files a volume has, once it has begun. */
  nodeOf?: (files: Volume) => NodeHost | undefined
  /** Its process numbers. */
  pidsOf?: (files: Volume) => NodePids | undefined
}

export interface LocalRuntime extends ContainerRuntime, Disposable {
  /** Brings the records up to date at once: before a fork, a snapshot or an orderly end. */
  checkpoint(): void
}

/**
 * The container runtime in this process. What changes is recorded (specs, layers, volumes, log tails, servers' state)
 * within a second of cluster time, and at `checkpoint`. After a restart or in a fork servers go on as they were; shell
 * scripts cannot be resumed in the middle and run again from their beginning, with the files they had. Disposing ends all
 * processes and leaves the records.
 */
export function createRuntime(ctx: ClusterContext, options: RuntimeOptions = {}): LocalRuntime {
  return new Runtime(ctx, options)
}

class Runtime implements LocalRuntime {
  private readonly ctx: ClusterContext
  private readonly options: RuntimeOptions
  private readonly prefix: string
  private readonly all = new Map<string, LocalContainer>()
  private readonly volumes = new Map<string, TreeVolume>()
  private readonly stored = new Map<TreeVolume, number>()
  private readonly dirty = new Set<LocalContainer>()
  private readonly logged = new Set<LocalContainer>()
  /** Names of images by node. */
  private readonly pulled = new Map<string, Set<string>>()
  private readonly pids: PidNamespaces
  private readonly logs: LogRecords
  private readonly logFolders = new Map<Volume, LogFolders>()
  private timer: Timer | undefined
  private back: LocalContainer[] | undefined
  private disposed = false

  constructor(ctx: ClusterContext, options: RuntimeOptions) {
    this.ctx = ctx
    this.options = options
    this.pids = new PidNamespaces(ctx, (spec) => this.nodeOfProcesses(spec))
    this.prefix = `containers/${options.node ?? ''}/`
    this.logs = new LogRecords(ctx.records, `${this.prefix}log/`)
    ctx.signal.addEventListener('abort', () => this[Symbol.dispose](), { once: true })
  }

  async pull(image: string, { node = '', credentials, signal }: PullOptions = {}): Promise<Pulled> {
    const resolved = this.resolve(image)
    const why = resolved.preloaded || resolved.image.standIn ? undefined : missing(image, credentials)
    // Of an image that is there only the name is looked up.
    const whole = why === undefined && !this.present(image, node)
    const ms = (whole ? resolved.pullMs : answerMs) * (0.8 + 0.4 * this.ctx.random())
    await this.ctx.clock.sleep(ms, signal)
    if (why !== undefined) throw new ImageError('ErrImagePull', why)
    const pulled = this.pulledOn(node)
    pulled.add(resolved.image.name)
    this.ctx.records.put(this.imagesRecord(node), [...pulled])
    return { image: resolved.image, ms }
  }

  present(image: string, node = ''): Image | undefined {
    const resolved = this.resolve(image)
    return resolved.preloaded || this.pulledOn(node).has(resolved.image.name) ? resolved.image : undefined
  }

  images(node: string): Image[] {
    return [...this.pulledOn(node)].map((name) => this.resolve(name).image)
  }

  removeImage(image: string, node: string): boolean {
    const pulled = this.pulledOn(node)
    const removed = pulled.delete(this.resolve(image).image.name)
    if (removed) this.ctx.records.put(this.imagesRecord(node), [...pulled])
    return removed
  }

  private pulledOn(node: string): Set<string> {
    const known = this.pulled.get(node)
    if (known) return known
    const stored = new Set(this.ctx.records.get<string[]>(this.imagesRecord(node)) ?? [])
    this.pulled.set(node, stored)
    return stored
  }

  private imagesRecord(node: string): string {
    return `${this.prefix}images${node && `/${node}`}`
  }

  async create(spec: ContainerSpec): Promise<Container> {
    const { image, preloaded } = this.resolve(spec.image)
    if (!preloaded && !image.standIn && missing(spec.image, [privateRegistry]) !== undefined)
      throw new ContainerError('CreateContainerError', `failed to get image from containerd "${spec.image}": image not found`)
    const container = this.adopt(this.container(spec))
    this.changed(spec.id)
    return container
  }

  volume(key: string, traits?: VolumeTraits): Volume {
    return this.treeVolume(key, traits)
  }

  removeVolume(key: string): void {
    const volume = this.volumes.get(key)
    if (volume) this.stored.delete(volume)
    this.volumes.delete(key)
    this.ctx.records.delete(`${this.prefix}volume/${key}`)
  }

  restored(): readonly Container[] {
    this.back ??= this.restore()
    return this.back
  }

  containers(): readonly Container[] {
    return [...this.all.values()]
  }

  checkpoint(): void {
    for (const container of this.all.values()) if (container.tellsState) this.dirty.add(container)
    this.store()
  }

  private store(): void {
    this.timer?.cancel()
    this.timer = undefined
    const { records } = this.ctx
    for (const container of this.dirty) records.put(`${this.prefix}container/${container.spec.id}`, container.record())
    for (const container of this.logged) this.logs.save(container.spec.id, container.log)
    this.dirty.clear()
    this.logged.clear()
    for (const volume of this.volumes.values()) {
      if (this.stored.get(volume) === volume.tree.changes) continue
      this.stored.set(volume, volume.tree.changes)
      const { uid, gid, mode } = volume.tree.root
      const record: VolumeRecord = { traits: volume.traits, root: { uid, gid, mode }, changes: changesOf(volume.tree) }
      records.put(`${this.prefix}volume/${volume.key}`, record)
    }
  }

  [Symbol.dispose](): void {
    if (this.disposed) return
    this.checkpoint()
    this.disposed = true
    for (const container of this.all.values()) container.suspend()
    this.all.clear()
  }

  private resolve(image: string): ResolvedImage {
    return this.options.standIns?.of(image) ? standInImage(image) : resolveImage(image)
  }

  private container(spec: ContainerSpec, restored?: { record: ContainerRecord; log: LogLine[] }): LocalContainer {
    const { standIns } = this.options
    const standIn = standIns?.of(spec.image)
    return new LocalContainer(this.ctx, spec, {
      pids: this.pids.join(spec),
      image: this.resolve(spec.image),
      onDirty: () => this.changed(spec.id),
      component: this.options.component,
      nodeOf: (files) => this.nodeOf(files),
      ...(standIns && standIn && { main: standIns.program(standIn, spec) }),
      ...(restored && { restored }),
    })
  }

  private nodeOf(files: Tree): NodeHost | undefined {
    const volume = [...this.volumes.values()].find(({ tree }) => tree === files)
    return volume && this.options.nodeOf?.(volume)
  }

  private nodeOfProcesses({ logFile }: ContainerSpec): NodeOfProcesses | undefined {
    const pids = logFile && this.options.pidsOf?.(logFile.files)
    return pids && { pids, host: () => this.options.nodeOf?.(logFile.files) }
  }

  private adopt(container: LocalContainer): LocalContainer {
    const { id } = container.spec
    this.all.set(id, container)
    const { logFile } = container.spec
    if (logFile) this.logFoldersOf(logFile.files).add(container.spec, logFile.attempt, container.log)
    container.onLogged(() => {
      this.logged.add(container)
      this.schedule()
    })
    const { remove } = container
    container.remove = () => {
      remove.call(container)
      if (logFile) this.logFoldersOf(logFile.files).remove(container.spec)
      this.pids.leave(container.spec)
      this.all.delete(id)
      this.dirty.delete(container)
      this.logged.delete(container)
      this.ctx.records.delete(`${this.prefix}container/${id}`)
      this.logs.delete(id)
    }
    return container
  }

  private logFoldersOf(files: Volume): LogFolders {
    let folders = this.logFolders.get(files)
    if (!folders) this.logFolders.set(files, (folders = new LogFolders(files, () => this.ctx.clock.now())))
    return folders
  }

  private changed(id: string): void {
    const container = this.all.get(id)
    if (!container || this.disposed) return
    this.dirty.add(container)
    this.schedule()
  }

  private schedule(): void {
    if (this.disposed) return
    this.timer ??= this.ctx.clock.setTimeout(() => this.store(), debounce)
  }

  private treeVolume(key: string, traits?: VolumeTraits): TreeVolume {
    let volume = this.volumes.get(key)
    if (!volume) {
      const record = this.ctx.records.get<VolumeRecord>(`${this.prefix}volume/${key}`)
      volume = new TreeVolume(key, () => this.ctx.clock.now(), record?.traits ?? traits)
      if (record) {
        Object.assign(volume.tree.ownDirectory([]), record.root)
        replay(volume.tree, record.changes)
      }
      this.stored.set(volume, volume.tree.changes)
      this.volumes.set(key, volume)
    }
    return volume
  }

  private restore(): LocalContainer[] {
    const { records } = this.ctx
    const found: LocalContainer[] = []
    const stored = records.keys(`${this.prefix}container/`).flatMap((key) => records.get<ContainerRecord>(key) ?? [])
    // Who joins another's processes comes after it.
    const joins = ({ spec }: ContainerRecord) => Number(typeof spec.sharesProcesses === 'object')
    for (const record of stored.sort((a, b) => joins(a) - joins(b))) {
      if (this.all.has(record.spec.id)) continue
      const { spec } = record
      const network = this.options.network?.({ uid: spec.podUID, namespace: spec.podNamespace, name: spec.podName })
      if (!network) continue
      const mounts = spec.mounts.map(({ volume, ...mount }) => ({ ...mount, volume: this.treeVolume(volume) }))
      const logFile = spec.logFile && { ...spec.logFile, files: this.treeVolume(spec.logFile.files) }
      const full = { ...spec, mounts, network, logFile }
      const log = this.logs.read(spec.id)
      const container = this.adopt(this.container(full, { record, log }))
      container.resume(record)
      found.push(container)
    }
    return found
  }
}

/** What is kept of a volume. */
interface VolumeRecord {
  traits: VolumeTraits
  root: { uid: number; gid: number; mode: number }
  changes: Change[]
}

/** Cluster ms until a registry has said no. */
const answerMs = 600
/** Cluster ms between a change and its record. */
const debounce = 1000
