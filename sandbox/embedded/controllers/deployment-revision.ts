import { copyOf } from '../machinery/copy.ts'
import { isAlreadyExists } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Deployment, ReplicaSet } from '../schema/types/apps.v1.ts'
import {
  annotations,
  byRevision,
  hasProgressDeadline,
  hasRevisionHistoryLimit,
  hasTemplateOf,
  newReplicaCount,
  replicasOf,
  revisionOf,
  templateHashLabel,
} from './deployment-replicas.ts'
import { type Rollout, replicaAnnotations } from './deployment-scale.ts'
import { findCondition, newCondition, setCondition } from './deployment-status.ts'
import { isNamespaceTerminating, messageOf } from './failure.ts'
import { controllerReference, isControlledBy } from './owner.ts'
import { podTemplateHash } from './pod-template-hash.ts'

type WriteStatus = (deployment: Deployment) => Promise<void>

/** Annotations of a Deployment that its ReplicaSets do not inherit. */
const ownAnnotations = new Set<string>(Object.values(annotations))

/** Most characters of revisions kept in the history annotation. */
const maxHistoryLength = 2000

/**
 * The ReplicaSet of the Deployment's template, made if there is none, with the highest revision of all; the Deployment's
 * own revision and Progressing condition follow it. Throws what a failed creation threw, after saying so in status and event.
 */
export async function newReplicaSet(rollout: Rollout, writeStatus: WriteStatus): Promise<ReplicaSet> {
  const highest = [...rollout.old].sort(byRevision).at(-1)
  const revision = (highest ? revisionOf(highest) : 0n) + 1n
  return rollout.current ? await reuse(rollout, rollout.current, revision, writeStatus) : await create(rollout, revision, writeStatus)
}

async function reuse(rollout: Rollout, set: ReplicaSet, revision: bigint, writeStatus: WriteStatus): Promise<ReplicaSet> {
  const { context, deployment } = rollout
  const copy = copyOf(set)
  const minReadySeconds = deployment.spec?.minReadySeconds ?? 0
  const changed = annotate(copy, deployment, revision)
  if (copy.spec && (changed || (copy.spec.minReadySeconds ?? 0) !== minReadySeconds)) {
    copy.spec.minReadySeconds = minReadySeconds
    return await context.client.update<ReplicaSet>(resources.replicaSets, copy)
  }
  let update = setRevision(deployment, revisionOf(copy))
  if (hasProgressDeadline(deployment) && !findCondition(deployment.status, 'Progressing')) {
    deployment.status ??= {}
    const message = `Found new replica set "${set.metadata.name}"`
    setCondition(deployment.status, newCondition(context, 'Progressing', 'True', 'FoundNewReplicaSet', message))
    update = true
  }
  if (update) await writeStatus(deployment)
  return set
}

async function create(rollout: Rollout, revision: bigint, writeStatus: WriteStatus): Promise<ReplicaSet> {
  const { context, component, deployment, old } = rollout
  const set = replicaSetFor(rollout, revision)
  const size = newReplicaCount(deployment, old, 0)
  if (set.spec) set.spec.replicas = size
  deployment.status ??= {}
  let created: ReplicaSet
  try {
    created = await context.client.create<ReplicaSet>(resources.replicaSets, set, { namespace: deployment.metadata.namespace })
  } catch (error) {
    if (isAlreadyExists(error)) return await settleCollision(rollout, set, error, writeStatus)
    if (isNamespaceTerminating(error)) throw error
    const message = `Failed to create new replica set "${set.metadata.name}": ${messageOf(error)}`
    if (hasProgressDeadline(deployment)) {
      setCondition(deployment.status, newCondition(context, 'Progressing', 'False', 'ReplicaSetCreateError', message))
      await writeStatus(deployment)
    }
    context.events.event(deployment, 'Warning', 'ReplicaSetCreateError', message, { component })
    throw error
  }
  if (size > 0) {
    const message = `Scaled up replica set ${created.metadata.name} from 0 to ${size}`
    context.events.event(deployment, 'Normal', 'ScalingReplicaSet', message, { component })
  }
  let update = setRevision(deployment, revision)
  if (hasProgressDeadline(deployment)) {
    const message = `Created new replica set "${created.metadata.name}"`
    setCondition(deployment.status, newCondition(context, 'Progressing', 'True', 'NewReplicaSetCreated', message))
    update = true
  }
  if (update) await writeStatus(deployment)
  return created
}

/** A ReplicaSet of that name is there: ours from before, or another template with the same hash, which the next sync avoids. */
async function settleCollision(rollout: Rollout, set: ReplicaSet, error: unknown, writeStatus: WriteStatus): Promise<ReplicaSet> {
  const { context, deployment } = rollout
  const existing = context.cache.get<ReplicaSet>(resources.replicaSets, set.metadata.name ?? '', deployment.metadata.namespace)
  if (existing && isControlledBy(existing, deployment) && hasTemplateOf(existing, deployment)) return existing
  deployment.status = { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 }
  await writeStatus(deployment)
  throw error
}

function replicaSetFor({ deployment }: Rollout, revision: bigint): ReplicaSet {
  const { selector, template, minReadySeconds } = copyOf(deployment.spec) ?? { selector: {}, template: { metadata: {} } }
  const hash = podTemplateHash(template, deployment.status?.collisionCount)
  const labels = { ...template.metadata?.labels, [templateHashLabel]: hash }
  const name = deployment.metadata.name ?? ''
  const set: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name.slice(0, 253 - 1 - hash.length)}-${hash}`,
      namespace: deployment.metadata.namespace,
      labels,
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds && { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [templateHashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  }
  annotate(set, deployment, revision)
  set.metadata.annotations = { ...set.metadata.annotations, ...replicaAnnotations(deployment) }
  return set
}

/** Copies the Deployment's annotations and raises the revision, keeping the ones it had in its history. False: nothing new. */
function annotate(set: ReplicaSet, deployment: Deployment, revision: bigint): boolean {
  let changed = false
  const target = { ...set.metadata.annotations }
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (ownAnnotations.has(key) || target[key] === value) continue
    target[key] = value
    changed = true
  }
  const before = target[annotations.revision]
  if (revisionOf(set) < revision) {
    target[annotations.revision] = String(revision)
    if (before !== undefined) target[annotations.revisionHistory] = withRevision(target[annotations.revisionHistory] ?? '', before)
    changed = true
  }
  set.metadata.annotations = target
  return changed
}

function withRevision(history: string, revision: string): string {
  const revisions = [...history.split(',').filter(Boolean), revision]
  while (revisions.length > 1 && revisions.join(',').length > maxHistoryLength) revisions.shift()
  return revisions.join(',')
}

function setRevision(deployment: Deployment, revision: bigint): boolean {
  if (revisionOf(deployment) === revision) return false
  deployment.metadata.annotations = { ...deployment.metadata.annotations, [annotations.revision]: String(revision) }
  return true
}

/** Deletes the oldest ReplicaSets that nothing uses, down to the Deployment's revisionHistoryLimit. */
export async function cleanUpHistory({ context, deployment, old }: Rollout): Promise<void> {
  if (!hasRevisionHistoryLimit(deployment)) return
  const alive = old.filter((set) => !set.metadata.deletionTimestamp).sort(byRevision)
  const excess = alive.length - (deployment.spec?.revisionHistoryLimit ?? 0)
  for (const set of alive.slice(0, Math.max(0, excess))) {
    const settled = (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0)
    if (replicasOf(set) !== 0 || (set.status?.replicas ?? 0) !== 0 || !settled) continue
    await context.client.delete(resources.replicaSets, set.metadata.name ?? '', deployment.metadata.namespace)
  }
}
