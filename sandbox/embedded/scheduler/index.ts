import { messageOf } from '../controllers/failure.ts'
import { keyOf, splitKey } from '../controllers/owner.ts'
import { isPodFinished, setPodCondition } from '../controllers/pod.ts'
import { claimsOf } from '../controllers/volume-matching.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isNotFound } from '../machinery/errors.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import { nominated, podNominated } from '../machinery/pod-indexes.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { type Filtered, type FilterPlugin, runFilters } from './filter.ts'
import { failureMessage } from './message.ts'
import { nodeAffinity, nodeName, nodePorts, nodeResourcesFit, nodeUnschedulable, taintToleration } from './node-filters.ts'
import { interPodAffinity, interPodAffinityScore } from './pod-affinity.ts'
import { preempt } from './preemption.ts'
import { type Entry, SchedulingQueue } from './queue.ts'
import {
  balancedAllocation,
  bestNode,
  imageLocality,
  leastAllocated,
  nodeAffinityScore,
  type ScorePlugin,
  taintTolerationScore,
} from './score.ts'
import { type Cycle, type NodeInfo, nodeInfo, priorityOf, replaceNode, Snapshots } from './snapshot.ts'
import { podTopologySpread, podTopologySpreadScore } from './topology-spread.ts'
import { nodeVolumeLimits, volumeRestrictions, volumeZone } from './volume-rules.ts'
import { bindVolumes, volumeBinding } from './volumes.ts'
import { watchCluster } from './watch.ts'

const component = 'default-scheduler'

const filters: readonly FilterPlugin[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  volumeRestrictions,
  nodeVolumeLimits,
  volumeBinding,
  volumeZone,
  podTopologySpread,
  interPodAffinity,
]

const scores: readonly ScorePlugin[] = [
  taintTolerationScore,
  nodeAffinityScore,
  leastAllocated,
  podTopologySpreadScore,
  interPodAffinityScore,
  balancedAllocation,
  imageLocality,
]

/** Gives each Pod that has no node one, as kube-scheduler with its default profile does. */
export function startScheduler(context: ClusterContext): Disposable {
  const scheduler = new Scheduler(context)
  const stack = new DisposableStack()
  stack.use(scheduler)
  stack.use(watchCluster(context, scheduler.queue))
  return stack
}

class Scheduler implements Disposable {
  readonly queue: SchedulingQueue
  private readonly context: ClusterContext
  private readonly snapshots: Snapshots
  /** Nodes of Pods whose binding is under way, by the Pods' keys. */
  private readonly assumed = new Map<string, string>()
  private running = false
  private disposed = false

  constructor(context: ClusterContext) {
    this.context = context
    this.snapshots = new Snapshots(context)
    this.queue = new SchedulingQueue(context, () => this.start())
  }

  [Symbol.dispose](): void {
    this.disposed = true
    this.queue[Symbol.dispose]()
    this.snapshots[Symbol.dispose]()
  }

  private start(): void {
    if (this.running || this.disposed) return
    this.running = true
    void this.context.clock.during(this.run())
  }

  private async run(): Promise<void> {
    for (;;) {
      await this.context.clock.turn()
      const entry = this.disposed ? undefined : this.queue.pop()
      if (!entry) break
      await this.attempt(entry)
    }
    this.running = false
  }

  private async attempt(entry: Entry): Promise<void> {
    const { namespace, name } = splitKey(entry.key)
    const pod = this.context.cache.get<Pod>(resources.pods, name, namespace)
    if (!pod || pod.spec?.nodeName || pod.metadata.deletionTimestamp) {
      this.queue.remove(entry.key)
      return
    }
    try {
      await this.schedule(entry, pod)
    } catch (error) {
      if (!this.disposed) await this.fail(entry, pod, error)
    }
  }

  private async schedule(entry: Entry, pod: Pod): Promise<void> {
    const cycle: Cycle = { context: this.context, pod, nodes: this.snapshots.take(this.assumed) }
    if (cycle.nodes.length === 0) {
      await this.reject(entry, pod, 'no nodes available to schedule pods')
      this.queue.putAside(entry, new Set())
      return
    }
    const filtered = runFilters(filters, withNominated(cycle))
    const best = bestNode(scores, cycle, filtered.fitting)
    if (!best) await this.putAside(entry, cycle, filtered)
    else await this.bind(entry, pod, best)
  }

  private async putAside(entry: Entry, cycle: Cycle, { rejected, refused }: Filtered): Promise<void> {
    const preemption = refused ? undefined : await preempt(filters, cycle, rejected)
    const message = preemption && 'message' in preemption ? preemption.message : undefined
    const nominated = preemption && 'node' in preemption ? preemption.node : undefined
    await this.reject(entry, cycle.pod, failureMessage(cycle.nodes.length, rejected, refused, message), nominated)
    this.queue.putAside(entry, new Set([...rejected.values()].map(({ plugin }) => plugin)))
  }

  private async bind(entry: Entry, pod: Pod, { node, name }: NodeInfo): Promise<void> {
    this.assumed.set(entry.key, name)
    if (claimsOf(pod).length === 0) {
      await this.finish(entry, pod, name)
      return
    }
    // Volumes may take their time; other Pods need not wait for them.
    const bound = bindVolumes(this.context, pod, node).then(() => this.finish(entry, pod, name))
    void bound.catch((error: unknown) => {
      this.assumed.delete(entry.key)
      return this.disposed ? undefined : this.fail(entry, pod, error)
    })
  }

  private async finish(entry: Entry, pod: Pod, node: string): Promise<void> {
    const { name, namespace, uid = '' } = pod.metadata
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    }
    try {
      await this.context.client.create<KubeObject>(resources.pods, binding, { namespace, name, subresource: 'binding' })
    } finally {
      this.assumed.delete(entry.key)
    }
    this.queue.remove(entry.key)
    this.context.events.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${keyOf(pod)} to ${node}`, { component })
  }

  /** An attempt that broke, rather than found no node. */
  private async fail(entry: Entry, pod: Pod, error: unknown): Promise<void> {
    if (isNotFound(error) && !this.context.cache.get<Pod>(resources.pods, pod.metadata.name ?? '', pod.metadata.namespace)) {
      this.queue.remove(entry.key)
      return
    }
    this.context.report(`${component}: ${entry.key}`, error)
    await this.reject(entry, pod, messageOf(error), undefined, 'SchedulerError').catch((second: unknown) =>
      this.context.report(component, second),
    )
    this.queue.retry(entry)
  }

  /** Says in an event and in the Pod's PodScheduled condition why it has no node. */
  private async reject(entry: Entry, pod: Pod, message: string, nominated?: string, reason = 'Unschedulable'): Promise<void> {
    this.context.events.event(pod, 'Warning', 'FailedScheduling', shorten(message), { component })
    const current = this.context.cache.get<Pod>(resources.pods, pod.metadata.name ?? '', pod.metadata.namespace)
    if (!current) {
      this.queue.remove(entry.key)
      return
    }
    const copy = copyOf(current)
    const { generation, name = '', namespace } = copy.metadata
    const condition = { type: 'PodScheduled', status: 'False', reason, message, ...(generation && { observedGeneration: generation }) }
    const changed = setPodCondition(copy, condition, this.context.clock.now())
    const nominate = nominated !== undefined && nominated !== current.status?.nominatedNodeName
    if (!changed && !nominate) return
    const status = {
      ...(changed && { conditions: copy.status?.conditions?.filter(({ type }) => type === 'PodScheduled') }),
      ...(nominate && { nominatedNodeName: nominated }),
    }
    await this.context.client.patch(resources.pods, name, { status }, 'strategic', { namespace, subresource: 'status' })
  }
}

/** Counts Pods for which room was made as if they were on their nodes already, unless they matter less than this one. */
function withNominated(cycle: Cycle): Cycle {
  let { nodes } = cycle
  for (const pod of cycle.context.cache.indexed<Pod>(resources.pods, podNominated, nominated)) {
    const name = pod.status?.nominatedNodeName
    if (!name || pod.spec?.nodeName || isPodFinished(pod) || pod.metadata.uid === cycle.pod.metadata.uid) continue
    const info = nodes.find((other) => other.name === name)
    if (info && priorityOf(pod) >= priorityOf(cycle.pod)) nodes = replaceNode(nodes, nodeInfo(info.node, [...info.pods, pod]))
  }
  return { ...cycle, nodes }
}

/** Events hold at most 1024 characters. */
function shorten(message: string): string {
  return message.length > 1024 ? `${message.slice(0, 1020)} ...` : message
}
