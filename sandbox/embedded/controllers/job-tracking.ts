import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { resources } from '../machinery/object.ts'
import type { Job, JobCondition, JobStatus } from '../schema/types/batch.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import type { BackOff } from './job-backoff.ts'
import { formatIndexes } from './job-indexes.ts'
import { hasFailed, indexOf, isIndexed, isTracked, removeTracking, validIndexOf } from './job-pods.ts'
import { judgeFailure } from './job-policies.ts'
import type { WorkQueue } from './queue.ts'
import { timestamp } from './time.ts'

/** Most Pods whose uids stand in a status at once. */
const maxUncounted = 500

/** One sync of one Job. Counts are of now; status is what will be written. */
export interface JobSync {
  readonly context: ClusterContext
  readonly queue: WorkQueue
  readonly key: string
  /** Named as the source of events. */
  readonly component: string
  /** As stored; its status as of the last write of this sync. */
  job: Job
  status: JobStatus
  readonly pods: readonly Pod[]
  /** Neither ended nor ending when the sync began. */
  readonly active: readonly Pod[]
  activeCount: number
  ready: number
  terminating: number
  succeeded: number
  failed: number
  backOff: BackOff
  /** Keeps backOff for the next sync, once the failures it counts stand in the status. */
  readonly saveBackOff: () => void
  succeededIndexes: Set<number>
  /** Only with backoffLimitPerIndex. */
  failedIndexes: Set<number> | undefined
  /** By index: the failed Pod that waits for the one in its place. */
  delayed: Map<number, Pod>
  /** The condition that the Job is to end with. */
  finished: JobCondition | undefined
}

/**
 * Adds ended Pods to the counters exactly once: their uids (or indexes) are written to the status first, then their
 * finalizers are taken away, and only then are they counted. Declares the Job finished when all of that is done
 * (trackJobStatusAndRemoveFinalizers).
 */
export async function trackAndRelease(sync: JobSync, changed: boolean): Promise<void> {
  const tracked = new Set(sync.pods.filter(isTracked).map(({ metadata }) => metadata.uid))
  const counted = countReleased(sync.status, tracked)
  const { release, named, full } = nameEnded(sync)
  const indexed = isIndexed(sync.job) && writeIndexes(sync)
  const ending = announceEnd(sync)
  if (changed || counted || named || indexed || ending) {
    await flush(sync)
    sync.saveBackOff()
  }
  let failure: unknown
  for (const pod of release) {
    try {
      await removeTracking(sync.context, pod)
      tracked.delete(pod.metadata.uid)
    } catch (error) {
      failure ??= error
    }
  }
  const more = countReleased(sync.status, tracked)
  if (failure !== undefined) {
    if (more) await flush(sync)
    throw failure
  }
  const done = !full && finish(sync)
  if (more || done) await flush(sync)
  if (done) recordEnd(sync)
}

/** Counts those in the list of uncounted ones whose finalizer is gone. */
function countReleased(status: JobStatus, tracked: ReadonlySet<string | undefined>): boolean {
  const uncounted = status.uncountedTerminatedPods ?? {}
  let changed = false
  for (const list of ['succeeded', 'failed'] as const) {
    const before = uncounted[list] ?? []
    const left = before.filter((uid) => tracked.has(uid))
    if (left.length === before.length) continue
    status[list] = (status[list] ?? 0) + before.length - left.length
    uncounted[list] = left
    changed = true
  }
  return changed
}

/** Names ended Pods in the status; those given back may lose their finalizers after that is written. */
function nameEnded(sync: JobSync): { release: Pod[]; named: boolean; full: boolean } {
  const { job, status } = sync
  const uncounted = (status.uncountedTerminatedPods ??= {})
  const succeeded = (uncounted.succeeded ??= [])
  const failed = (uncounted.failed ??= [])
  const pods = isIndexed(job) ? [...sync.pods].sort((a, b) => (indexOf(a) ?? -1) - (indexOf(b) ?? -1)) : sync.pods
  const release: Pod[] = []
  let named = 0
  for (const pod of pods) {
    if (!isTracked(pod) || !mayRelease(sync, pod)) continue
    release.push(pod)
    const uid = pod.metadata.uid ?? ''
    if (pod.status?.phase === 'Succeeded' && !failed.includes(uid)) {
      if (!isIndexed(job) && !succeeded.includes(uid)) named = succeeded.push(uid)
    } else if (countsAsFailure(sync, pod) && !failed.includes(uid)) named = failed.push(uid)
    if (succeeded.length + failed.length >= maxUncounted) return { release, named: named > 0, full: true }
  }
  return { release, named: named > 0, full: false }
}

function mayRelease({ job, finished, delayed }: JobSync, pod: Pod): boolean {
  if (job.metadata.deletionTimestamp || finished || pod.status?.phase === 'Succeeded') return true
  if (!hasFailed(job, pod)) return false
  const index = indexOf(pod)
  return index === undefined || delayed.get(index)?.metadata.uid !== pod.metadata.uid
}

/** In a Job at its end every Pod that has not succeeded has failed, unless it was ended because the Job had succeeded. */
function countsAsFailure({ job, finished }: JobSync, pod: Pod): boolean {
  const failed = hasFailed(job, pod) || (finished !== undefined && finished.type !== 'SuccessCriteriaMet')
  if (!failed || (isIndexed(job) && validIndexOf(job, pod) === undefined)) return false
  return judgeFailure(job.spec?.podFailurePolicy, pod).counted
}

function writeIndexes({ status, succeededIndexes, failedIndexes }: JobSync): boolean {
  const completed = formatIndexes(succeededIndexes)
  const failed = failedIndexes && formatIndexes(failedIndexes)
  const changed = completed !== (status.completedIndexes ?? '') || failed !== status.failedIndexes
  status.succeeded = succeededIndexes.size
  if (completed) status.completedIndexes = completed
  else delete status.completedIndexes
  if (failed !== undefined) status.failedIndexes = failed
  return changed
}

/** Puts the interim condition into the status; the one to end with waits in sync.finished. */
function announceEnd(sync: JobSync): boolean {
  const { finished, status, context } = sync
  if (!finished || (finished.type !== 'FailureTarget' && finished.type !== 'SuccessCriteriaMet')) return false
  const known = findCondition(status, finished.type)?.status === 'True'
  if (!known) status.conditions = [...(status.conditions ?? []), finished]
  const type = finished.type === 'FailureTarget' ? 'Failed' : 'Complete'
  sync.finished = conditionOf(context, type, finished.reason ?? '', finished.message ?? '')
  return !known
}

function finish({ finished, status, terminating }: JobSync): boolean {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {}
  if (!finished || succeeded.length + failed.length > 0 || terminating > 0) return false
  status.conditions = [...(status.conditions ?? []).filter(({ type }) => type !== finished.type), finished]
  if (finished.type === 'Complete') status.completionTime = finished.lastTransitionTime
  return true
}

function recordEnd({ context, component, job, finished }: JobSync): void {
  if (finished?.type === 'Complete') {
    if (job.spec?.completions !== undefined && (job.status?.succeeded ?? 0) > job.spec.completions) {
      const message = 'Too many succeeded pods running after completion count reached'
      context.events.event(job, 'Warning', 'TooManySucceededPods', message, { component })
    }
    context.events.event(job, 'Normal', 'Completed', 'Job completed', { component })
  } else context.events.event(job, 'Warning', finished?.reason ?? '', finished?.message ?? '', { component })
}

async function flush(sync: JobSync): Promise<void> {
  const status = copyOf(sync.status)
  for (const field of ['active', 'succeeded', 'failed'] as const) if (!status[field]) delete status[field]
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {}
  status.uncountedTerminatedPods = { ...(succeeded.length > 0 && { succeeded }), ...(failed.length > 0 && { failed }) }
  sync.job = await sync.context.client.update<Job>(resources.jobs, { ...copyOf(sync.job), status }, { subresource: 'status' })
}

export function findCondition(status: JobStatus | undefined, type: string): JobCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type)
}

/** A condition that holds from now on. */
export function conditionOf(context: ClusterContext, type: string, reason: string, message: string): JobCondition {
  const now = timestamp(context)
  return { type, status: 'True', lastProbeTime: now, lastTransitionTime: now, reason, message }
}
