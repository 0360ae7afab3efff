import type { Pod } from '../schema/types/core.v1.ts'
import { podCondition } from './pod.ts'
import { parseTime } from './time.ts'

/** How long a Job waits before it replaces failed Pods (pkg/controller/job/backoff_utils.go). */

/** ms: at first, and at most; doubled with each failure. */
const failureBackOff = { first: 10_000, longest: 600_000 }

/** Failures since the last success. */
export interface BackOff {
  failures: number
  /** When the latest of them ended, ms since the epoch. */
  last: number
}

export const noBackOff: BackOff = { failures: 0, last: 0 }

/** The record after these Pods have ended. */
export function backOffAfter(record: BackOff, succeeded: readonly Pod[], failed: readonly Pod[]): BackOff {
  const ends = failed.map(finishedAt)
  if (succeeded.length === 0) {
    return failed.length === 0 ? record : { failures: record.failures + failed.length, last: Math.max(...ends) }
  }
  const success = Math.max(...succeeded.map(finishedAt))
  const later = ends.filter((end) => end > success)
  return later.length === 0 ? noBackOff : { failures: later.length, last: Math.max(...later) }
}

/** ms from now until a Pod may be made again. */
export function backOffLeft({ failures, last }: BackOff, now: number): number {
  if (failures === 0) return 0
  const wait = Math.min(failureBackOff.longest, failureBackOff.first * 2 ** (failures - 1))
  return Math.max(0, last + wait - now)
}

/** When a finished Pod ended, ms since the epoch: by its last container, else by its readiness, its deletion or its making. */
export function finishedAt(pod: Pod): number {
  return containersFinishedAt(pod) ?? readinessLostAt(pod) ?? deletedAt(pod) ?? parseTime(pod.metadata.creationTimestamp)
}

function containersFinishedAt(pod: Pod): number | undefined {
  const sidecars = new Set(
    (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always').map(({ name }) => name),
  )
  const statuses = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name)),
  ]
  const ends = statuses.map(({ state }) => parseTime(state?.terminated?.finishedAt))
  return ends.length > 0 && ends.every((end) => end > 0) ? Math.max(...ends) : undefined
}

function readinessLostAt(pod: Pod): number | undefined {
  const ready = podCondition(pod, 'Ready')
  return ready?.status === 'False' && ready.lastTransitionTime ? parseTime(ready.lastTransitionTime) : undefined
}

function deletedAt({ metadata }: Pod): number | undefined {
  if (!metadata.deletionTimestamp) return undefined
  return parseTime(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000
}
