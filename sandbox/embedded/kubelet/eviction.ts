import { podLimits } from '../admission/pod-resources.ts'
import type { DiskUse } from '../containers/runtime.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { formatQuantity, parseQuantity } from '../schema/quantity.ts'
import type { Container, Node, Pod } from '../schema/types/core.v1.ts'
import { requestOf } from './admission.ts'
import {
  availableText,
  binaryQuantity,
  durationMs,
  isBelow,
  type Observation,
  parseThresholds,
  type StarvedResource,
  signals,
  type Threshold,
  thresholdText,
  wholeOf,
} from './eviction-thresholds.ts'
import type { Kubelet } from './kubelet.ts'
import { nodeEvent, type Pressure } from './node.ts'
import type { PodWorker } from './pod-worker.ts'
import { qosClassOf } from './qos.ts'

/** ms between two looks at emptyDirs (volumeStatsAggPeriod). */
const volumesEvery = 60_000
/** Seconds that a Pod has which must go at once. */
const immediateGrace = 1
/** ms that a Pod which was ended is waited for (podCleanupTimeout). */
const cleanUpTimeout = 30_000
const systemCritical = 2_000_000_000

export interface EvictionParts {
  ctx: ClusterContext
  kubelet: Kubelet
  /** By signal: memory.available, nodefs.available, pid.available... */
  observe(): Record<string, Observation>
  /** Images that nothing runs from are removed. */
  collectImages(): void
  /** The node's conditions are other ones now. */
  onPressure(): void
}

/**
 * A kubelet's eviction manager: ends Pods that use more local storage than they may, and where the node runs low, Pods in the
 * order of what they use above their requests (pkg/kubelet/eviction).
 */
export class EvictionManager {
  private readonly parts: EvictionParts
  private readonly met = new Map<string, number>()
  private readonly observed = new Map<Pressure, number>()
  private volumesAt = Number.NEGATIVE_INFINITY
  private readonly volumeUse = new Map<string, Map<string, DiskUse>>()
  /** Who was ended last: nobody else is until it is gone, or half a minute is over. */
  private leaving: { worker: PodWorker; until: number } | undefined
  /** Those that were acted on, until what they ask for has been won back. */
  private unresolved: Threshold[] = []
  private pressed: ReadonlySet<Pressure> = new Set()

  constructor(parts: EvictionParts) {
    this.parts = parts
  }

  /** A kubelet that begins knows nothing of what its node was short of. */
  reset(): void {
    this.met.clear()
    this.observed.clear()
    this.volumeUse.clear()
    this.unresolved = []
    this.leaving = undefined
    this.volumesAt = Number.NEGATIVE_INFINITY
    this.pressed = new Set()
  }

  get pressure(): ReadonlySet<Pressure> {
    return this.pressed
  }

  /** Why a Pod is not taken on while the node is short of something. */
  refusal(pod: Pod): { reason: string; message: string } | undefined {
    if (this.pressed.size === 0 || isCritical(pod)) return undefined
    const memoryOnly = this.pressed.size === 1 && this.pressed.has('MemoryPressure')
    if (memoryOnly && (qosClassOf(pod) !== 'BestEffort' || toleratesMemoryPressure(pod))) return undefined
    return { reason: 'Evicted', message: `The node had condition: [${[...this.pressed].join(' ')}]. ` }
  }

  /** One round; the kubelet makes one every ten seconds. */
  look(): void {
    const { leaving } = this
    if (leaving?.worker.active && this.parts.ctx.clock.now() < leaving.until) return
    this.leaving = undefined
    const workers = this.parts.kubelet.workers().filter((worker) => worker.active && !worker.isTerminating())
    if (this.localStorage(workers)) return
    const now = this.parts.ctx.clock.now()
    const thresholds = this.thresholds()
    if (thresholds.length === 0 && this.pressed.size === 0) return
    const observations = this.parts.observe()
    const met = thresholds.filter((threshold) => {
      const open = this.unresolved.some((other) => keyOf(other) === keyOf(threshold))
      return isBelow(threshold, observations) || (open && isBelow(threshold, observations, true))
    })
    for (const key of [...this.met.keys()]) if (!met.some((threshold) => keyOf(threshold) === key)) this.met.delete(key)
    for (const threshold of met) {
      if (!this.met.has(keyOf(threshold))) this.met.set(keyOf(threshold), now)
      this.observed.set((signals[threshold.signal] as (typeof signals)[string]).condition, now)
    }
    this.settle(now)
    this.unresolved = met.filter((threshold) => now - (this.met.get(keyOf(threshold)) ?? now) >= threshold.grace)
    const ripe = this.unresolved.toSorted((one, other) => Number(isMemory(other)) - Number(isMemory(one)))
    if (ripe[0]) this.reclaim(ripe[0], ripe, observations, workers)
  }

  private reclaim(threshold: Threshold, met: Threshold[], observations: Record<string, Observation>, workers: PodWorker[]): void {
    const { ctx, kubelet } = this.parts
    const { resource } = signals[threshold.signal] as (typeof signals)[string]
    const node = ctx.cache.get<Node>(resources.nodes, kubelet.node.name)
    kubelet.say('I', 'eviction_manager.go:376', 'Eviction manager: attempting to reclaim', { resourceName: resource })
    if (node) nodeEvent(ctx, node, 'EvictionThresholdMet', `Attempting to reclaim ${resource}`, 'Warning')
    if (this.reclaimFromNode(resource)) {
      const text = 'Eviction manager: able to reduce resource pressure without evicting pods.'
      kubelet.say('I', 'eviction_manager.go:383', text, { resourceName: resource })
      return
    }
    kubelet.say('I', 'eviction_manager.go:387', 'Eviction manager: must evict pod(s) to reclaim', { resourceName: resource })
    if (workers.length === 0) {
      const text = 'Eviction manager: eviction thresholds have been met, but no pods are active to evict'
      kubelet.say('E', 'eviction_manager.go:399', text)
      return
    }
    this.lookAtVolumes(workers)
    const ranked = workers.sort((one, other) => this.rank(one, other, resource))
    kubelet.say('I', 'eviction_manager.go:405', 'Eviction manager: pods ranked for eviction', { pods: ranked.map(nameOf) })
    const first = met.find(({ signal }) => signals[signal]?.resource === resource) ?? threshold
    for (const worker of ranked) {
      if (this.evict(worker, this.message(worker, resource, first, observations), this.graceOf(worker, threshold), true)) return
    }
    kubelet.say('I', 'eviction_manager.go:439', 'Eviction manager: unable to evict any pods from the node')
  }

  /** Wins back what the node holds for itself; true where that is enough. */
  private reclaimFromNode(resource: StarvedResource): boolean {
    if (resource !== 'ephemeral-storage' && resource !== 'inodes') return false
    for (const worker of this.parts.kubelet.workers()) worker.dropEnded()
    this.parts.collectImages()
    const observations = this.parts.observe()
    return !this.thresholds().some((threshold) => isBelow(threshold, observations, true))
  }

  /** Seconds: who is asked by a soft threshold has what the configuration allows, of its own at most. */
  private graceOf({ pod }: PodWorker, { hard }: Threshold): number {
    if (hard) return immediateGrace
    const most = this.parts.kubelet.configured?.evictionMaxPodGracePeriod ?? 0
    return Math.max(1, Math.min(most, pod.spec?.terminationGracePeriodSeconds ?? most))
  }

  /**
   * Who uses more than it asked for goes first, then who matters less, then who is furthest above; of processes nobody can
   * ask for any.
   */
  private rank(one: PodWorker, other: PodWorker, resource: StarvedResource): number {
    const priority = (one.pod.spec?.priority ?? 0) - (other.pod.spec?.priority ?? 0)
    const usage = (worker: PodWorker) => this.usage(worker, resource)
    if (resource === 'pids') return priority || usage(other) - usage(one)
    const asked = (worker: PodWorker, what: 'memory' | 'ephemeral-storage') => Number(requestOf(worker.pod, what) / 1_000_000_000n)
    const request = (worker: PodWorker) => (resource === 'inodes' ? 0 : asked(worker, resource))
    const exceeds = Number(usage(other) > request(other)) - Number(usage(one) > request(one))
    // Files are set against the request for bytes, as the kubelet does.
    const over = (worker: PodWorker) => usage(worker) - asked(worker, resource === 'memory' ? 'memory' : 'ephemeral-storage')
    return exceeds || priority || over(other) - over(one)
  }

  private message(worker: PodWorker, resource: StarvedResource, threshold: Threshold, observations: Record<string, Observation>): string {
    const { containers = [], initContainers = [] } = worker.pod.spec ?? {}
    const about = ({ name, resources: { requests } = {} }: Container) => {
      const container = worker.containerNow(name)
      if (!container || (resource !== 'memory' && resource !== 'ephemeral-storage')) return ''
      const used = resource === 'memory' ? container.usage().memoryBytes : container.disk().bytes
      if (used <= Number(parseQuantity(requests?.[resource] ?? 0).nano / 1_000_000_000n)) return ''
      const asked = String(requests?.[resource] ?? 0)
      return `Container ${name} was using ${binaryQuantity(used)}, request is ${asked}, has larger consumption of ${resource}. `
    }
    const met = `Threshold quantity: ${thresholdText(threshold, observations)}, available: ${availableText(threshold, observations)}. `
    return `The node was low on resource: ${resource}. ${met}${[...containers, ...initContainers].map(about).join('')}`
  }

  private usage(worker: PodWorker, resource: StarvedResource): number {
    const { containers = [], initContainers = [] } = worker.pod.spec ?? {}
    const running = [...containers, ...initContainers].flatMap(({ name }) => worker.containerNow(name) ?? [])
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
    if (resource === 'memory') return sum(running.map((container) => container.usage().memoryBytes))
    if (resource === 'pids') return sum(running.map(({ machine }) => machine?.processes.size ?? 0))
    const disks = [...running.map((container) => container.disk()), ...(this.volumeUse.get(worker.record.uid)?.values() ?? [])]
    return sum(disks.map(({ bytes, inodes }) => (resource === 'inodes' ? inodes : bytes)))
  }

  private lookAtVolumes(workers: readonly PodWorker[]): void {
    for (const worker of workers) this.volumeUse.set(worker.record.uid, worker.emptyDirs())
  }

  /** Ends Pods above their own limits; true when there were any. */
  private localStorage(workers: PodWorker[]): boolean {
    const limited = workers.filter(({ limitsLocalStorage }) => limitsLocalStorage)
    const now = this.parts.ctx.clock.now()
    if (now - this.volumesAt >= volumesEvery) {
      this.volumesAt = now
      this.volumeUse.clear()
      this.lookAtVolumes(limited)
    }
    const evicted = limited.filter((worker) => {
      const why = this.aboveLimit(worker)
      return why !== undefined && this.evict(worker, why, immediateGrace, false)
    })
    return evicted.length > 0
  }

  private aboveLimit(worker: PodWorker): string | undefined {
    const { volumes = [], containers = [] } = worker.pod.spec ?? {}
    const used = this.volumeUse.get(worker.record.uid)
    for (const { name, emptyDir } of volumes) {
      const limit = emptyDir?.sizeLimit
      if (limit === undefined || (used?.get(name)?.bytes ?? 0) <= wholeOf(limit)) continue
      return `Usage of EmptyDir volume ${JSON.stringify(name)} exceeds the limit ${JSON.stringify(String(limit))}. `
    }
    const total = podLimits(worker.pod)['ephemeral-storage']
    if (total && this.usage(worker, 'ephemeral-storage') > wholeOf(formatQuantity(total)))
      return `Pod ephemeral local storage usage exceeds the total limit of containers ${formatQuantity(total)}. `
    const limitOf = ({ resources: { limits } = {} }: Container) => limits?.['ephemeral-storage']
    const full = containers.find((container) => {
      const limit = wholeOf(limitOf(container) ?? 0)
      return limit > 0 && (worker.containerNow(container.name)?.disk().bytes ?? 0) > limit
    })
    return full && `Container ${full.name} exceeded its local ephemeral storage limit ${JSON.stringify(String(limitOf(full)))}. `
  }

  private evict(worker: PodWorker, message: string, grace: number, disruption: boolean): boolean {
    const { kubelet } = this.parts
    if (worker.isStatic || isCritical(worker.pod)) {
      kubelet.say('E', 'eviction_manager.go:610', 'Eviction manager: cannot evict a critical pod', { pod: nameOf(worker) })
      return false
    }
    worker.evict(message, grace, disruption)
    this.leaving = { worker, until: this.parts.ctx.clock.now() + cleanUpTimeout }
    kubelet.say('I', 'eviction_manager.go:629', 'Eviction manager: pod is evicted successfully', { pod: nameOf(worker) })
    return true
  }

  private thresholds(): Threshold[] {
    const { configured } = this.parts.kubelet
    return configured ? parseThresholds(configured) : []
  }

  private settle(now: number): void {
    const period = durationMs(this.parts.kubelet.configured?.evictionPressureTransitionPeriod ?? '5m0s')
    const pressed = new Set([...this.observed].flatMap(([condition, at]) => (now - at < period ? [condition] : [])))
    const same = pressed.size === this.pressed.size && [...pressed].every((condition) => this.pressed.has(condition))
    this.pressed = pressed
    if (!same) this.parts.onPressure()
  }
}

function keyOf({ signal, quantity, grace, hard }: Threshold): string {
  return `${signal} ${quantity} ${grace} ${hard}`
}

function isMemory({ signal }: Threshold): boolean {
  return signal === 'memory.available'
}

function toleratesMemoryPressure({ spec }: Pod): boolean {
  const key = 'node.kubernetes.io/memory-pressure'
  return (spec?.tolerations ?? []).some(
    (one) =>
      (one.key === key || (!one.key && one.operator === 'Exists')) &&
      (one.operator === 'Exists' || !one.value) &&
      (!one.effect || one.effect === 'NoSchedule'),
  )
}

function isCritical({ spec }: Pod): boolean {
  return (spec?.priority ?? 0) >= systemCritical
}

function nameOf({ record }: PodWorker): string {
  return `${record.namespace}/${record.name}`
}
