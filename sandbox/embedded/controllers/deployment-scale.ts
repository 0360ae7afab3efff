import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { resources } from '../machinery/object.ts'
import type { Deployment, ReplicaSet } from '../schema/types/apps.v1.ts'
import {
  annotations,
  byCreation,
  bySizeNewer,
  bySizeOlder,
  isRollingUpdate,
  isSaturated,
  maxSurge,
  proportion,
  replicasOf,
  sumReplicas,
} from './deployment-replicas.ts'

/** One sync of one Deployment: the copy that is worked on, the ReplicaSet of its template, and the earlier ones. */
export interface Rollout {
  readonly context: ClusterContext
  /** Named as the source of events. */
  readonly component: string
  readonly deployment: Deployment
  current: ReplicaSet | undefined
  old: ReplicaSet[]
}

/**
 * Sizes a ReplicaSet and writes the Deployment's ScalingReplicaSet event; the rollout then holds the ReplicaSet as stored.
 * False when it had that size.
 */
export async function scaleReplicaSet(rollout: Rollout, set: ReplicaSet, size: number): Promise<boolean> {
  if (replicasOf(set) === size) return false
  await resize(rollout, set, size)
  return true
}

/**
 * Scales without a rollout: the one active ReplicaSet takes the whole change; several share it by their sizes, so that a
 * rollout under way keeps its proportions.
 */
export async function scaleProportionally(rollout: Rollout): Promise<void> {
  const { deployment, current, old } = rollout
  const sets = current ? [...old, current] : old
  if (sets.length === 0) return
  const active = sets.filter((set) => replicasOf(set) > 0)
  if (active.length <= 1) {
    const only = active[0] ?? current ?? [...old].sort(byCreation).at(-1)
    if (only) await scaleReplicaSet(rollout, only, replicasOf(deployment))
    return
  }
  if (current && isSaturated(deployment, current)) {
    for (const set of active) if (set !== current) await scaleReplicaSet(rollout, set, 0)
    return
  }
  if (!isRollingUpdate(deployment)) return
  for (const [set, size] of shares(deployment, active)) await resize(rollout, set, size)
}

function shares(deployment: Deployment, active: readonly ReplicaSet[]): Map<ReplicaSet, number> {
  const allowed = replicasOf(deployment) > 0 ? replicasOf(deployment) + maxSurge(deployment) : 0
  const toAdd = allowed - sumReplicas(active)
  const sets = [...active]
  if (toAdd > 0) sets.sort(bySizeNewer)
  if (toAdd < 0) sets.sort(bySizeOlder)
  const sizes = new Map<ReplicaSet, number>()
  let added = 0
  for (const set of sets) {
    const share = proportion(set, deployment, toAdd, added)
    sizes.set(set, replicasOf(set) + share)
    added += share
  }
  const largest = sets[0]
  // What rounding has left over goes to the largest.
  if (largest && toAdd !== 0) sizes.set(largest, Math.max(0, (sizes.get(largest) ?? 0) + toAdd - added))
  return sizes
}

async function resize(rollout: Rollout, set: ReplicaSet, size: number): Promise<void> {
  const { context, deployment, component } = rollout
  const before = replicasOf(set)
  const marks = replicaAnnotations(deployment)
  const marked = Object.entries(marks).every(([key, value]) => set.metadata.annotations?.[key] === value)
  if (before === size && marked) return
  const copy = copyOf(set)
  copy.spec = { ...(copy.spec ?? { selector: {} }), replicas: size }
  copy.metadata.annotations = { ...copy.metadata.annotations, ...marks }
  const updated = await context.client.update<ReplicaSet>(resources.replicaSets, copy)
  if (rollout.current === set) rollout.current = updated
  rollout.old = rollout.old.map((other) => (other === set ? updated : other))
  if (before === size) return
  const message = `Scaled ${before < size ? 'up' : 'down'} replica set ${set.metadata.name} from ${before} to ${size}`
  context.events.event(deployment, 'Normal', 'ScalingReplicaSet', message, { component })
}

/** What each ReplicaSet remembers of its Deployment's size, from which a change of it is told. */
export function replicaAnnotations(deployment: Deployment): Record<string, string> {
  return {
    [annotations.desiredReplicas]: String(replicasOf(deployment)),
    [annotations.maxReplicas]: String(replicasOf(deployment) + maxSurge(deployment)),
  }
}
