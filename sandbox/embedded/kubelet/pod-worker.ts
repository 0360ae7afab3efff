import type { Timer } from '../clock.ts'
import type { ContainerRuntime, DiskUse, Container as RuntimeContainer } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { ApiUnreachable, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Network, PodNetwork } from '../network/network.ts'
import type { Container, Pod } from '../schema/types/core.v1.ts'
import { computeActions } from './actions.ts'
import { admissionFailure } from './admission.ts'
import { backOffLeft, backOffLeftSinceUpdate } from './back-off.ts'
import { backOffKey, ContainerLives } from './container-lives.ts'
import { podFilesKey, podLabel } from './container-spec.ts'
import { goDuration } from './duration.ts'
import type { NodeFacts } from './environment.ts'
import type { Kubelet } from './kubelet.ts'
import { containerNamed, fieldPathOf } from './pod-containers.ts'
import { PodProbes } from './pod-probes.ts'
import { isSidecar, latestRun, type PodRecord, type PodRecords, stateOf } from './pod-record.ts'
import { actuate, allocate, allocatedPod, isActuated, resizeSummary } from './resize.ts'
import { PodSandbox } from './sandbox.ts'
import { kubeletUid } from './static-pods.ts'
import { StatusManager } from './status-manager.ts'
import { MountError, PodVolumes } from './volumes.ts'

/** What a pod's worker needs of its node's kubelet. */
export interface WorkerHost {
  ctx: ClusterContext
  runtime: ContainerRuntime
  network: Network
  records: PodRecords
  node: NodeFacts
  kubelet: Kubelet
  /** A free address of the block that the network plugin gives out. */
  nextIP(subnet: string): string
  /** Pods of the node that hold resources, but for the one named by uid. */
  podsBesides(uid: string): Pod[]
  /** The worker's pod is gone and nothing of it is left. */
  forget(uid: string): void
}

/** A failed sync is tried again after 10 to 15 s; a failed mount after half a second, then twice as long, 122 s at most. */
const retryAfter = 10_000
const retryJitter = 0.5
const relistPeriod = 1000
/** ms from a container's start to the first look at it. */
const noticeAfter = 100
/** A resize that the node has no room for is tried again after three minutes, and when another pod goes. */
const resizeRetry = 180_000
const mountRetry = { first: 500, longest: 122_000 }

/**
 * One pod on its node. Level-triggered: each sync compares what the pod's spec wants with the lives of its containers
 * and does what is missing, as the kubelet's syncPod and syncTerminatingPod do.
 */
export class PodWorker implements Disposable {
  pod: Pod
  readonly record: PodRecord
  /** It comes from a file of the node; the API only shows it. */
  readonly isStatic: boolean
  private readonly host: WorkerHost
  private readonly volumes: PodVolumes
  private readonly lives: ContainerLives
  private readonly sandbox: PodSandbox
  private readonly statuses: StatusManager
  private probes: PodProbes | undefined
  private readonly syncing = new AbortController()
  private timer: Timer | undefined
  private again = false
  private working = false
  private ended = false
  private freshSandbox = false
  private gone = false
  private admitted: boolean
  private mountDelay = mountRetry.first
  private evictionGrace: number | undefined
  private lastGranted: { of: Pod; allocated: PodRecord['allocated']; granted: Pod } | undefined

  constructor(host: WorkerHost, pod: Pod, known?: PodRecord, restored: readonly RuntimeContainer[] = []) {
    this.host = host
    this.pod = pod
    this.isStatic = isStaticPod(pod)
    const { uid = '', namespace = '', name = '' } = pod.metadata
    const fresh: PodRecord = { uid, namespace, name, node: host.node.name, startedAt: host.ctx.clock.now(), runs: [], backOff: {} }
    if (this.isStatic) fresh.manifest = pod
    this.record = known ? copyOf(known) : fresh
    this.admitted = known !== undefined
    this.volumes = new PodVolumes(host.ctx, host.runtime, host.node, uid)
    this.sandbox = new PodSandbox(this, host)
    if (known?.ip && !known.tornDown) this.sandbox.attach()
    this.lives = new ContainerLives(this, host, this.volumes)
    this.statuses = new StatusManager(this, host, this.lives.failures)
    this.lives.adopt(restored)
    if (!this.record.tornDown) this.probes = new PodProbes(this, host)
    this.wake()
  }

  /** Of its containers' probes. */
  probeFigures(): ReturnType<PodProbes['figures']> {
    return this.probes?.figures() ?? []
  }

  get containers(): ReadonlyMap<string, RuntimeContainer> {
    return this.lives.containers
  }

  /** The life of a container whose start is under way. */
  get starting(): string | undefined {
    return this.lives.starting
  }

  /** The pod's own network while it has one. */
  get network(): PodNetwork | undefined {
    return this.sandbox.network
  }

  /** Whether the pod still holds resources of the node. */
  get active(): boolean {
    return !this.record.tornDown
  }

  /**
   * Whether what it takes of the node counts where another asks for room:
   * not any more once the API has forgotten it, though it still ends.
   */
  get counts(): boolean {
    return this.active && !this.gone
  }

  /** The pod has changed in the API. */
  update(pod: Pod): void {
    const before = this.pod
    // What is added to a pod of which nothing runs any more is not looked at.
    this.pod = this.record.tornDown && before.spec ? { ...pod, spec: before.spec } : pod
    if (this.isTerminating()) this.syncing.abort()
    if (wantsSync(before, pod)) this.wake()
    this.statuses.correct(pod)
  }

  /** What shows a static pod in the API has changed, or is gone. */
  mirrorChanged(mirror: Pod | undefined): void {
    this.pod = { ...this.pod, status: mirror?.status }
    if (!mirror || mirror.metadata.deletionTimestamp) this.wake()
    else this.statuses.correct(mirror)
  }

  /** The pod is gone from the API, or from the node's manifests. */
  remove(): void {
    this.gone = true
    this.syncing.abort()
    this.wake()
  }

  /** The pod with the resources that it has been granted. */
  get granted(): Pod {
    const { pod, record } = this
    const last = this.lastGranted
    if (last && last.of === pod && last.allocated === record.allocated) return last.granted
    const granted = allocatedPod(pod, record)
    this.lastGranted = { of: pod, allocated: record.allocated, granted }
    return granted
  }

  /** Another pod of the node has given back what it held. */
  roomMade(): void {
    if (this.record.resize?.pending) this.wake()
  }

  /** Ends the pod for good because the node cannot bear it: with so many seconds for its containers. */
  evict(message: string, grace: number, disruption: boolean): void {
    if (this.isTerminating()) return
    this.event('Warning', 'Evicted', message)
    this.evictionGrace = grace
    this.record.verdict = { phase: 'Failed', reason: 'Evicted', message, ...(disruption && { disruption }) }
    this.save()
    this.syncing.abort()
    this.wake()
  }

  /** The live container of this name, if it runs. */
  containerNow(name: string): RuntimeContainer | undefined {
    const run = latestRun(this.record, name)
    return run && stateOf(run) === 'running' ? this.containers.get(run.id) : undefined
  }

  /** Whether a limit says how much the pod may write. */
  get limitsLocalStorage(): boolean {
    const { volumes = [], containers = [], initContainers = [] } = this.pod.spec ?? {}
    return (
      [...containers, ...initContainers].some(({ resources: { limits } = {} }) => limits?.['ephemeral-storage'] !== undefined) ||
      volumes.some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined && emptyDir.medium !== 'Memory')
    )
  }

  /** What is in each emptyDir on disk. */
  emptyDirs(): Map<string, DiskUse> {
    return this.volumes.emptyDirs(this.pod)
  }

  /** The API server can be reached again. */
  reconnected(): void {
    if (this.statuses.behind || this.isStatic) this.wake()
  }

  /** The content of a ConfigMap or Secret has changed: it reaches the volumes with the next periodic sync, within 60 to 90 s. */
  contentChanged(kind: 'ConfigMap' | 'Secret', name: string): void {
    if (this.record.tornDown || !this.volumes.uses(this.pod, kind, name)) return
    const { clock, random } = this.host.ctx
    clock.setTimeout(() => this.wake(), random() * 60_000 * (1 + random() * retryJitter))
  }

  wake(): void {
    if (this.ended) return
    this.again = true
    if (!this.working) void this.work()
  }

  /** Ends the worker without touching the pod: the cluster stops. */
  [Symbol.dispose](): void {
    this.host.records.store(this.record.uid)
    this.ended = true
    this.syncing.abort()
    this.timer?.cancel()
    this.statuses[Symbol.dispose]()
    this.probes?.[Symbol.dispose]()
  }

  event(type: 'Normal' | 'Warning', reason: string, message: string, container?: Container): void {
    const { ctx, node } = this.host
    ctx.events.event(
      this.pod,
      type,
      reason,
      message,
      { component: 'kubelet', host: node.name },
      container && fieldPathOf(this.pod, container),
    )
  }

  private async work(): Promise<void> {
    this.working = true
    const { clock } = this.host.ctx
    while (this.again && !this.ended) {
      await clock.during(clock.turn())
      if (this.ended) break
      this.again = false
      this.timer?.cancel()
      let delay: number | undefined
      const terminating = this.isTerminating()
      try {
        delay = terminating ? await this.terminate() : await this.sync(this.syncing.signal)
      } catch (error) {
        if (this.ended) break
        const interrupted = !terminating && this.syncing.signal.aborted
        if (!interrupted && !isNotFound(error) && !(error instanceof ApiUnreachable))
          this.host.ctx.report(`pod ${podLabel(this.pod)}`, error)
        delay = interrupted ? 0 : this.retryDelay()
      }
      if (delay !== undefined && !this.again && !this.ended) this.timer = clock.setTimeout(() => this.wake(), delay)
    }
    this.working = false
  }

  isTerminating(): boolean {
    const { phase } = this.pod.status ?? {}
    return (
      this.gone ||
      this.pod.metadata.deletionTimestamp !== undefined ||
      phase === 'Failed' ||
      phase === 'Succeeded' ||
      this.record.verdict !== undefined
    )
  }

  /** One comparison of what is with what should be. Answers in how many ms the next is due without a cause, if at all. */
  private async sync(signal: AbortSignal): Promise<number | undefined> {
    if (!this.admit() || this.pastDeadline()) return 0
    if (this.isStatic) await this.statuses.tell(() => this.host.kubelet.showMirror(this.pod))
    await this.statuses.write()
    signal.throwIfAborted()
    try {
      await this.volumes.mount(this.pod, this.record.ip ?? '')
      this.mountDelay = mountRetry.first
    } catch (error) {
      if (!(error instanceof MountError)) throw error
      const failed = `MountVolume.SetUp failed for volume "${error.volume}"`
      this.event('Warning', 'FailedMount', `${failed} : ${error.message}`)
      this.journalMount(failed, error)
      const delay = this.mountDelay
      this.mountDelay = Math.min(delay * 2, mountRetry.longest)
      return delay
    }
    signal.throwIfAborted()
    if (!this.sandbox.network) {
      if (!this.sandbox.possible()) return this.retryDelay()
      this.freshSandbox = this.sandbox.create()
    }

    const { clock } = this.host.ctx
    const actions = computeActions(await this.resized(), this.record)
    if (actions.killPod) {
      await this.killAll()
      await this.statuses.write(true)
      return this.isTerminating() ? 0 : this.retryDelay()
    }
    const exits = new Map(this.record.runs.toReversed().flatMap((run) => (run.exit ? [[run.name, run.exit.finishedAt] as const] : [])))
    const start = (container: Container) => this.lives.start(container, exits.get(container.name), signal)
    for (const { run, container, message, probe } of actions.kill) {
      await this.lives.kill(run, container, message, this.graceOf(container, probe))
      signal.throwIfAborted()
    }
    for (const container of actions.startEphemeral) await start(container)
    let moved = actions.kill.length > 0
    for (const container of actions.startInit) {
      const started = await start(container)
      if (!started && !isSidecar(container)) return await this.rest()
      if (started) moved = true
    }
    for (const [index, container] of actions.start.entries()) {
      if (index > 0) await clock.during(clock.turn())
      await start(container)
    }
    // A program that is done at once has never been seen running: the kubelet learns of both when it looks at the runtime next.
    if (actions.start.length > 0 || actions.startEphemeral.length > 0) await clock.sleep(noticeAfter, signal)
    if (moved) this.wake()
    return await this.rest()
  }

  /** Grants a resize that the spec asks for, applies it to what runs, and answers with the pod as granted. */
  private async resized(): Promise<Pod> {
    const { ctx, node } = this.host
    const others = () => this.host.podsBesides(this.record.uid)
    if (allocate(this.pod, this.record, { node, cache: ctx.cache, others, now: ctx.clock.now() })) {
      this.save()
      // That it was granted is told before it is done.
      if (this.record.resize?.inProgress) await this.statuses.write()
    }
    const pod = this.granted
    const error = actuate(pod, this.record, (id) => this.lives.containers.get(id))
    if (this.record.resize?.inProgress) this.record.resize.error = error
    return pod
  }

  private async rest(): Promise<number | undefined> {
    const { granted } = this
    if (this.record.resize?.inProgress && isActuated(granted, this.record)) {
      await this.host.ctx.clock.sleep(noticeAfter, this.syncing.signal)
      this.record.resize = { pending: this.record.resize.pending }
      this.event('Normal', 'ResizeCompleted', resizeSummary(granted))
      this.save()
    }
    await this.statuses.write()
    this.probes?.triggerReadiness()
    return this.nextSync()
  }

  /** When something is due that nobody tells: a back-off's end, a deadline, a token's renewal. */
  private nextSync(): number | undefined {
    const now = this.host.ctx.clock.now()
    const due: number[] = []
    for (const [name, { reason }] of this.lives.failures) {
      // The kubelet sees a container that could not start as one that has exited, when it looks next.
      // And a new sandbox is something new to it.
      if (reason === 'RunContainerError' || this.freshSandbox) due.push(relistPeriod)
      due.push(Math.min(this.backOffOf(name, reason) ?? Infinity, this.retryDelay()))
    }
    this.freshSandbox = false
    const deadline = this.deadline()
    if (deadline !== undefined) due.push(deadline - now)
    if (this.record.resize?.pending?.reason === 'Deferred' || this.record.resize?.error) due.push(resizeRetry)
    const renewal = this.volumes.nextRenewal()
    if (renewal !== undefined) due.push(renewal - now)
    return due.length > 0 ? Math.max(0, Math.min(...due)) : undefined
  }

  private backOffOf(name: string, reason: string): number | undefined {
    const now = this.host.ctx.clock.now()
    const container = containerNamed(this.pod, name)
    const finishedAt = latestRun(this.record, name)?.exit?.finishedAt
    if (!container) return undefined
    if (reason === 'ErrImagePull' || reason === 'ImagePullBackOff') {
      return backOffLeftSinceUpdate(this.record.backOff[`image/${container.image}`], now) || undefined
    }
    if (reason !== 'CrashLoopBackOff' || finishedAt === undefined) return undefined
    return backOffLeft(this.record.backOff[backOffKey(container)], finishedAt, now)
  }

  private retryDelay(): number {
    return retryAfter * (1 + this.host.ctx.random() * retryJitter)
  }

  private admit(): boolean {
    if (this.admitted) return true
    this.admitted = true
    const { kubelet, node, ctx } = this.host
    const failure =
      kubelet.eviction.refusal(this.pod) ?? admissionFailure(this.pod, node, this.host.podsBesides(this.record.uid), ctx.cache)
    if (!failure) {
      this.save()
      return true
    }
    this.event('Warning', failure.reason, failure.message)
    this.record.verdict = { phase: 'Failed', reason: failure.reason, message: `Pod was rejected: ${failure.message}`, rejected: true }
    this.save()
    return false
  }

  private deadline(): number | undefined {
    const seconds = this.pod.spec?.activeDeadlineSeconds
    return seconds === undefined ? undefined : Math.floor(this.record.startedAt / 1000) * 1000 + seconds * 1000
  }

  private pastDeadline(): boolean {
    const deadline = this.deadline()
    if (deadline === undefined || this.host.ctx.clock.now() < deadline) return false
    const message = 'Pod was active on the node longer than the specified deadline'
    this.event('Normal', 'DeadlineExceeded', message)
    this.record.verdict = { phase: 'Failed', reason: 'DeadlineExceeded', message }
    this.save()
    return true
  }

  private journalMount(failed: string, { volume, message }: MountError): void {
    const { ctx, kubelet } = this.host
    const { uid, name } = this.record
    const kind =
      Object.keys(this.pod.spec?.volumes?.find((each) => each.name === volume) ?? {}).find((key) => key !== 'name') ?? 'empty-dir'
    const unique = `kubernetes.io/${kind.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).replace('config-map', 'configmap')}/${uid}-${volume}`
    const again = new Date(ctx.clock.now() + this.mountDelay).toISOString().replace('T', ' ').replace('Z', '000000 +0000 UTC')
    const operation = `Operation for "{volumeName:${unique} podName:${uid} nodeName:}" failed.`
    const retry = `No retries permitted until ${again} (durationBeforeRetry ${goDuration(this.mountDelay)}).`
    const error = `Error: ${failed} (UniqueName: "${unique}") pod "${name}" (UID: "${uid}") : ${message}`
    kubelet.log('E', 'nestedpendingoperations.go:348', `${operation} ${retry} ${error}`)
  }

  /** Stops what still runs: ordinary containers at once, sidecars after them, from the last to the first. */
  private async killAll(): Promise<void> {
    const done = new Map<string, Promise<void>>()
    const regular = [...(this.pod.spec?.containers ?? []), ...((this.pod.spec?.ephemeralContainers ?? []) as Container[])]
    const init = (this.pod.spec?.initContainers ?? []).toReversed()
    for (const container of [...regular, ...init]) {
      const run = latestRun(this.record, container.name)
      if (!run || stateOf(run) !== 'running') continue
      const turn = isSidecar(container) ? Promise.all(done.values()).then(() => undefined) : undefined
      done.set(container.name, this.lives.kill(run, container, `Stopping container ${container.name}`, this.graceOf(container), turn))
    }
    await Promise.all(done.values())
  }

  private async terminate(): Promise<number | undefined> {
    if (!this.record.tornDown) {
      this.lives.failures.clear()
      if (!this.gone) await this.statuses.write()
      await this.killAll()
      this.probes?.[Symbol.dispose]()
      this.sandbox[Symbol.dispose]()
      this.record.tornDown = true
      this.volumes.unmount(this.pod)
      this.host.runtime.removeVolume(podFilesKey(this.record.uid))
      this.save()
    }
    if (!this.gone) await this.statuses.write(true)
    if (!this.gone && this.pod.metadata.deletionTimestamp === undefined) return undefined
    if (this.shown) await this.deletePod()
    this.end()
    return undefined
  }

  /** Whether the API still has something that tells of the pod. */
  private get shown(): boolean {
    return !this.gone || this.isStatic
  }

  private async deletePod(): Promise<void> {
    const { ctx, kubelet } = this.host
    const { name = '', namespace, uid } = this.pod.metadata
    if (this.isStatic) {
      const mirror = ctx.cache.get<Pod>(resources.pods, name, namespace)
      if (mirror && kubeletUid(mirror) === uid) await this.statuses.tell(() => ctx.clock.during(kubelet.removeMirror(mirror)))
      return
    }
    try {
      await ctx.clock.during(ctx.client.delete(resources.pods, name, namespace, { gracePeriodSeconds: 0, preconditions: { uid } }))
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }

  private end(): void {
    this.ended = true
    this.timer?.cancel()
    this.lives.removeAll()
    this.host.records.delete(this.record.uid)
    this.host.forget(this.record.uid)
  }

  /** The dead containers of a pod that was evicted are removed, and their logs with them. */
  dropEnded(): void {
    if (this.record.tornDown && this.record.verdict?.reason === 'Evicted') this.lives.removeAll()
  }

  /**
   * Seconds for a container to end in, one at least (calculateEffectiveGracePeriod in pod_workers.go). A container that is being
   * stopped keeps what it was given, whatever is asked for later.
   */
  graceOf(container: Container, probe?: 'livenessProbe' | 'startupProbe'): number {
    const { deletionGracePeriodSeconds } = this.pod.metadata
    if (this.gone && !this.isStatic) return 1
    if (this.evictionGrace !== undefined) return this.evictionGrace
    if (deletionGracePeriodSeconds !== undefined) return Math.max(1, deletionGracePeriodSeconds)
    const own = probe && container[probe]?.terminationGracePeriodSeconds
    return Math.max(1, own ?? this.pod.spec?.terminationGracePeriodSeconds ?? 30)
  }

  /** A probe's result is another one now. */
  probed(): void {
    this.save()
    this.retell()
  }

  /** How the pod stands is to be told again. */
  retell(): void {
    if (this.ended || this.gone) return
    if (this.isTerminating()) void this.statuses.write().catch((error) => this.host.ctx.report(`pod ${podLabel(this.pod)}`, error))
    else this.wake()
  }

  save(): void {
    if (!this.ended) this.host.records.save(this.record)
  }
}

function isStaticPod({ metadata: { annotations } }: Pod): boolean {
  return annotations?.['kubernetes.io/config.source'] === 'file' && annotations['kubernetes.io/config.mirror'] === undefined
}

/** Whether a change in the API is one that the kubelet acts on; its own status is not. */
function wantsSync(before: Pod, after: Pod): boolean {
  if (before.metadata.generation !== after.metadata.generation) return true
  if (before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp) return true
  if (before.spec !== after.spec && JSON.stringify(before.spec) !== JSON.stringify(after.spec)) return true
  const seen = ({ metadata, spec, status }: Pod) => {
    const gates = spec?.readinessGates?.map(({ conditionType }) => status?.conditions?.find(({ type }) => type === conditionType)?.status)
    const final = status?.phase === 'Failed' || status?.phase === 'Succeeded'
    return JSON.stringify([metadata.labels, metadata.annotations, gates, final])
  }
  return seen(before) !== seen(after)
}
