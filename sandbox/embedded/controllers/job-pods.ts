import type { ClusterContext } from '../machinery/context.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Job } from '../schema/types/batch.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { isPodFinished, podFromTemplate } from './pod.ts'
import { parseTime } from './time.ts'

/** A Job's Pods: how they are made, told apart and counted. */

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
export const indexKey = 'batch.kubernetes.io/job-completion-index'

export function isIndexed(job: Job): boolean {
  return job.spec?.completionMode === 'Indexed'
}

/** The completion index of a Pod of an indexed Job. */
export function indexOf(pod: Pod): number | undefined {
  const value = pod.metadata.annotations?.[indexKey]
  return value === undefined ? undefined : Number(value)
}

export function isTracked(pod: Pod): boolean {
  return Boolean(pod.metadata.finalizers?.includes(trackingFinalizer))
}

/** Counts as failed: it failed, or was deleted before it had finished and will not run any more. */
export function hasFailed(pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true
  return pod.metadata.deletionTimestamp !== undefined && !isPodFinished(pod) && !pod.spec?.nodeName
}

export function jobPod(job: Job, index: number | undefined): Pod {
  const pod = podFromTemplate(job.spec?.template ?? { metadata: {} }, job)
  pod.metadata.finalizers = [...(pod.metadata.finalizers ?? []), trackingFinalizer]
  if (index === undefined || !pod.spec) return pod
  const name = `${job.metadata.name}-${index}`
  pod.metadata.generateName = `${name}-`
  pod.metadata.annotations = { ...pod.metadata.annotations, [indexKey]: String(index) }
  pod.metadata.labels = { ...pod.metadata.labels, [indexKey]: String(index) }
  pod.spec.hostname = name
  const variable = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: `metadata.labels['${indexKey}']` } },
  }
  for (const container of [...(pod.spec.initContainers ?? []), ...pod.spec.containers]) {
    if (!container.env?.some((one) => one.name === variable.name)) container.env = [...(container.env ?? []), variable]
  }
  return pod
}

/** Lets Pods go that have been counted. */
export async function removeTracking(context: ClusterContext, pod: Pod): Promise<void> {
  const finalizers = pod.metadata.finalizers?.filter((finalizer) => finalizer !== trackingFinalizer)
  const { name = '', namespace, uid } = pod.metadata
  const patch = { metadata: { uid, finalizers: finalizers?.length ? finalizers : null } }
  try {
    await context.client.patch(resources.pods, name, patch, 'merge', { namespace })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

/** When the last container of a finished Pod ended, ms since the epoch. */
export function finishedAt(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) => parseTime(state?.terminated?.finishedAt))
  return Math.max(0, ...ends) || parseTime(pod.metadata.deletionTimestamp) || parseTime(pod.metadata.creationTimestamp)
}

/** "0-2,5" as numbers. */
export function parseIndexes(text: string | undefined): Set<number> {
  const indexes = new Set<number>()
  for (const part of (text ?? '').split(',').filter(Boolean)) {
    const [first = 0, last = first] = part.split('-').map(Number)
    for (let index = first; index <= last; index++) indexes.add(index)
  }
  return indexes
}

/** Numbers as "0-2,5". */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const ranges: [number, number][] = []
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last && last[1] === index - 1) last[1] = index
    else ranges.push([index, index])
  }
  return ranges
    .map(([first, last]) => (first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`))
    .join(',')
}
