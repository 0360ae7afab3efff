import type { ClusterContext } from '../machinery/context.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Job } from '../schema/types/batch.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { judgeFailure } from './job-policies.ts'
import { podFromTemplate } from './pod.ts'

/** A Job's Pods: how they are made, told apart and let go. */

export const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
const indexKey = 'batch.kubernetes.io/job-completion-index'
const failureCountKey = 'batch.kubernetes.io/job-index-failure-count'
const ignoredCountKey = 'batch.kubernetes.io/job-index-ignored-failure-count'

/** Longest prefix of a generated name. */
const longestPrefix = 58

export function isIndexed(job: Job): boolean {
  return job.spec?.completionMode === 'Indexed'
}

export function hasLimitPerIndex(job: Job): boolean {
  return job.spec?.backoffLimitPerIndex !== undefined
}

/** Replaces Pods only once they have failed, not while they are ending. */
export function replacesFailedOnly({ spec }: Job): boolean {
  return spec?.podReplacementPolicy === 'Failed' || spec?.podFailurePolicy !== undefined
}

/** The completion index of a Pod of an indexed Job, if it has a sound one. */
export function indexOf(pod: Pod): number | undefined {
  const value = pod.metadata.annotations?.[indexKey]
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined
}

/** The completion index, if the Job has that many completions. */
export function validIndexOf(job: Job, pod: Pod): number | undefined {
  const index = indexOf(pod)
  return index !== undefined && index < (job.spec?.completions ?? 0) ? index : undefined
}

export function isTracked(pod: Pod): boolean {
  return Boolean(pod.metadata.finalizers?.includes(trackingFinalizer))
}

/** Failed, or deleted before it could and, unless only failed Pods are replaced, taken for failed. */
export function hasFailed(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true
  if (replacesFailedOnly(job)) return false
  return pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== 'Succeeded'
}

/** How often the Pod's index had failed before it: counted failures, and those that the failure policy ignores. */
export function indexFailures(pod: Pod): { counted: number; ignored: number } {
  return { counted: countIn(pod, failureCountKey), ignored: countIn(pod, ignoredCountKey) }
}

function countIn(pod: Pod, key: string): number {
  const value = pod.metadata.annotations?.[key]
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : 0
}

/** A Pod of the Job; of one index, if the Job is indexed, in place of a failed one, if there was one. */
export function jobPod(job: Job, index: number | undefined, replaced: Pod | undefined): Pod {
  const pod = podFromTemplate(job.spec?.template ?? { metadata: {} }, job)
  const { metadata, spec } = pod
  if (!metadata.finalizers?.includes(trackingFinalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), trackingFinalizer]
  if (index === undefined || !spec) return pod
  metadata.generateName = generateNameFor(job, index)
  metadata.annotations = { ...metadata.annotations, [indexKey]: String(index) }
  metadata.labels = { ...metadata.labels, [indexKey]: String(index) }
  if (hasLimitPerIndex(job)) Object.assign(metadata.annotations, failureCounts(job, replaced))
  spec.hostname = `${job.metadata.name}-${index}`
  const variable = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: `metadata.labels['${indexKey}']` } },
  }
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    if (!container.env?.some((one) => one.name === variable.name)) container.env = [...(container.env ?? []), variable]
  }
  return pod
}

function generateNameFor(job: Job, index: number): string {
  const suffix = `-${index}-`
  return `${job.metadata.name?.slice(0, longestPrefix - suffix.length)}${suffix}`
}

function failureCounts(job: Job, replaced: Pod | undefined): Record<string, string> {
  const { counted, ignored } = replaced ? indexFailures(replaced) : { counted: 0, ignored: 0 }
  const counts = replaced && judgeFailure(job.spec?.podFailurePolicy, replaced).counted
  const ignoredNow = replaced && !counts ? ignored + 1 : ignored
  return { [failureCountKey]: String(counts ? counted + 1 : counted), ...(ignoredNow > 0 && { [ignoredCountKey]: String(ignoredNow) }) }
}

/** Lets a Pod go that has been counted. One that has gone already is no error. */
export async function removeTracking(context: ClusterContext, pod: Pod): Promise<void> {
  const { name = '', namespace } = pod.metadata
  const current = context.cache.get<Pod>(resources.pods, name, namespace)
  if (current?.metadata.uid !== pod.metadata.uid || !current?.metadata.finalizers || !isTracked(current)) return
  const { uid, finalizers, resourceVersion } = current.metadata
  const left = finalizers.filter((finalizer) => finalizer !== trackingFinalizer)
  const patch = { metadata: { uid, resourceVersion, finalizers: left.length ? left : null } }
  try {
    await context.client.patch(resources.pods, name, patch, 'merge', { namespace })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
