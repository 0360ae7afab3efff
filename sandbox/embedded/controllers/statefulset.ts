import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { resources } from '../machinery/object.ts'
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from '../schema/types/apps.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { listRevisions, revisionOf, templateOf, truncateHistory, updateRevision } from './controller-revision.ts'
import { semanticEqual } from './equality.ts'
import { candidatePods, claim, keyOf, splitKey, watchPodsOf } from './owner.ts'
import { availableAt, isPodAvailable, isPodFinished, isPodReady } from './pod.ts'
import { WorkQueue } from './queue.ts'
import { matchesSelector } from './selector.ts'
import {
  applyRetentionPolicy,
  component,
  createMissingClaims,
  createStatefulPod,
  deleteStatefulPod,
  newPod,
  ordinalOf,
  restoreIdentity,
  startOrdinal,
} from './statefulset-pod.ts'

/** One sync of one set. `replicas` holds a Pod, or none yet, for each ordinal; `condemned` the Pods beyond, highest first. */
interface Sync {
  readonly context: ClusterContext
  readonly set: StatefulSet
  readonly current: ControllerRevision
  readonly update: ControllerRevision
  readonly replicas: (Pod | undefined)[]
  readonly condemned: Pod[]
}

/** Keeps each StatefulSet's Pods, one for each ordinal, each with its name and claims, made and ended in order. */
export function startStatefulSet(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncStatefulSet(context, queue, key), { name: component }))
  stack.use(context.cache.watch<StatefulSet>(resources.statefulSets, ({ object }) => queue.add(keyOf(object))))
  stack.use(
    watchPodsOf<StatefulSet>(
      context,
      {
        resource: resources.statefulSets,
        kind: 'StatefulSet',
        matches: (set, pod) => matchesSelector(set.spec?.selector, pod.metadata.labels),
      },
      (set) => queue.add(keyOf(set)),
    ),
  )
  return stack
}

async function syncStatefulSet(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const set = context.cache.get<StatefulSet>(resources.statefulSets, name, namespace)
  if (!set?.spec) return
  const pods = await claim(context, set, resources.pods, candidatePods(context, set), (pod) => {
    return matchesSelector(set.spec?.selector, pod.metadata.labels) && ordinalOf(set, pod.metadata.name) >= 0
  })
  const revisions = await listRevisions(context, set)
  const update = await updateRevision(context, set, revisions)
  const current = revisions.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update
  const sync = arrange(context, set, current, update, pods)
  let failure: unknown
  if (!set.metadata.deletionTimestamp) {
    try {
      await reconcile(sync)
    } catch (error) {
      failure = error
    }
  }
  await writeStatus(sync)
  if (failure !== undefined) throw failure
  const live = new Set([current.metadata.name, update.metadata.name, ...pods.map(revisionOf)])
  await truncateHistory(context, set, await listRevisions(context, set), live)
  checkAvailabilityLater(sync, queue, key)
}

function arrange(
  context: ClusterContext,
  set: StatefulSet,
  current: ControllerRevision,
  update: ControllerRevision,
  pods: readonly Pod[],
): Sync {
  const start = startOrdinal(set)
  const replicas: (Pod | undefined)[] = new Array(set.spec?.replicas ?? 1).fill(undefined)
  const condemned: Pod[] = []
  for (const pod of pods) {
    const index = ordinalOf(set, pod.metadata.name) - start
    if (index >= 0 && index < replicas.length) replicas[index] = pod
    else condemned.push(pod)
  }
  condemned.sort((a, b) => ordinalOf(set, b.metadata.name) - ordinalOf(set, a.metadata.name))
  return { context, set, current, update, replicas, condemned }
}

async function reconcile(sync: Sync): Promise<void> {
  const inOrder = sync.set.spec?.podManagementPolicy !== 'Parallel'
  const unavailable = [...sync.replicas, ...[...sync.condemned].reverse()].find((pod) => !pod || !isAvailable(sync, pod))
  for (const index of sync.replicas.keys()) if ((await processReplica(sync, index, inOrder)) && inOrder) return
  for (const pod of sync.condemned) await applyRetentionPolicy(sync.context, sync.set, pod, true)
  for (const pod of sync.condemned) if ((await processCondemned(sync, pod, unavailable, inOrder)) && inOrder) return
  await rollingUpdate(sync)
}

/** True when the next ordinal must wait for this one. */
async function processReplica(sync: Sync, index: number, inOrder: boolean): Promise<boolean> {
  const { context, set } = sync
  const ordinal = startOrdinal(set) + index
  const pod = sync.replicas[index]
  if (pod && isPodFinished(pod)) {
    if (!pod.metadata.deletionTimestamp) await deleteStatefulPod(context, set, pod)
    return true
  }
  if (!pod) {
    await createStatefulPod(context, set, podFor(sync, ordinal), ordinal)
    const created = context.cache.get<Pod>(resources.pods, `${set.metadata.name}-${ordinal}`, set.metadata.namespace)
    // Counted once it is seen, not in the sync that makes it.
    if (created) await applyRetentionPolicy(context, set, created, false)
    return true
  }
  if (pod.status?.phase === 'Pending') await createMissingClaims(context, set, pod, ordinal)
  if (inOrder && (pod.metadata.deletionTimestamp || !isAvailable(sync, pod))) return true
  await applyRetentionPolicy(context, set, pod, false)
  await restoreIdentity(context, set, pod)
  return false
}

/** A new Pod has the new template, but for ordinals that a rolling update has not come to. */
function podFor({ set, current, update }: Sync, ordinal: number): Pod {
  const { type, rollingUpdate } = set.spec?.updateStrategy ?? {}
  const start = startOrdinal(set)
  const bound = rollingUpdate ? (rollingUpdate.partition ?? 0) : (set.status?.currentReplicas ?? 0)
  const revision = type === 'RollingUpdate' && ordinal < start + bound ? current : update
  return newPod(set, templateOf(revision, set.spec?.template ?? { metadata: {} }), revision.metadata.name ?? '', ordinal)
}

/** True when Pods of lower ordinals must wait for this one. */
async function processCondemned(sync: Sync, pod: Pod, firstUnavailable: Pod | undefined, inOrder: boolean): Promise<boolean> {
  if (pod.metadata.deletionTimestamp) return true
  if (inOrder && !isAvailable(sync, pod) && pod !== firstUnavailable) return true
  await deleteStatefulPod(sync.context, sync.set, pod)
  return true
}

/** Ends one Pod of an old revision, the highest ordinal first, once all above it are available in the new one. */
async function rollingUpdate({ context, set, update, replicas }: Sync): Promise<void> {
  if (set.spec?.updateStrategy?.type === 'OnDelete') return
  const partition = set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0
  for (let index = replicas.length - 1; index >= partition; index--) {
    const pod = replicas[index]
    if (pod && revisionOf(pod) !== update.metadata.name && !pod.metadata.deletionTimestamp) {
      await deleteStatefulPod(context, set, pod)
      return
    }
    if (!pod || !isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, context.clock.now())) return
  }
}

function isAvailable({ context, set }: Sync, pod: Pod): boolean {
  return pod.status?.phase === 'Running' && isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, context.clock.now())
}

async function writeStatus(sync: Sync): Promise<void> {
  const { context, set } = sync
  const status = calculateStatus(sync)
  const defaults = { replicas: 0, readyReplicas: 0, currentReplicas: 0, updatedReplicas: 0, availableReplicas: 0, collisionCount: 0 }
  if (set.status?.observedGeneration !== undefined && semanticEqual({ ...defaults, ...set.status }, { ...defaults, ...status })) return
  const latest = context.cache.get<StatefulSet>(resources.statefulSets, set.metadata.name ?? '', set.metadata.namespace)
  if (latest?.metadata.uid !== set.metadata.uid) return
  await context.client.update<StatefulSet>(resources.statefulSets, { ...copyOf(set), status }, { subresource: 'status' })
}

function calculateStatus({ context, set, current, update, replicas, condemned }: Sync): StatefulSetStatus {
  // As they are by now, which for those just ended is not as they were.
  const pods = [...replicas, ...condemned]
    .map((pod) => pod && context.cache.get<Pod>(resources.pods, pod.metadata.name ?? '', pod.metadata.namespace))
    .filter((pod) => pod !== undefined)
  const ready = pods.filter((pod) => pod.status?.phase === 'Running' && isPodReady(pod))
  const staying = pods.filter((pod) => !pod.metadata.deletionTimestamp)
  const status: StatefulSetStatus = {
    observedGeneration: set.metadata.generation,
    replicas: pods.length,
    readyReplicas: ready.length,
    availableReplicas: ready.filter((pod) => isPodAvailable(pod, set.spec?.minReadySeconds ?? 0, context.clock.now())).length,
    currentReplicas: staying.filter((pod) => revisionOf(pod) === current.metadata.name).length,
    updatedReplicas: staying.filter((pod) => revisionOf(pod) === update.metadata.name).length,
    currentRevision: current.metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: set.status?.collisionCount ?? 0,
  }
  const wanted = set.spec?.replicas ?? 1
  const complete = status.updatedReplicas === wanted && status.readyReplicas === wanted && status.replicas === wanted
  if (complete && set.spec?.updateStrategy?.type === 'RollingUpdate') {
    status.currentReplicas = status.updatedReplicas
    status.currentRevision = status.updateRevision
  }
  return status
}

function checkAvailabilityLater({ context, set, replicas }: Sync, queue: WorkQueue, key: string): void {
  const minReadySeconds = set.spec?.minReadySeconds ?? 0
  if (minReadySeconds === 0) return
  const waits = replicas
    .filter((pod) => pod !== undefined && isPodReady(pod))
    .map((pod) => availableAt(pod as Pod, minReadySeconds) - context.clock.now())
  const next = Math.min(...waits.filter((wait) => wait > 0))
  if (Number.isFinite(next)) queue.addAfter(key, next)
}
