import type { Timer } from '../clock.ts'
import type { OutOfMemory } from '../containers/kernel/machine.ts'
import type { ContainerRuntime, Container as RuntimeContainer, Volume } from '../containers/runtime.ts'
import { gatedClient } from '../machinery/client.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isAlreadyExists, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import { podNode } from '../machinery/pod-indexes.ts'
import type { Network } from '../network/network.ts'
import type { NodeProcess, NodeUse } from '../node/host.ts'
import { containerdLine, type Journal, klogLine, type Severity } from '../node/journal.ts'
import { outOfMemoryLines } from '../node/kernel-log.ts'
import { ServiceFailure } from '../node/systemd.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import { defaultPullLimits, type KubeletConfiguration, readConfiguration } from './configuration.ts'
import { EvictionManager } from './eviction.ts'
import type { Observation } from './eviction-thresholds.ts'
import { ImageCollector } from './image-gc.ts'
import { ImagePuller } from './image-puller.ts'
import { nodeEvent, type RegisteredNode } from './node.ts'
import { filesOfNode } from './node-files.ts'
import type { PodRecord, PodRecords } from './pod-record.ts'
import { PodWorker, type WorkerHost } from './pod-worker.ts'
import { isMirror, kubeletUid, mirrorOf, readManifests } from './static-pods.ts'

/** ms until a changed manifest is acted on. */
const manifestDelay = 500
/** ms after which a runtime that does not answer is taken for down (runtimeState's threshold). */
const runtimePatience = 30_000
/** ms between two looks for containers that are no longer needed (ContainerGCPeriod). */
const containerPeriod = 60_000

export interface KubeletParts {
  ctx: ClusterContext
  runtime: ContainerRuntime
  network: Network
  records: PodRecords
  node: RegisteredNode
  journal: Journal
  /** All pods of the cluster that are looked after, by the uid their kubelet knows them by. */
  workers: Map<string, PodWorker>
  nextIP: WorkerHost['nextIP']
  /** What is known of a node's pods from before, and those of their containers that there are. */
  left(node: string): { record: PodRecord; containers: RuntimeContainer[] }[]
  /** Why a connection from the node to an address fails; undefined where it does not. */
  obstacle(ip: string, port: number): string | undefined
  /** What the node has left, by eviction signal. */
  observe(node: string): Record<string, Observation>
  use(node: string): NodeUse
  /** What runs there beside its own shells. */
  processes(node: string): NodeProcess[]
  /** It is short of something, or no longer. */
  onPressure(kubelet: Kubelet): void
  /** It has begun to run, or its pods run again: say so to the API. */
  onReady(kubelet: Kubelet): void
}

/**
 * The kubelet of one node: while it runs it looks after the pods that the API binds to the node and those of the node's own
 * manifests. What it has started goes on without it.
 */
export class Kubelet {
  readonly node: RegisteredNode
  readonly files: Volume
  readonly host: WorkerHost
  readonly eviction: EvictionManager
  private readonly images: ImageCollector
  readonly puller: ImagePuller
  private readonly parts: KubeletParts
  private readonly watching: Disposable
  private readonly own = new Map<string, PodWorker>()
  private configuration: KubeletConfiguration | undefined
  private pid = 0
  private runtimeRuns = false
  private runtimeDownSince = 0
  private statics = new Map<string, Pod>()
  private manifestTimer: Timer | undefined
  private disposed = false
  /** Why the API server could not be reached when it was last tried. */
  private refusal: string | undefined
  /** Where its kubeconfig said that the API server is when it began. */
  private known: { host: string; port: number } | undefined
  private triedAt = Number.NEGATIVE_INFINITY
  private collectedAt = Number.NEGATIVE_INFINITY
  private logsAt = Number.NEGATIVE_INFINITY

  constructor(given: KubeletParts) {
    const parts: KubeletParts = { ...given, ctx: this.reaching(given.ctx) }
    this.parts = parts
    this.node = parts.node
    this.files = filesOfNode(parts.runtime, parts.node.name)
    this.host = this.hostOf()
    this.puller = new ImagePuller(parts.ctx.clock, () => this.configuration ?? defaultPullLimits)
    this.eviction = new EvictionManager({
      ctx: parts.ctx,
      kubelet: this,
      observe: () => parts.observe(parts.node.name),
      collectImages: () => this.images.deleteUnused(),
      onPressure: () => parts.onPressure(this),
    })
    this.images = new ImageCollector({ ...parts, kubelet: this, use: () => parts.use(parts.node.name) })
    this.watching = this.files.watch(() => this.filesChanged())
  }

  get running(): boolean {
    return this.pid !== 0
  }

  /** Its configuration while it runs. */
  get configured(): KubeletConfiguration | undefined {
    return this.configuration
  }

  /** Why the node's runtime is of no use, as the Ready condition tells it. */
  get runtimeProblem(): string | undefined {
    const down = !this.runtimeRuns && this.parts.ctx.clock.now() - this.runtimeDownSince >= runtimePatience
    return down ? '[container runtime is down, PLEG is not healthy: pleg was last seen active 30s ago; threshold is 3m0s]' : undefined
  }

  /** Those of its pods that are looked after now. */
  workers(): PodWorker[] {
    return [...this.own.values()]
  }

  /** The process begins. Throws ServiceFailure where it cannot. */
  start(pid: number): void {
    this.configuration = readConfiguration(this.files, (err) => this.line('E', 'run.go:72', 'command failed', { err }, pid))
    if (!this.runtimeRuns) {
      const socket = 'unix:///run/containerd/containerd.sock'
      const why = 'transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: no such file or directory'
      const call = `validate CRI v1 runtime API for endpoint "${socket}": rpc error: code = Unavailable desc = connection error: desc = "${why}"`
      const err = `failed to run Kubelet: validate service connection: ${call}`
      throw new ServiceFailure(this.line('E', 'run.go:72', 'command failed', { err }, pid))
    }
    this.pid = pid
    this.known = undefined
    this.triedAt = Number.NEGATIVE_INFINITY
    this.eviction.reset()
    this.images.reset()
    this.say('I', 'server.go:529', 'Kubelet version', { kubeletVersion: 'v1.34.4' })
    this.say('I', 'kubelet.go:475', 'Attempting to sync node with API server')
    const { staticPodPath } = this.configuration
    if (staticPodPath) this.say('I', 'kubelet.go:376', 'Adding static pod path', { path: staticPodPath })
    this.say('I', 'kubelet.go:387', 'Adding apiserver pod source')
    this.say('I', 'server.go:1262', 'Started kubelet')
    this.say('I', 'kubelet.go:2428', 'Starting kubelet main sync loop')
    this.takeUp()
    this.parts.onReady(this)
  }

  /** The process ends; its containers do not. */
  stop(): void {
    this.pid = 0
    this.leave()
  }

  runtimeStarted(pid: number): void {
    this.runtimeRuns = true
    this.runtimePid = pid
    if (!this.running) return
    this.takeUp()
    this.parts.onReady(this)
  }

  /** containerd ends; its shims hold the containers. */
  runtimeStopped(): void {
    this.runtimeRuns = false
    this.runtimeDownSince = this.parts.ctx.clock.now()
    if (!this.running) return
    const why =
      'connection error: desc = \\"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: no such file or directory\\"'
    this.say('E', 'log.go:32', 'Status from runtime service failed', { err: `rpc error: code = Unavailable desc = ${why}` })
    this.leave()
  }

  private runtimePid = 0

  /** Whether it runs and hears of what is in the API. */
  get connected(): boolean {
    return this.running && this.unreachable() === undefined
  }

  /** Tries the API server again after it could not be reached, and catches up with it. True when it has come back. */
  reconnect(): boolean {
    const before = this.refusal
    if (!this.running || before === undefined || this.unreachable() !== undefined) return false
    if (this.working) this.catchUp()
    return true
  }

  /** A pod has changed in the API that is, or was, this node's. */
  podChanged(type: 'ADDED' | 'MODIFIED' | 'DELETED', pod: Pod): void {
    if (!this.working || !this.connected) return
    const { workers } = this.parts
    const shown = workers.get(kubeletUid(pod))
    if (isMirror(pod)) {
      if (shown?.isStatic || this.statics.has(kubeletUid(pod))) shown?.mirrorChanged(type === 'DELETED' ? undefined : pod)
      else if (type !== 'DELETED' && !shown) this.removeOrphan(pod)
      return
    }
    const uid = pod.metadata.uid ?? ''
    const worker = workers.get(uid)
    const pods = [`${pod.metadata.namespace}/${pod.metadata.name}`]
    if (type === 'DELETED') {
      if (worker) this.sayMore(2, 'kubelet.go:2525', 'SyncLoop REMOVE', { source: 'api', pods })
      worker?.remove()
    } else if (worker) worker.update(pod)
    else {
      this.sayMore(2, 'kubelet.go:2515', 'SyncLoop ADD', { source: 'api', pods })
      this.begin(uid, new PodWorker(this.host, pod))
    }
  }

  contentChanged(kind: 'ConfigMap' | 'Secret', namespace: string | undefined, name: string): void {
    for (const worker of this.workers()) if (worker.record.namespace === namespace) worker.contentChanged(kind, name)
  }

  /** Has the API show the pods of the node's manifests; before the first of them runs. */
  async showStatics(): Promise<void> {
    if (!this.connected) return
    for (const pod of this.statics.values()) await this.showMirror(pod)
  }

  /** Puts a static pod's mirror into the API, in the place of one that is not of it. Rejects with ApiError. */
  async showMirror(pod: Pod): Promise<void> {
    const { client, cache, clock } = this.parts.ctx
    const { name = '', namespace = '', uid } = pod.metadata
    const known = cache.get<Pod>(resources.pods, name, namespace)
    if (known && kubeletUid(known) === uid && !known.metadata.deletionTimestamp) return
    if (known && isMirror(known)) await clock.during(this.removeMirror(known))
    const node = cache.get<Node>(resources.nodes, this.node.name)
    if (!node || cache.get(resources.pods, name, namespace)) return
    this.say('I', 'kubelet.go:3220', 'Creating a mirror pod for static pod', { pod: `${namespace}/${name}` })
    try {
      await clock.during(client.create(resources.pods, mirrorOf(pod, node), { namespace }))
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
    }
  }

  async removeMirror({ metadata: { name = '', namespace, uid } }: Pod): Promise<void> {
    try {
      await this.parts.ctx.client.delete(resources.pods, name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  /** What shows a manifest that is not there, or not any more. */
  private removeOrphan(pod: Pod): void {
    const { clock, report } = this.parts.ctx
    clock.during(this.removeMirror(pod)).catch((error) => report(`mirror pod ${pod.metadata.name}`, error))
  }

  /** A line in the node's journal. */
  say(severity: Severity, place: string, message: string, values?: Record<string, unknown>): void {
    this.write(this.line(severity, place, message, values))
  }

  /** A line that is only written where the configuration asks for so much. */
  sayMore(verbosity: number, place: string, message: string, values: Record<string, unknown>): void {
    if ((this.configuration?.verbosity ?? 0) >= verbosity) this.say('I', place, message, values)
  }

  /** A line of the older kind, which is plain text. */
  log(severity: Severity, place: string, text: string): void {
    const line = this.line(severity, place, '')
    this.write(`${line.slice(0, -2)}${text}`)
  }

  private write(text: string): void {
    if (this.running) this.parts.journal.write({ unit: 'kubelet.service', identifier: 'kubelet', pid: this.pid, text })
  }

  /** A pod could not be brought to where it should be. */
  skipped({ metadata: { namespace, name, uid } }: Pod, err: string): void {
    this.say('E', 'pod_workers.go:1324', 'Error syncing pod, skipping', { err, pod: `${namespace}/${name}`, podUID: uid })
  }

  /** The kernel tells of processes that it kills for their memory. */
  outOfMemory(report: OutOfMemory): void {
    const { journal, processes, node } = this.parts
    for (const text of outOfMemoryLines(report, processes(node.name))) journal.write({ unit: '', identifier: 'kernel', pid: 0, text })
  }

  /** The node itself has no memory left: what is killed outside of all pods the kubelet tells of (pkg/kubelet/oom). */
  systemOutOfMemory(report: OutOfMemory): void {
    this.outOfMemory(report)
    const node = this.parts.ctx.cache.get<Node>(resources.nodes, this.node.name)
    if (!this.running || !node) return
    const { name, pid } = report.victim
    nodeEvent(this.parts.ctx, node, 'SystemOOM', `System OOM encountered, victim process: ${name}, pid: ${pid}`, 'Warning')
  }

  /** A line of containerd's in the node's journal. */
  runtimeSays(level: 'info' | 'warning' | 'error', message: string, values?: Record<string, string>): void {
    if (!this.runtimeRuns) return
    const text = containerdLine(this.parts.ctx.clock.now(), level, message, values)
    this.parts.journal.write({ unit: 'containerd.service', identifier: 'containerd', pid: this.runtimePid, text })
  }

  [Symbol.dispose](): void {
    this.disposed = true
    this.manifestTimer?.cancel()
    this.watching[Symbol.dispose]()
  }

  /** The context of who asks the API server over the node's network. */
  private reaching(ctx: ClusterContext): ClusterContext {
    const client = gatedClient(ctx.client, () => this.unreachable())
    const event: ClusterContext['events']['event'] = (...about) => {
      if (this.unreachable() === undefined) ctx.events.event(...about)
    }
    return { ...ctx, client, events: { event } }
  }

  /** Why the API server that its kubeconfig names cannot be reached; looked at once a second at most. */
  private unreachable(): string | undefined {
    const { ctx, obstacle } = this.parts
    const now = ctx.clock.now()
    if (now - this.triedAt < 1000) return this.refusal
    this.triedAt = now
    const { host, port } = this.server()
    const why = obstacle(host, port)
    if (why !== undefined && this.refusal === undefined) {
      this.refusal = why
      const url = `https://${host}:${port}/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${this.node.name}?timeout=10s`
      this.say('E', 'controller.go:195', 'Failed to update lease', { err: `Get "${url}": ${why}` })
    }
    this.refusal = why
    return why
  }

  private server(): { host: string; port: number } {
    if (this.known) return this.known
    const text = Buffer.from(this.files.read('etc/kubernetes/kubelet.conf') ?? []).toString()
    const [, host = this.node.ip, port = '443'] = /^\s*server:\s*https:\/\/([^:/\s]+)(?::(\d+))?/m.exec(text) ?? []
    return (this.known = { host, port: Number(port) })
  }

  /** What has changed in the API while it could not be reached. */
  private catchUp(): void {
    const { ctx, node } = this.parts
    const present = new Set<string>()
    for (const pod of ctx.cache.indexed<Pod>(resources.pods, podNode, node.name)) {
      const uid = kubeletUid(pod)
      present.add(uid).add(pod.metadata.uid ?? '')
      this.podChanged('MODIFIED', pod)
    }
    for (const worker of this.workers()) {
      if (!worker.isStatic && !present.has(worker.record.uid)) worker.remove()
      else worker.reconnected()
    }
  }

  /** Looks after how much its pods use; called every ten seconds. */
  lookAtUse(): void {
    if (!this.working) return
    const now = this.parts.ctx.clock.now()
    if (now - this.collectedAt >= containerPeriod) {
      this.collectedAt = now
      for (const worker of this.workers()) worker.dropEnded()
    }
    this.putLogsAside(now)
    this.images.look()
    this.eviction.look()
  }

  /** The logs of running containers that have grown too long (pkg/kubelet/logs). */
  private putLogsAside(now: number): void {
    const { configuration } = this
    if (!configuration || configuration.containerLogMaxSize < 0) return
    if (now - this.logsAt < configuration.containerLogMonitorInterval) return
    this.logsAt = now
    for (const worker of this.workers()) {
      for (const container of worker.containers.values()) {
        if (container.state !== 'running') continue
        if (container.log.removed) container.log.reopen()
        else if (container.log.fileBytes >= configuration.containerLogMaxSize)
          container.log.putAside(configuration.containerLogMaxFiles - 1)
      }
    }
  }

  private get working(): boolean {
    return this.running && this.runtimeRuns && !this.disposed
  }

  private line(severity: Severity, place: string, message: string, values?: Record<string, unknown>, pid = this.pid): string {
    return klogLine(this.parts.ctx.clock.now(), pid, severity, place, message, values)
  }

  /** Looks after everything that is the node's: what its containers say that still run, and what the API and the manifests say. */
  private takeUp(): void {
    const { ctx, records, left, workers, node } = this.parts
    this.readStatics()
    for (const { record, containers } of left(node.name)) {
      if (workers.has(record.uid)) continue
      const known = ctx.cache.get<Pod>(resources.pods, record.name, record.namespace)
      const pod = record.manifest ?? (known?.metadata.uid === record.uid ? known : undefined)
      if (pod) {
        const worker = new PodWorker(this.host, pod, record, containers)
        this.begin(record.uid, worker)
        if (record.manifest && !this.statics.has(record.uid)) worker.remove()
      } else {
        for (const container of containers) container.remove()
        records.delete(record.uid)
      }
    }
    for (const pod of ctx.cache.indexed<Pod>(resources.pods, podNode, node.name)) {
      if (!workers.has(pod.metadata.uid ?? '')) this.podChanged('ADDED', pod)
    }
    this.startStatics()
  }

  private leave(): void {
    for (const worker of this.workers()) {
      worker[Symbol.dispose]()
      this.forget(worker.record.uid)
    }
  }

  private begin(uid: string, worker: PodWorker): void {
    this.parts.workers.set(uid, worker)
    this.own.set(uid, worker)
  }

  private forget(uid: string): void {
    this.parts.workers.delete(uid)
    this.own.delete(uid)
  }

  private filesChanged(): void {
    if (!this.running || this.disposed) return
    this.manifestTimer ??= this.parts.ctx.clock.setTimeout(() => {
      this.manifestTimer = undefined
      if (!this.working) return
      this.readStatics()
      for (const worker of this.workers()) if (worker.isStatic && !this.statics.has(worker.record.uid)) worker.remove()
      this.startStatics()
    }, manifestDelay)
  }

  private readStatics(): void {
    const folder = this.configuration?.staticPodPath
    const { ctx, node } = this.parts
    const before = this.statics
    this.statics = new Map()
    if (!folder) return
    const now = ctx.clock.now()
    const seen = `${new Date(now).toISOString().slice(0, 23)}${String(Math.floor((now % 1) * 1e6)).padStart(6, '0')}Z`
    const { pods, failures } = readManifests(this.files, folder, node.name, seen)
    for (const pod of pods) {
      const uid = pod.metadata.uid ?? ''
      this.statics.set(uid, before.get(uid) ?? pod)
    }
    for (const err of failures) {
      this.say('E', 'file.go:108', 'Unable to process watch event', { err })
    }
  }

  /** A pod that is to be another one waits until the one of its name is gone. */
  private startStatics(): void {
    const { workers, ctx } = this.parts
    const taken = new Set(this.workers().map(({ record }) => `${record.namespace}/${record.name}`))
    for (const [uid, pod] of this.statics) {
      const { name = '', namespace = '' } = pod.metadata
      if (workers.has(uid) || taken.has(`${namespace}/${name}`)) continue
      // Whoever was adopted with a cluster of another make runs as any other pod does.
      const known = ctx.cache.get<Pod>(resources.pods, name, namespace)
      this.begin(uid, new PodWorker(this.host, known && kubeletUid(known) === uid ? { ...pod, status: known.status } : pod))
    }
  }

  private hostOf(): WorkerHost {
    const { ctx, runtime, network, records, node, nextIP } = this.parts
    return {
      ctx,
      runtime,
      network,
      records,
      node,
      kubelet: this,
      nextIP,
      podsBesides: (uid) =>
        this.workers()
          .filter(({ record, counts }) => counts && record.uid !== uid)
          .map(({ granted }) => granted),
      forget: (uid) => {
        this.forget(uid)
        for (const worker of this.workers()) worker.roomMade()
        if (this.working) this.startStatics()
      },
    }
  }
}
