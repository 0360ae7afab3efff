import type { Clock } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { type Resource, resources } from '../machinery/object.ts'
import type { ReplicaSet, ReplicaSetCondition, ReplicaSetStatus } from '../schema/types/apps.v1.ts'
import type { Pod, ReplicationController } from '../schema/types/core.v1.ts'
import { semanticEqual } from './equality.ts'
import { isNamespaceTerminating, messageOf } from './failure.ts'
import { candidatePods, claim, controllerOf, keyOf, splitKey, watchPodsOf } from './owner.ts'
import { availableAt, createPod, deletePod, isPodActive, isPodAvailable, isPodReady, podFromTemplate } from './pod.ts'
import { rankForDeletion } from './pod-ranking.ts'
import { restAfter, WorkQueue } from './queue.ts'
import { matchesLabels, matchesSelector } from './selector.ts'
import { timestamp } from './time.ts'

/** Most Pods made or deleted in one sync. */
const burstReplicas = 500
/** Calls of a batch that do not wait for a turn of the event loop. */
const calledAtOnce = 8

type Replicated = ReplicaSet | ReplicationController

/** A ReplicationController is a ReplicaSet of an older API: what differs is the selector, and the names. */
interface ReplicatedKind {
  readonly kind: Replicated['kind']
  readonly resource: Resource
  readonly component: string
  readonly selects: (set: Replicated, pod: Pod) => boolean
}

const replicaSet: ReplicatedKind = {
  kind: 'ReplicaSet',
  resource: resources.replicaSets,
  component: 'replicaset-controller',
  selects: (set, pod) => set.kind === 'ReplicaSet' && matchesSelector(set.spec?.selector, pod.metadata.labels),
}

const replicationController: ReplicatedKind = {
  kind: 'ReplicationController',
  resource: resources.replicationControllers,
  component: 'replication-controller',
  selects: (set, pod) => {
    if (set.kind !== 'ReplicationController' || !set.spec?.selector) return false
    return Object.keys(set.spec.selector).length > 0 && matchesLabels(set.spec.selector, pod.metadata.labels)
  },
}

/** Keeps as many Pods of each ReplicaSet as its spec asks for, and its status true. */
export function startReplicaSet(context: ClusterContext): Disposable {
  return start(context, replicaSet)
}

/** Keeps as many Pods of each ReplicationController as its spec asks for, and its status true. */
export function startReplicationController(context: ClusterContext): Disposable {
  return start(context, replicationController)
}

function start(context: ClusterContext, of: ReplicatedKind): Disposable {
  const { kind, resource, selects: matches } = of
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncReplicas(context, of, queue, key), { name: of.component }))
  stack.use(context.cache.watch<Replicated>(resource, ({ object }) => queue.add(keyOf(object))))
  stack.use(watchPodsOf<Replicated>(context, { resource, kind, matches }, (set) => queue.add(keyOf(set))))
  return stack
}

async function syncReplicas(context: ClusterContext, of: ReplicatedKind, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const set = context.cache.get<Replicated>(of.resource, name, namespace)
  if (!set?.spec) return
  const candidates = candidatePods(context, set).filter(isPodActive)
  const pods = await claim(context, set, resources.pods, candidates, (pod) => of.selects(set, pod))
  let failure: unknown
  if (!set.metadata.deletionTimestamp) {
    try {
      await manageReplicas(context, of, set, pods)
    } catch (error) {
      failure = error
    }
  }
  queue.pause(key, restAfter(pods.length))
  const now = context.clock.now()
  const updated = await updateStatus(context, of, set, calculateStatus(context, set, pods, failure))
  if (failure !== undefined) throw failure
  const minReadySeconds = updated.spec?.minReadySeconds ?? 0
  if (minReadySeconds > 0 && updated.status?.readyReplicas !== updated.status?.availableReplicas) {
    const waits = pods.filter((pod) => isPodReady(pod)).map((pod) => availableAt(pod, minReadySeconds) - now)
    const next = Math.min(...waits.filter((wait) => wait > 0))
    queue.addAfter(key, Number.isFinite(next) ? next : minReadySeconds * 1000)
  }
}

async function manageReplicas(context: ClusterContext, of: ReplicatedKind, set: Replicated, pods: readonly Pod[]): Promise<void> {
  const difference = pods.length - (set.spec?.replicas ?? 0)
  if (difference < 0) {
    await slowStart(context.clock, Math.min(-difference, burstReplicas), async () => {
      try {
        await createPod(context, of.component, set, podFromTemplate(set.spec?.template ?? { metadata: {} }, set))
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error
      }
    })
  } else if (difference > 0) {
    const count = Math.min(difference, burstReplicas)
    const ranked = count < pods.length ? rankForDeletion(pods, relatedPods(context, of, set), context.clock.now()) : pods
    const deletions = ranked.slice(0, count).map((pod) => () => deletePod(context, of.component, set, pod.metadata.name ?? ''))
    const failed = (await inTurns(context.clock, deletions)).find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }
}

/** Calls work count times in batches of 1, 2, 4...; the first batch with a failure is the last, and throws it. */
export async function slowStart(clock: Clock, count: number, work: () => Promise<void>): Promise<void> {
  let left = count
  for (let batch = Math.min(left, 1); batch > 0; batch = Math.min(2 * batch, left)) {
    const results = await inTurns(
      clock,
      Array.from({ length: batch }, () => work),
    )
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
    left -= batch
  }
}

/** Calls all of them at once, as far as the event loop leaves anybody else a turn. */
async function inTurns(clock: Clock, calls: readonly (() => Promise<void>)[]): Promise<PromiseSettledResult<void>[]> {
  return await Promise.allSettled(
    calls.map(async (call, index) => {
      if (index >= calledAtOnce) await clock.turn()
      await call()
    }),
  )
}

/** Pods of every ReplicaSet that has the same managing controller as this one. */
function relatedPods(context: ClusterContext, of: ReplicatedKind, set: Replicated): Pod[] {
  const owner = controllerOf(set)
  const sets = owner
    ? context.cache.list<Replicated>(of.resource, set.metadata.namespace).filter((other) => controllerOf(other)?.uid === owner.uid)
    : [set]
  return context.cache.list<Pod>(resources.pods, set.metadata.namespace).filter((pod) => {
    return sets.some((other) => of.selects(other, pod))
  })
}

function calculateStatus(context: ClusterContext, set: Replicated, pods: readonly Pod[], failure: unknown): ReplicaSetStatus {
  const { replicas = 0, minReadySeconds = 0, template } = set.spec ?? {}
  const labels = template?.metadata?.labels ?? {}
  const now = context.clock.now()
  const others = (set.status?.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure')
  const old = set.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
  const failed: ReplicaSetCondition = {
    type: 'ReplicaFailure',
    status: 'True',
    lastTransitionTime: timestamp(context),
    reason: pods.length < replicas ? 'FailedCreate' : 'FailedDelete',
    message: messageOf(failure),
  }
  const conditions = failure === undefined ? others : [...others, old ?? failed]
  const ready = pods.filter(isPodReady)
  const available = minReadySeconds === 0 ? ready : ready.filter((pod) => isPodAvailable(pod, minReadySeconds, now))
  return {
    replicas: pods.length,
    fullyLabeledReplicas: pods.filter((pod) => matchesLabels(labels, pod.metadata.labels)).length,
    readyReplicas: ready.length,
    availableReplicas: available.length,
    observedGeneration: set.metadata.generation,
    ...(conditions.length > 0 && { conditions }),
  }
}

async function updateStatus(context: ClusterContext, of: ReplicatedKind, set: Replicated, status: ReplicaSetStatus): Promise<Replicated> {
  const current = { fullyLabeledReplicas: 0, readyReplicas: 0, availableReplicas: 0, ...set.status }
  if (set.status && semanticEqual(current, status)) return set
  // Pods that are made or lost meanwhile do not touch the ReplicaSet itself; only a change of its own makes this a conflict.
  return await context.client.update<Replicated>(of.resource, { ...copyOf(set), status }, { subresource: 'status' })
}
