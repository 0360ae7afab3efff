import type { Job } from '../schema/types/batch.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { finishedAt } from './job-backoff.ts'
import { parseIndexes } from './job-indexes.ts'
import { hasFailed, indexFailures, isIndexed, isTracked, validIndexOf } from './job-pods.ts'
import { judgeFailure } from './job-policies.ts'
import type { JobSync } from './job-tracking.ts'

/** What a Job's Pods have done, and what of it is still to be done (pkg/controller/job/indexed_job_utils.go). */

/** Pods that have ended and that the status does not name yet. */
export function uncountedPods({ job, status, pods }: JobSync): { succeeded: Pod[]; failed: Pod[] } {
  const { succeeded = [], failed = [] } = status.uncountedTerminatedPods ?? {}
  const valid = pods.filter((pod) => isTracked(pod) && (!isIndexed(job) || validIndexOf(job, pod) !== undefined))
  return {
    succeeded: valid.filter((pod) => pod.status?.phase === 'Succeeded' && !succeeded.includes(pod.metadata.uid ?? '')),
    failed: valid.filter((pod) => hasFailed(job, pod) && !failed.includes(pod.metadata.uid ?? '')),
  }
}

/** Indexes that have succeeded, those of Pods that are not counted yet too. */
export function succeededIndexesOf({ job, status, pods }: JobSync): Set<number> {
  const indexes = parseIndexes(status.completedIndexes, job.spec?.completions ?? 0)
  for (const pod of pods) {
    const index = validIndexOf(job, pod)
    if (index !== undefined && pod.status?.phase === 'Succeeded' && isTracked(pod)) indexes.add(index)
  }
  return indexes
}

/** Indexes that have failed for good. */
export function failedIndexesOf({ job, status, pods }: JobSync): Set<number> {
  const indexes = parseIndexes(status.failedIndexes, job.spec?.completions ?? 0)
  for (const pod of pods) {
    const index = validIndexOf(job, pod)
    if (index !== undefined && isTracked(pod) && failsIndex(job, pod)) indexes.add(index)
  }
  return indexes
}

function failsIndex(job: Job, pod: Pod): boolean {
  if (!hasFailed(job, pod)) return false
  const { action, counted } = judgeFailure(job.spec?.podFailurePolicy, pod)
  return action === 'FailIndex' || (counted && indexFailures(pod).counted >= (job.spec?.backoffLimitPerIndex ?? 0))
}

/** The failed Pod of each index whose finalizer stays until the Pod in its place knows how often the index has failed. */
export function delayedByIndex({ job, pods, active, succeededIndexes, failedIndexes }: JobSync): Map<number, Pod> {
  const running = new Set(active.map((pod) => validIndexOf(job, pod)))
  const delayed = new Map<number, Pod>()
  for (const pod of pods) {
    const index = validIndexOf(job, pod)
    if (index === undefined || !isTracked(pod) || !hasFailed(job, pod)) continue
    if (succeededIndexes.has(index) || failedIndexes?.has(index) || running.has(index)) continue
    const known = delayed.get(index)
    if (!known || (absoluteFailures(known) <= absoluteFailures(pod) && finishedAt(pod) >= finishedAt(known))) delayed.set(index, pod)
  }
  return delayed
}

/** Failures of the Pod's index before it, the ignored ones too. */
export function absoluteFailures(pod: Pod): number {
  const { counted, ignored } = indexFailures(pod)
  return counted + ignored
}

/** The lowest indexes, at most count, that neither run nor have come to an end. */
export function pendingIndexes(sync: JobSync, count: number, occupied: readonly Pod[]): number[] {
  const taken = new Set(occupied.map((pod) => validIndexOf(sync.job, pod)))
  const indexes: number[] = []
  for (let index = 0; index < (sync.job.spec?.completions ?? 0) && indexes.length < count; index++) {
    if (!taken.has(index) && !sync.succeededIndexes.has(index) && !sync.failedIndexes?.has(index)) indexes.push(index)
  }
  return indexes
}
