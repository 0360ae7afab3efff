import type { ClusterContext } from '../machinery/context.ts'
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '../schema/types/apps.v1.ts'
import { hasProgressDeadline, isComplete, maxUnavailable, replicasOf, sumReplicas, sumStatus } from './deployment-replicas.ts'
import { parseTime, timestamp } from './time.ts'

/** What the ReplicaSets add up to, and whether the Deployment has minimum availability. */
export function calculateStatus(
  context: ClusterContext,
  deployment: Deployment,
  all: readonly ReplicaSet[],
  current: ReplicaSet | undefined,
): DeploymentStatus {
  const available = sumStatus(all, 'availableReplicas')
  const status: DeploymentStatus = {
    observedGeneration: deployment.metadata.generation,
    replicas: sumStatus(all, 'replicas'),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sumStatus(all, 'readyReplicas'),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sumReplicas(all) - available),
    conditions: [...(deployment.status?.conditions ?? [])],
  }
  if (deployment.status?.collisionCount !== undefined) status.collisionCount = deployment.status.collisionCount
  const enough = available >= replicasOf(deployment) - maxUnavailable(deployment)
  setCondition(
    status,
    enough
      ? newCondition(context, 'Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
      : newCondition(context, 'Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'),
  )
  return status
}

/** The status of a rollout: as calculateStatus, with the Progressing condition moved on and replica failures taken over. */
export function rolloutStatus(
  context: ClusterContext,
  deployment: Deployment,
  all: readonly ReplicaSet[],
  current: ReplicaSet | undefined,
): DeploymentStatus {
  const status = calculateStatus(context, deployment, all, current)
  if (!hasProgressDeadline(deployment)) removeCondition(status, 'Progressing')
  const before = findCondition(deployment.status, 'Progressing')
  const finished = status.replicas === status.updatedReplicas && before?.reason === 'NewReplicaSetAvailable'
  if (hasProgressDeadline(deployment) && !finished) estimateProgress(context, deployment, status, before, current)
  const failure = replicaFailure(current ? [current, ...all] : all)
  if (failure) setCondition(status, failure)
  else removeCondition(status, 'ReplicaFailure')
  return status
}

function estimateProgress(
  context: ClusterContext,
  deployment: Deployment,
  status: DeploymentStatus,
  before: DeploymentCondition | undefined,
  current: ReplicaSet | undefined,
): void {
  const subject = current ? `ReplicaSet "${current.metadata.name}"` : `Deployment "${deployment.metadata.name}"`
  if (isComplete(deployment, status)) {
    setCondition(status, newCondition(context, 'Progressing', 'True', 'NewReplicaSetAvailable', `${subject} has successfully progressed.`))
  } else if (hasProgressed(deployment.status, status)) {
    const condition = newCondition(context, 'Progressing', 'True', 'ReplicaSetUpdated', `${subject} is progressing.`)
    if (before?.status === 'True') condition.lastTransitionTime = before.lastTransitionTime
    // Taken out first: the same reason again is still news, as its update time is what the deadline counts from.
    if (before) removeCondition(status, 'Progressing')
    setCondition(status, condition)
  } else if (hasTimedOut(context, deployment, status)) {
    setCondition(status, newCondition(context, 'Progressing', 'False', 'ProgressDeadlineExceeded', `${subject} has timed out progressing.`))
  }
}

/** New Pods were made or became ready or available, or old ones went. */
function hasProgressed(before: DeploymentStatus | undefined, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus | undefined) => (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0)
  return (
    (after.updatedReplicas ?? 0) > (before?.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before?.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before?.availableReplicas ?? 0)
  )
}

function hasTimedOut(context: ClusterContext, deployment: Deployment, status: DeploymentStatus): boolean {
  const condition = findCondition(status, 'Progressing')
  if (!condition || condition.reason === 'NewReplicaSetAvailable') return false
  if (condition.reason === 'ProgressDeadlineExceeded') return true
  return deadlineOf(deployment, condition) < context.clock.now()
}

/** When the rollout counts as stuck unless something moves before, ms since the epoch. */
export function deadlineOf(deployment: Deployment, progressing: DeploymentCondition): number {
  return parseTime(progressing.lastUpdateTime) + (deployment.spec?.progressDeadlineSeconds ?? 0) * 1000
}

function replicaFailure(sets: readonly ReplicaSet[]): DeploymentCondition | undefined {
  for (const set of sets) {
    const failure = set.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
    if (failure) return { ...failure, lastUpdateTime: failure.lastTransitionTime }
  }
  return undefined
}

export function newCondition(context: ClusterContext, type: string, status: string, reason: string, message: string): DeploymentCondition {
  const now = timestamp(context)
  return { type, status, lastUpdateTime: now, lastTransitionTime: now, reason, message }
}

export function findCondition(status: DeploymentStatus | undefined, type: string): DeploymentCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type)
}

/** Sets a condition unless status and reason are as they were; its transition time moves only with its status. */
export function setCondition(status: DeploymentStatus, condition: DeploymentCondition): void {
  const before = findCondition(status, condition.type)
  if (before?.status === condition.status && before.reason === condition.reason) return
  const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : condition.lastTransitionTime
  removeCondition(status, condition.type)
  status.conditions = [...(status.conditions ?? []), { ...condition, lastTransitionTime }]
}

function removeCondition(status: DeploymentStatus, type: string): void {
  status.conditions = status.conditions?.filter((condition) => condition.type !== type)
}
