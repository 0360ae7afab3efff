import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { parseQuantity } from '../schema/quantity.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import { requestOf } from './admission.ts'
import type { Kubelet } from './kubelet.ts'
import { nodeEvent, type Pressure } from './node.ts'
import type { PodWorker } from './pod-worker.ts'
import { qosClassOf } from './qos.ts'

/** ms between two looks at emptyDirs (volumeStatsAggPeriod). */
const volumesEvery = 60_000
/** Seconds that a Pod has which must go at once. */
const immediateGrace = 1
const systemCritical = 2_000_000_000

/** What a node has of something, and has left of it: bytes. */
export interface Observation {
  capacity: number
  available: number
}

export interface EvictionParts {
  ctx: ClusterContext
  kubelet: Kubelet
  /** By signal: memory.available, nodefs.available, imagefs.available. */
  observe(): Record<string, Observation>
  /** Images that nothing runs from are removed. */
  collectImages(): void
  /** The node's conditions are other ones now. */
  onPressure(): void
}

interface Threshold {
  signal: string
  /** As written. */
  quantity: string
  /** ms that it must have been met for. */
  grace: number
}

/** By signal: the resource as events name it, and the condition that follows. */
const signals: Record<string, { resource: 'memory' | 'ephemeral-storage'; condition: Pressure }> = {
  'memory.available': { resource: 'memory', condition: 'MemoryPressure' },
  'nodefs.available': { resource: 'ephemeral-storage', condition: 'DiskPressure' },
  'imagefs.available': { resource: 'ephemeral-storage', condition: 'DiskPressure' },
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
  private readonly volumeBytes = new Map<string, Map<string, number>>()
  private pressed: ReadonlySet<Pressure> = new Set()

  constructor(parts: EvictionParts) {
    this.parts = parts
  }

  /** A kubelet that begins knows nothing of what its node was short of. */
  reset(): void {
    this.met.clear()
    this.observed.clear()
    this.volumeBytes.clear()
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
    if (memoryOnly && qosClassOf(pod) !== 'BestEffort') return undefined
    return { reason: 'Evicted', message: `The node had condition: [${[...this.pressed].join(' ')}]. ` }
  }

  /** One round; the kubelet makes one every ten seconds. */
  look(): void {
    const workers = this.parts.kubelet.workers().filter((worker) => worker.active && !worker.isTerminating())
    if (this.localStorage(workers)) return
    const now = this.parts.ctx.clock.now()
    const thresholds = this.thresholds()
    if (thresholds.length === 0 && this.pressed.size === 0) return
    const observations = this.parts.observe()
    const met = thresholds.filter((threshold) => this.isMet(threshold, observations, now))
    for (const { signal } of met) this.observed.set((signals[signal] as (typeof signals)[string]).condition, now)
    this.settle(now)
    const ripe = met.filter((threshold) => now - (this.met.get(keyOf(threshold)) ?? now) >= threshold.grace)
    const [first] = ripe.sort((one, other) => Number(other.signal === 'memory.available') - Number(one.signal === 'memory.available'))
    if (first) this.reclaim(first, workers)
  }

  private reclaim(threshold: Threshold, workers: PodWorker[]): void {
    const { ctx, kubelet, collectImages, observe } = this.parts
    const { resource } = signals[threshold.signal] as (typeof signals)[string]
    const node = ctx.cache.get<Node>(resources.nodes, kubelet.node.name)
    kubelet.say('I', 'eviction_manager.go:376', 'Eviction manager: attempting to reclaim', { resourceName: resource })
    if (node) nodeEvent(ctx, node, 'EvictionThresholdMet', `Attempting to reclaim ${resource}`, 'Warning')
    if (resource === 'ephemeral-storage') {
      collectImages()
      if (!below(threshold, observe())) {
        const text = 'Eviction manager: able to reduce resource pressure without evicting pods.'
        kubelet.say('I', 'eviction_manager.go:383', text, { resourceName: resource })
        return
      }
    }
    kubelet.say('I', 'eviction_manager.go:387', 'Eviction manager: must evict pod(s) to reclaim', { resourceName: resource })
    const ranked = workers.sort((one, other) => this.rank(one, other, resource))
    kubelet.say('I', 'eviction_manager.go:405', 'Eviction manager: pods ranked for eviction', { pods: ranked.map(nameOf) })
    const available = observe()[threshold.signal]?.available ?? 0
    for (const worker of ranked) {
      if (this.evict(worker, this.message(worker, resource, threshold, available), true)) return
    }
    kubelet.say('I', 'eviction_manager.go:439', 'Eviction manager: unable to evict any pods from the node')
  }

  /** Who uses more than it asked for goes first, then who matters less, then who is furthest above. */
  private rank(one: PodWorker, other: PodWorker, resource: 'memory' | 'ephemeral-storage'): number {
    const over = (worker: PodWorker) => this.usage(worker, resource) - Number(requestOf(worker.pod, resource) / 1_000_000_000n)
    const exceeds = Number(over(other) > 0) - Number(over(one) > 0)
    return exceeds || (one.pod.spec?.priority ?? 0) - (other.pod.spec?.priority ?? 0) || over(other) - over(one)
  }

  private message(worker: PodWorker, resource: 'memory' | 'ephemeral-storage', threshold: Threshold, available: number): string {
    const containers = (worker.pod.spec?.containers ?? []).map(({ name, resources: { requests } = {} }) => {
      const used =
        resource === 'memory' ? (worker.containerNow(name)?.usage().memoryBytes ?? 0) : (worker.containerNow(name)?.diskBytes() ?? 0)
      const request = parseQuantity(requests?.[resource] ?? 0).nano / 1_000_000_000n
      if (used <= request) return ''
      const asked = String(requests?.[resource] ?? 0)
      return `Container ${name} was using ${binaryQuantity(used)}, request is ${asked}, has larger consumption of ${resource}. `
    })
    const met = `Threshold quantity: ${threshold.quantity}, available: ${binaryQuantity(available)}. `
    return `The node was low on resource: ${resource}. ${met}${containers.join('')}`
  }

  private usage(worker: PodWorker, resource: 'memory' | 'ephemeral-storage'): number {
    const containers = (worker.pod.spec?.containers ?? []).flatMap(({ name }) => worker.containerNow(name) ?? [])
    if (resource === 'memory') return containers.reduce((sum, container) => sum + container.usage().memoryBytes, 0)
    const volumes = [...(this.volumeBytes.get(worker.record.uid)?.values() ?? [])]
    return [...containers.map((container) => container.diskBytes()), ...volumes].reduce((sum, bytes) => sum + bytes, 0)
  }

  /** Ends Pods above their own limits; true when there were any. */
  private localStorage(workers: PodWorker[]): boolean {
    const limited = workers.filter(({ limitsLocalStorage }) => limitsLocalStorage)
    const now = this.parts.ctx.clock.now()
    if (now - this.volumesAt >= volumesEvery) {
      this.volumesAt = now
      this.volumeBytes.clear()
      for (const worker of limited) this.volumeBytes.set(worker.record.uid, worker.emptyDirs())
    }
    const evicted = limited.filter((worker) => {
      const why = this.aboveLimit(worker)
      return why !== undefined && this.evict(worker, why, false)
    })
    return evicted.length > 0
  }

  private aboveLimit(worker: PodWorker): string | undefined {
    const { volumes = [], containers = [] } = worker.pod.spec ?? {}
    const used = this.volumeBytes.get(worker.record.uid)
    for (const { name, emptyDir } of volumes) {
      const limit = emptyDir?.sizeLimit
      if (limit === undefined || (used?.get(name) ?? 0) <= bytesOf(limit)) continue
      return `Usage of EmptyDir volume ${JSON.stringify(name)} exceeds the limit ${JSON.stringify(String(limit))}. `
    }
    const limits = containers.map(({ resources: { limits: own } = {} }) => own?.['ephemeral-storage'])
    const total = limits.reduce<number>((sum, limit) => sum + bytesOf(limit ?? 0), 0)
    if (total === 0) return undefined
    if (limits.every((limit) => limit !== undefined) && this.usage(worker, 'ephemeral-storage') > total) {
      const shown = limits.length === 1 ? String(limits[0]) : binaryQuantity(total)
      return `Pod ephemeral local storage usage exceeds the total limit of containers ${shown}. `
    }
    const index = containers.findIndex(
      ({ name }, at) => limits[at] !== undefined && (worker.containerNow(name)?.diskBytes() ?? 0) > bytesOf(limits[at]),
    )
    if (index < 0) return undefined
    return `Container ${containers[index]?.name} exceeded its local ephemeral storage limit ${JSON.stringify(String(limits[index]))}. `
  }

  private evict(worker: PodWorker, message: string, disruption: boolean): boolean {
    const { kubelet } = this.parts
    if (worker.isStatic || isCritical(worker.pod)) {
      kubelet.say('E', 'eviction_manager.go:610', 'Eviction manager: cannot evict a critical pod', { pod: nameOf(worker) })
      return false
    }
    worker.evict(message, immediateGrace, disruption)
    kubelet.say('I', 'eviction_manager.go:629', 'Eviction manager: pod is evicted successfully', { pod: nameOf(worker) })
    return true
  }

  private thresholds(): Threshold[] {
    const { evictionHard = {}, evictionSoft = {}, evictionSoftGracePeriod = {} } = this.parts.kubelet.configured ?? {}
    const of = (given: Record<string, string>, grace: (signal: string) => number) =>
      Object.entries(given).flatMap(([signal, quantity]) => (signal in signals ? [{ signal, quantity, grace: grace(signal) }] : []))
    const soft = of(evictionSoft, (signal) => durationMs(evictionSoftGracePeriod[signal] ?? '0s'))
    return [...of(evictionHard, () => 0), ...soft].filter(({ quantity }) => Number.parseFloat(quantity) > 0)
  }

  private isMet(threshold: Threshold, observations: Record<string, Observation>, now: number): boolean {
    const key = keyOf(threshold)
    if (!below(threshold, observations)) {
      this.met.delete(key)
      return false
    }
    if (!this.met.has(key)) this.met.set(key, now)
    return true
  }

  private settle(now: number): void {
    const period = durationMs(this.parts.kubelet.configured?.evictionPressureTransitionPeriod ?? '5m0s')
    const pressed = new Set([...this.observed].flatMap(([condition, at]) => (now - at < period ? [condition] : [])))
    const same = pressed.size === this.pressed.size && [...pressed].every((condition) => this.pressed.has(condition))
    this.pressed = pressed
    if (!same) this.parts.onPressure()
  }
}

function keyOf({ signal, quantity, grace }: Threshold): string {
  return `${signal} ${quantity} ${grace}`
}

function below({ signal, quantity }: Threshold, observations: Record<string, Observation>): boolean {
  const observation = observations[signal]
  if (!observation) return false
  const wanted = quantity.endsWith('%') ? (observation.capacity * Number.parseFloat(quantity)) / 100 : bytesOf(quantity)
  return observation.available < wanted
}

function isCritical({ spec }: Pod): boolean {
  return (spec?.priority ?? 0) >= systemCritical
}

function nameOf({ record }: PodWorker): string {
  return `${record.namespace}/${record.name}`
}

function bytesOf(quantity: string | number | undefined): number {
  return Number(parseQuantity(quantity ?? 0).nano / 1_000_000_000n)
}

/** As Go prints a quantity of bytes: by the largest binary unit that leaves no rest. */
function binaryQuantity(bytes: number): string {
  let amount = Math.floor(bytes)
  let unit = 0
  while (amount > 0 && amount % 1024 === 0 && unit < 4) {
    amount /= 1024
    unit++
  }
  return `${amount}${['', 'Ki', 'Mi', 'Gi', 'Ti'][unit]}`
}

/** 1m30s, as Go reads it: ms. */
function durationMs(text: string): number {
  const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  return [...text.matchAll(/([\d.]+)(ms|s|m|h)/g)].reduce((sum, [, amount, unit = 's']) => sum + Number(amount) * (units[unit] ?? 0), 0)
}
