import type { Deployment, DeploymentStatus, ReplicaSet } from '../schema/types/apps.v1.ts'
import { semanticEqual } from './equality.ts'
import { scaledValue } from './int-or-percent.ts'

/** How many Pods a Deployment's ReplicaSets may have: the arithmetic of rolling updates and proportional scaling. */

export const annotations = {
  revision: 'deployment.kubernetes.io/revision',
  revisionHistory: 'deployment.kubernetes.io/revision-history',
  desiredReplicas: 'deployment.kubernetes.io/desired-replicas',
  maxReplicas: 'deployment.kubernetes.io/max-replicas',
  rollbackTo: 'deprecated.deployment.rollback.to',
  lastApplied: 'kubectl.kubernetes.io/last-applied-configuration',
} as const

export const templateHashLabel = 'pod-template-hash'

/** Text with which spec fields say "no limit". */
const unlimited = 2 ** 31 - 1

export function replicasOf(object: Deployment | ReplicaSet): number {
  return object.spec?.replicas ?? 0
}

export function isRollingUpdate(deployment: Deployment): boolean {
  return deployment.spec?.strategy?.type === 'RollingUpdate'
}

/**
 * maxSurge rounded up and maxUnavailable rounded down; where both come to nothing maxUnavailable is 1, as a rollout could
 * not move otherwise.
 */
function resolveFenceposts(deployment: Deployment): { surge: number; unavailable: number } {
  const { maxSurge, maxUnavailable } = deployment.spec?.strategy?.rollingUpdate ?? {}
  const surge = scaledValue(maxSurge, replicasOf(deployment), 'up')
  const unavailable = scaledValue(maxUnavailable, replicasOf(deployment), 'down')
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

export function maxSurge(deployment: Deployment): number {
  return isRollingUpdate(deployment) ? resolveFenceposts(deployment).surge : 0
}

export function maxUnavailable(deployment: Deployment): number {
  if (!isRollingUpdate(deployment) || replicasOf(deployment) === 0) return 0
  return Math.min(resolveFenceposts(deployment).unavailable, replicasOf(deployment))
}

/** Size that the new ReplicaSet may take now. */
export function newReplicaCount(deployment: Deployment, all: readonly ReplicaSet[], current: number): number {
  if (!isRollingUpdate(deployment)) return replicasOf(deployment)
  const allowed = replicasOf(deployment) + maxSurge(deployment)
  const total = sumReplicas(all)
  if (total >= allowed) return current
  return current + Math.min(allowed - total, replicasOf(deployment) - current)
}

/** Replicas to add to (or, negative, to take from) a ReplicaSet so that it keeps its share while the Deployment is scaled. */
export function proportion(set: ReplicaSet, deployment: Deployment, toAdd: number, added: number): number {
  if (replicasOf(set) === 0 || toAdd === 0 || toAdd === added) return 0
  const fraction = shareOf(set, deployment)
  const allowed = toAdd - added
  return toAdd > 0 ? Math.min(fraction, allowed) : Math.max(fraction, allowed)
}

function shareOf(set: ReplicaSet, deployment: Deployment): number {
  if (replicasOf(deployment) === 0) return -replicasOf(set)
  const before = Number(set.metadata.annotations?.[annotations.maxReplicas] ?? 0) || (deployment.status?.replicas ?? 0)
  if (before === 0) return 0
  const size = (replicasOf(set) * (replicasOf(deployment) + maxSurge(deployment))) / before
  return Math.round(size) - replicasOf(set)
}

export function sumReplicas(sets: readonly ReplicaSet[]): number {
  return sets.reduce((sum, set) => sum + replicasOf(set), 0)
}

export function sumStatus(sets: readonly ReplicaSet[], field: 'replicas' | 'readyReplicas' | 'availableReplicas'): number {
  return sets.reduce((sum, set) => sum + (set.status?.[field] ?? 0), 0)
}

/** All replicas are of the new template and available, and no old Pod runs. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const replicas = replicasOf(deployment)
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  )
}

/** The new ReplicaSet holds every replica of the Deployment, all of them available. */
export function isSaturated(deployment: Deployment, set: ReplicaSet): boolean {
  const replicas = replicasOf(deployment)
  const desired = set.metadata.annotations?.[annotations.desiredReplicas]
  return replicasOf(set) === replicas && desired === String(replicas) && (set.status?.availableReplicas ?? 0) === replicas
}

export function hasProgressDeadline(deployment: Deployment): boolean {
  const deadline = deployment.spec?.progressDeadlineSeconds
  return deadline !== undefined && deadline !== unlimited
}

export function hasRevisionHistoryLimit(deployment: Deployment): boolean {
  const limit = deployment.spec?.revisionHistoryLimit
  return limit !== undefined && limit !== unlimited
}

/** Revisions are 64 bits wide. */
export function revisionOf(object: Deployment | ReplicaSet): bigint {
  const revision = object.metadata.annotations?.[annotations.revision] ?? ''
  return /^-?\d+$/.test(revision) ? BigInt(revision) : 0n
}

/** Whether a ReplicaSet was made from the Deployment's present template; the hash label apart. */
export function hasTemplateOf(set: ReplicaSet, deployment: Deployment): boolean {
  return semanticEqual(withoutHash(set.spec?.template), withoutHash(deployment.spec?.template))
}

function withoutHash(template: { metadata: { labels?: Record<string, string> } } | undefined): unknown {
  if (!template) return undefined
  const { [templateHashLabel]: _hash, ...labels } = template.metadata?.labels ?? {}
  return { ...template, metadata: { ...template.metadata, labels } }
}

/** Oldest first. */
export function byCreation(a: ReplicaSet, b: ReplicaSet): number {
  return (
    compareText(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') ||
    compareText(a.metadata.name ?? '', b.metadata.name ?? '')
  )
}

export function byRevision(a: ReplicaSet, b: ReplicaSet): number {
  const difference = revisionOf(a) - revisionOf(b)
  return difference === 0n ? byCreation(a, b) : difference < 0n ? -1 : 1
}

/** Largest first, and among equals the newer. */
export function bySizeNewer(a: ReplicaSet, b: ReplicaSet): number {
  return replicasOf(b) - replicasOf(a) || byCreation(b, a)
}

/** Largest first, and among equals the older. */
export function bySizeOlder(a: ReplicaSet, b: ReplicaSet): number {
  return replicasOf(b) - replicasOf(a) || byCreation(a, b)
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
