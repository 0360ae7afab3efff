import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isNotFound } from '../machinery/errors.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import type { Pod, PodCondition, PodTemplateSpec } from '../schema/types/core.v1.ts'
import { isNamespaceTerminating, messageOf } from './failure.ts'
import { controllerReference } from './owner.ts'
import { formatTime, parseTime } from './time.ts'

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type)
}

export function isPodReady(pod: Pod): boolean {
  return podCondition(pod, 'Ready')?.status === 'True'
}

/** Ready for at least minReadySeconds at `now` (ms). */
export function isPodAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  if (!isPodReady(pod)) return false
  return minReadySeconds === 0 || availableAt(pod, minReadySeconds) <= now
}

/** When a ready Pod becomes available, ms since the epoch. */
export function availableAt(pod: Pod, minReadySeconds: number): number {
  return parseTime(podCondition(pod, 'Ready')?.lastTransitionTime) + minReadySeconds * 1000
}

export function isPodFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

/** Neither finished nor being deleted: what controllers count as one of their replicas. */
export function isPodActive(pod: Pod): boolean {
  return !isPodFinished(pod) && !pod.metadata.deletionTimestamp
}

/** Being deleted but not finished yet. */
export function isPodTerminating(pod: Pod): boolean {
  return !isPodFinished(pod) && pod.metadata.deletionTimestamp !== undefined
}

/** A Pod as the template says, owned by owner, with a generated name. */
export function podFromTemplate(template: PodTemplateSpec, owner: KubeObject): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {}
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      ...(labels && { labels: { ...labels } }),
      ...(annotations && { annotations: { ...annotations } }),
      ...(finalizers && { finalizers: [...finalizers] }),
      ownerReferences: [controllerReference(owner)],
    },
    spec: copyOf(template.spec ?? { containers: [] }),
  }
}

/** Creates a Pod for its owner and writes the owner's SuccessfulCreate or FailedCreate event. */
export async function createPod(context: ClusterContext, component: string, owner: KubeObject, pod: Pod): Promise<Pod> {
  try {
    const created = await context.client.create(resources.pods, pod, { namespace: owner.metadata.namespace })
    context.events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`, { component })
    return created
  } catch (error) {
    if (!isNamespaceTerminating(error)) {
      context.events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`, { component })
    }
    throw error
  }
}

/** Deletes an owner's Pod and writes the owner's SuccessfulDelete or FailedDelete event. A Pod already gone is no error. */
export async function deletePod(context: ClusterContext, component: string, owner: KubeObject, name: string): Promise<void> {
  try {
    await context.client.delete(resources.pods, name, owner.metadata.namespace)
  } catch (error) {
    if (isNotFound(error)) return
    context.events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`, { component })
    throw new Error(`unable to delete pods: ${messageOf(error)}`, { cause: error })
  }
  context.events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`, { component })
}

/** Sets or replaces a condition of a Pod's status; its transition time moves only with its status. False when nothing changed. */
export function setPodCondition(pod: Pod, condition: PodCondition, now: number): boolean {
  pod.status ??= {}
  pod.status.conditions ??= []
  const { conditions } = pod.status
  const index = conditions.findIndex(({ type }) => type === condition.type)
  const old = conditions[index]
  const next: PodCondition = {
    lastProbeTime: condition.lastProbeTime,
    lastTransitionTime: old?.status === condition.status ? old.lastTransitionTime : formatTime(now),
    ...condition,
  }
  if (old && old.status === next.status && old.reason === next.reason && old.message === next.message) return false
  if (index < 0) conditions.push(next)
  else conditions[index] = next
  return true
}
