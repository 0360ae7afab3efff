import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { resources } from '../machinery/object.ts'
import { podNode } from '../machinery/pod-indexes.ts'
import type { Lease } from '../schema/types/coordination.v1.ts'
import type { Node, NodeCondition, Pod, Taint } from '../schema/types/core.v1.ts'
import { semanticEqual } from './equality.ts'
import { isPodFinished, isPodReady, setPodCondition } from './pod.ts'
import { WorkQueue } from './queue.ts'
import { parseTime, timestamp } from './time.ts'

const component = 'node-controller'

/** A node that has not been heard of for so long is not known to be ready, ms. */
const gracePeriod = 50_000

const notReady = 'node.kubernetes.io/not-ready'
const unreachable = 'node.kubernetes.io/unreachable'
const unschedulable = 'node.kubernetes.io/unschedulable'

/** Taints by condition and status, effect NoSchedule. */
const conditionTaints: Record<string, Record<string, string>> = {
  Ready: { False: notReady, Unknown: unreachable },
  MemoryPressure: { True: 'node.kubernetes.io/memory-pressure' },
  DiskPressure: { True: 'node.kubernetes.io/disk-pressure' },
  PIDPressure: { True: 'node.kubernetes.io/pid-pressure' },
  NetworkUnavailable: { True: 'node.kubernetes.io/network-unavailable' },
}
const managed = new Set([unschedulable, ...Object.values(conditionTaints).flatMap((keys) => Object.values(keys))])

/** Notices nodes that have fallen silent, and keeps the taints that follow from a node's conditions and cordon. */
export function startNodeLifecycle(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (name) => syncNode(context, queue, name), { name: component }))
  stack.use(
    context.cache.watch<Node>(resources.nodes, ({ type, object }) => {
      const name = object.metadata.name ?? ''
      queue.add(name)
      if (type === 'DELETED')
        context.events.event(object, 'Normal', 'RemovingNode', `Node ${name} event: Removing Node ${name} from Controller`, { component })
      if (type === 'ADDED')
        context.events.event(object, 'Normal', 'RegisteredNode', `Node ${name} event: Registered Node ${name} in Controller`, { component })
    }),
  )
  stack.use(
    context.cache.watch<Lease>(resources.leases, ({ object }) => {
      if (object.metadata.namespace !== 'kube-node-lease') return
      const name = object.metadata.name ?? ''
      const node = context.cache.get<Node>(resources.nodes, name)
      // A heartbeat of a node that is known to be well changes nothing; the check planned last time reads the newer lease.
      if (node && readyOf(node)?.status === 'Unknown') queue.add(name)
    }),
  )
  return stack
}

async function syncNode(context: ClusterContext, queue: WorkQueue, name: string): Promise<void> {
  const cached = context.cache.get<Node>(resources.nodes, name)
  if (!cached) return
  const silentAt = lastHeard(context, cached) + gracePeriod
  let node = cached
  if (silentAt <= context.clock.now()) node = await markUnknown(context, cached)
  else queue.addAfter(name, silentAt - context.clock.now())
  await syncTaints(context, node)
  await markPodsNotReady(context, node)
}

function readyOf(node: Node): NodeCondition | undefined {
  return node.status?.conditions?.find(({ type }) => type === 'Ready')
}

/** The latest sign of life: the lease, the status, or the node's creation; ms since the epoch. */
function lastHeard(context: ClusterContext, node: Node): number {
  const lease = context.cache.get<Lease>(resources.leases, node.metadata.name ?? '', 'kube-node-lease')
  const ready = readyOf(node)
  const status = ready && ready.status !== 'Unknown' ? parseTime(ready.lastHeartbeatTime) : 0
  return Math.max(parseTime(lease?.spec?.renewTime), status, parseTime(node.metadata.creationTimestamp))
}

async function markUnknown(context: ClusterContext, node: Node): Promise<Node> {
  const types = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure']
  const conditions = [...(node.status?.conditions ?? [])]
  for (const type of types) {
    const index = conditions.findIndex((condition) => condition.type === type)
    const old = conditions[index]
    if (old?.status === 'Unknown') continue
    const next: NodeCondition = {
      type,
      status: 'Unknown',
      reason: old ? 'NodeStatusUnknown' : 'NodeStatusNeverUpdated',
      message: old ? 'Kubelet stopped posting node status.' : 'Kubelet never posted node status.',
      lastHeartbeatTime: old?.lastHeartbeatTime ?? node.metadata.creationTimestamp,
      lastTransitionTime: timestamp(context),
    }
    if (index < 0) conditions.push(next)
    else conditions[index] = next
  }
  if (semanticEqual(conditions, node.status?.conditions)) return node
  if (readyOf(node)?.status === 'True') {
    context.events.event(node, 'Normal', 'NodeNotReady', `Node ${node.metadata.name} status is now: NodeNotReady`, { component })
  }
  const status = { ...copyOf(node.status), conditions }
  return await context.client.update<Node>(resources.nodes, { ...copyOf(node), status }, { subresource: 'status' })
}

async function syncTaints(context: ClusterContext, node: Node): Promise<void> {
  const wanted = wantedTaints(node)
  const present = node.spec?.taints ?? []
  const kept = present.filter((taint) => !managed.has(taint.key) || wanted.some((other) => sameTaint(taint, other)))
  const added = wanted.filter((taint) => !present.some((other) => sameTaint(taint, other)))
  if (added.length === 0 && kept.length === present.length) return
  const now = timestamp(context)
  const taints = [...kept, ...added.map((taint) => ({ ...taint, timeAdded: now }))]
  const patch = { metadata: { resourceVersion: node.metadata.resourceVersion }, spec: { taints: taints.length > 0 ? taints : null } }
  await context.client.patch(resources.nodes, node.metadata.name ?? '', patch, 'merge')
}

function wantedTaints(node: Node): Taint[] {
  const taints: Taint[] = []
  if (node.spec?.unschedulable) taints.push({ key: unschedulable, effect: 'NoSchedule' })
  for (const { type, status } of node.status?.conditions ?? []) {
    const key = conditionTaints[type]?.[status]
    if (!key) continue
    taints.push({ key, effect: 'NoSchedule' })
    if (type === 'Ready') taints.push({ key, effect: 'NoExecute' })
  }
  return taints
}

function sameTaint(a: Taint, b: Taint): boolean {
  return a.key === b.key && a.effect === b.effect
}

/** Pods of a node that does not answer are not ready, whatever they were last. */
async function markPodsNotReady(context: ClusterContext, node: Node): Promise<void> {
  const ready = readyOf(node)
  if (!ready || ready.status === 'True') return
  for (const pod of context.cache.indexed<Pod>(resources.pods, podNode, node.metadata.name ?? '')) {
    if (isPodFinished(pod) || !isPodReady(pod)) continue
    const copy = copyOf(pod)
    setPodCondition(copy, { type: 'Ready', status: 'False' }, context.clock.now())
    const status = { conditions: copy.status?.conditions?.filter(({ type }) => type === 'Ready') }
    const { name = '', namespace } = pod.metadata
    await context.client.patch(resources.pods, name, { status }, 'strategic', { namespace, subresource: 'status' })
    context.events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready', { component })
  }
}
