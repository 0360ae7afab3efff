import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { resources } from '../machinery/object.ts'
import { podController } from '../machinery/pod-indexes.ts'
import type { Deployment, ReplicaSet } from '../schema/types/apps.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import {
  annotations,
  byCreation,
  hasProgressDeadline,
  hasTemplateOf,
  isComplete,
  maxUnavailable,
  newReplicaCount,
  replicasOf,
  sumReplicas,
  sumStatus,
} from './deployment-replicas.ts'
import { cleanUpHistory, newReplicaSet } from './deployment-revision.ts'
import { type Rollout, scaleProportionally, scaleReplicaSet } from './deployment-scale.ts'
import { calculateStatus, deadlineOf, findCondition, newCondition, rolloutStatus, setCondition } from './deployment-status.ts'
import { semanticEqual } from './equality.ts'
import { claim, controllerOf, keyOf, splitKey } from './owner.ts'
import { isPodFinished } from './pod.ts'
import { WorkQueue } from './queue.ts'
import { isEmptySelector, matchesSelector } from './selector.ts'

const component = 'deployment-controller'

/** Rolls each Deployment's ReplicaSets towards its template, as its strategy says, and keeps its status true. */
export function startDeployment(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncDeployment(context, queue, key), { name: component }))
  stack.use(context.cache.watch<Deployment>(resources.deployments, ({ object }) => queue.add(keyOf(object))))
  stack.use(
    context.cache.watch<ReplicaSet>(resources.replicaSets, ({ type, object, previous }) => {
      enqueueOwner(context, queue, object)
      if (previous && controllerOf(previous)?.uid !== controllerOf(object)?.uid) enqueueOwner(context, queue, previous)
      if (controllerOf(object) || type === 'DELETED') return
      for (const deployment of context.cache.list<Deployment>(resources.deployments, object.metadata.namespace)) {
        if (matchesSelector(deployment.spec?.selector, object.metadata.labels)) queue.add(keyOf(deployment))
      }
    }),
  )
  stack.use(
    context.cache.watch<Pod>(resources.pods, ({ type, object }) => {
      // A Recreate Deployment waits until the last old Pod has stopped, which no ReplicaSet tells it.
      if (type === 'ADDED' || (type === 'MODIFIED' && !isPodFinished(object))) return
      const owner = controllerOf(object)
      const set = owner && context.cache.get<ReplicaSet>(resources.replicaSets, owner.name, object.metadata.namespace)
      if (set) enqueueOwner(context, queue, set)
    }),
  )
  return stack
}

function enqueueOwner(context: ClusterContext, queue: WorkQueue, set: ReplicaSet): void {
  const owner = controllerOf(set)
  if (owner?.kind !== 'Deployment') return
  const deployment = context.cache.get<Deployment>(resources.deployments, owner.name, set.metadata.namespace)
  if (deployment?.metadata.uid === owner.uid) queue.add(keyOf(deployment))
}

async function syncDeployment(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const cached = context.cache.get<Deployment>(resources.deployments, name, namespace)
  if (!cached?.spec) return
  const deployment = copyOf(cached)
  if (isEmptySelector(deployment.spec?.selector)) {
    const message = 'This deployment is selecting all pods. A non-empty selector is required.'
    context.events.event(deployment, 'Warning', 'SelectingAll', message, { component })
    return
  }
  const owned = await claim(
    context,
    deployment,
    resources.replicaSets,
    context.cache.list<ReplicaSet>(resources.replicaSets, namespace),
    (set) => matchesSelector(deployment.spec?.selector, set.metadata.labels),
  )
  const rollout = rolloutOf(context, deployment, owned)
  if (deployment.metadata.deletionTimestamp)
    return await writeStatus(rollout, calculateStatus(context, deployment, all(rollout), rollout.current))
  await checkPaused(rollout)
  if (deployment.spec?.paused || (await isScalingEvent(rollout))) return await scale(rollout)
  if (deployment.spec?.strategy?.type === 'Recreate') await rolloutRecreate(rollout)
  else await rolloutRolling(rollout)
  await writeStatus(rollout, rolloutStatus(context, deployment, all(rollout), rollout.current))
  checkProgressLater(rollout, queue, key)
}

/** Tells the ReplicaSet of the present template, the oldest if there are several, from the earlier ones. */
function rolloutOf(context: ClusterContext, deployment: Deployment, owned: readonly ReplicaSet[]): Rollout {
  const sets = [...owned].sort(byCreation)
  const current = sets.find((set) => hasTemplateOf(set, deployment))
  return { context, component, deployment, current, old: sets.filter((set) => set !== current) }
}

function all({ old, current }: Rollout): ReplicaSet[] {
  return current ? [...old, current] : old
}

async function writeStatus({ context, deployment }: Rollout, status: Deployment['status']): Promise<void> {
  const defaults = { replicas: 0, updatedReplicas: 0, readyReplicas: 0, availableReplicas: 0, unavailableReplicas: 0 }
  if (deployment.status && semanticEqual({ ...defaults, ...deployment.status }, { ...defaults, ...status })) return
  deployment.status = status
  await updateStatus(context, deployment)
}

/**
 * Writes status (and the revision annotation, which goes with it). As in kube-controller-manager the Deployment stays as it was
 * read: what a sync writes after this is a conflict, and the next sync starts from what is stored.
 */
async function updateStatus(context: ClusterContext, deployment: Deployment): Promise<void> {
  await context.client.update<Deployment>(resources.deployments, deployment, { subresource: 'status' })
}

/** Says in the Progressing condition that the Deployment has been paused or resumed, so that a pause is not taken for a stall. */
async function checkPaused({ context, deployment }: Rollout): Promise<void> {
  if (!hasProgressDeadline(deployment)) return
  const condition = findCondition(deployment.status, 'Progressing')
  if (condition?.reason === 'ProgressDeadlineExceeded') return
  const known = condition?.reason === 'DeploymentPaused'
  if (Boolean(deployment.spec?.paused) === known) return
  deployment.status ??= {}
  setCondition(
    deployment.status,
    deployment.spec?.paused
      ? newCondition(context, 'Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused')
      : newCondition(context, 'Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed'),
  )
  await updateStatus(context, deployment)
}

/** Whether spec.replicas has changed since the active ReplicaSets were last sized. */
async function isScalingEvent(rollout: Rollout): Promise<boolean> {
  if (rollout.current) await syncRevision(rollout)
  return all(rollout).some((set) => {
    const desired = set.metadata.annotations?.[annotations.desiredReplicas]
    return replicasOf(set) > 0 && desired !== undefined && desired !== String(replicasOf(rollout.deployment))
  })
}

/** Finds or makes the ReplicaSet of the present template and brings its revision and the Deployment's into line. */
async function syncRevision(rollout: Rollout): Promise<void> {
  rollout.current = await newReplicaSet(rollout, (deployment) => updateStatus(rollout.context, deployment))
}

/** Scales without going on with a rollout: for paused Deployments, and when spec.replicas changes. */
async function scale(rollout: Rollout): Promise<void> {
  if (rollout.current) await syncRevision(rollout)
  await scaleProportionally(rollout)
  if (rollout.deployment.spec?.paused) await cleanUpHistory(rollout)
  await writeStatus(rollout, calculateStatus(rollout.context, rollout.deployment, all(rollout), rollout.current))
}

async function rolloutRolling(rollout: Rollout): Promise<void> {
  await syncRevision(rollout)
  if (await reconcileNew(rollout)) return
  if (await reconcileOld(rollout)) return
  if (isComplete(rollout.deployment, rollout.deployment.status ?? {})) await cleanUpHistory(rollout)
}

async function reconcileNew(rollout: Rollout): Promise<boolean> {
  const { current, deployment } = rollout
  if (!current || replicasOf(current) === replicasOf(deployment)) return false
  const size =
    replicasOf(current) > replicasOf(deployment) ? replicasOf(deployment) : newReplicaCount(deployment, all(rollout), replicasOf(current))
  return await scaleReplicaSet(rollout, current, size)
}

/** Takes Pods from the old ReplicaSets: unhealthy ones first, then as many as availability allows. */
async function reconcileOld(rollout: Rollout): Promise<boolean> {
  const { deployment, current } = rollout
  if (!current || sumReplicas(rollout.old) === 0) return false
  const minAvailable = replicasOf(deployment) - maxUnavailable(deployment)
  const unavailableNew = replicasOf(current) - (current.status?.availableReplicas ?? 0)
  const most = sumReplicas(all(rollout)) - minAvailable - unavailableNew
  if (most <= 0) return false
  const cleaned = await cleanUpUnhealthy(rollout, most)
  const taken = await scaleDownOld(rollout, minAvailable)
  return cleaned + taken > 0
}

async function cleanUpUnhealthy(rollout: Rollout, most: number): Promise<number> {
  let total = 0
  for (const set of activeOld(rollout)) {
    const unhealthy = replicasOf(set) - (set.status?.availableReplicas ?? 0)
    if (total >= most || unhealthy <= 0) continue
    const count = Math.min(most - total, unhealthy)
    await scaleReplicaSet(rollout, set, replicasOf(set) - count)
    total += count
  }
  return total
}

async function scaleDownOld(rollout: Rollout, minAvailable: number): Promise<number> {
  const most = sumStatus(all(rollout), 'availableReplicas') - minAvailable
  let total = 0
  for (const set of activeOld(rollout)) {
    if (total >= most) break
    const count = Math.min(replicasOf(set), most - total)
    await scaleReplicaSet(rollout, set, replicasOf(set) - count)
    total += count
  }
  return total
}

function activeOld(rollout: Rollout): ReplicaSet[] {
  return rollout.old.filter((set) => replicasOf(set) > 0)
}

async function rolloutRecreate(rollout: Rollout): Promise<void> {
  if (rollout.current) await syncRevision(rollout)
  const active = activeOld(rollout)
  for (const set of active) await scaleReplicaSet(rollout, set, 0)
  if (active.length > 0 || oldPodsRun(rollout)) return
  await syncRevision(rollout)
  if (rollout.current) await scaleReplicaSet(rollout, rollout.current, replicasOf(rollout.deployment))
  if (isComplete(rollout.deployment, rollout.deployment.status ?? {})) await cleanUpHistory(rollout)
}

function oldPodsRun({ context, old }: Rollout): boolean {
  if (sumStatus(old, 'replicas') > 0) return true
  return old.some(({ metadata }) =>
    context.cache.indexed<Pod>(resources.pods, podController, metadata.uid ?? '').some((pod) => !isPodFinished(pod)),
  )
}

/** Plans the sync that finds a rollout stuck, should nothing move until its deadline. */
function checkProgressLater({ context, deployment }: Rollout, queue: WorkQueue, key: string): void {
  const condition = findCondition(deployment.status, 'Progressing')
  if (!condition || !hasProgressDeadline(deployment)) return
  if (isComplete(deployment, deployment.status ?? {}) || condition.reason === 'ProgressDeadlineExceeded') return
  queue.addAfter(key, Math.max(0, deadlineOf(deployment, condition) - context.clock.now()) + 1000)
}
