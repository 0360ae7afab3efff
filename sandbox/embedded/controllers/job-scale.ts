import type { Pod } from '../schema/types/core.v1.ts'
import { isNamespaceTerminating } from './failure.ts'
import { backOffLeft, finishedAt } from './job-backoff.ts'
import { hasLimitPerIndex, isIndexed, jobPod, removeTracking, replacesFailedOnly, validIndexOf } from './job-pods.ts'
import type { JobSync } from './job-tracking.ts'
import { absoluteFailures, pendingIndexes } from './job-work.ts'
import { createPod, deletePod, isPodReady, isPodTerminating } from './pod.ts'
import { rankForDeletion } from './pod-ranking.ts'
import { slowStart } from './replicaset.ts'

/** Most Pods made or ended in one sync. */
const burst = 500

/** Makes and ends Pods so that as many run as the Job wants now. */
export async function manageJob(sync: JobSync): Promise<void> {
  const { job } = sync
  const wanted = job.spec?.suspend ? 0 : wantedActive(sync)
  const removed = podsToRemove(sync, Math.max(0, sync.active.length - wanted))
  if (removed.length > 0 || job.spec?.suspend) {
    // Those given up here are no failures: they are released before they are deleted.
    await deletePods(sync, removed.slice(0, burst), true)
    return
  }
  const occupied = sync.active.length + (replacesFailedOnly(job) ? sync.terminating : 0)
  if (occupied < wanted) await createPods(sync, Math.min(burst, wanted - occupied))
}

/** Ends all active Pods, which still count as the Job's failures. */
export async function deleteActivePods(sync: JobSync): Promise<void> {
  await deletePods(sync, sync.active, false)
}

function wantedActive({ job, active, succeeded }: JobSync): number {
  const { parallelism = 1, completions } = job.spec ?? {}
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism
  return Math.max(0, Math.min(parallelism, completions - succeeded))
}

/** Pods without an index, with one too many or with another's, then as many others as must go. */
function podsToRemove({ context, job, active }: JobSync, atLeast: number): Pod[] {
  const now = context.clock.now()
  const rank = (pods: readonly Pod[]) => rankForDeletion(pods, [], now)
  if (!isIndexed(job)) return atLeast > 0 ? rank(active).slice(0, atLeast) : []
  const groups = Map.groupBy(active, (pod) => validIndexOf(job, pod))
  const removed = [...(groups.get(undefined) ?? [])]
  const left: Pod[] = []
  for (const [index, pods] of groups) {
    if (index === undefined) continue
    const ranked = rank(pods)
    removed.push(...ranked.slice(0, -1))
    left.push(...ranked.slice(-1))
  }
  const more = atLeast - removed.length
  return more > 0 ? [...removed, ...rank(left).slice(0, more)] : removed
}

async function deletePods(sync: JobSync, pods: readonly Pod[], release: boolean): Promise<void> {
  const results = await Promise.allSettled(
    pods.map(async (pod) => {
      if (release) await removeTracking(sync.context, pod)
      await deletePod(sync.context, sync.component, sync.job, pod.metadata.name ?? '')
      if (isPodReady(pod)) sync.ready--
      sync.activeCount--
      sync.terminating++
    }),
  )
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

async function createPods(sync: JobSync, count: number): Promise<void> {
  const { context, job } = sync
  const now = context.clock.now()
  const wait = hasLimitPerIndex(job) ? 0 : backOffLeft(sync.backOff, now)
  const indexes = wait > 0 ? [] : freeIndexes(sync, count)
  const waits = indexes.map((index) => indexBackOffLeft(sync, index))
  const ready = indexes.filter((_, position) => waits[position] === 0)
  const delay = wait > 0 || !isIndexed(job) ? wait : ready.length > 0 ? 0 : Math.min(...waits)
  if (delay > 0 && Number.isFinite(delay)) {
    sync.queue.addAfter(sync.key, delay)
    return
  }
  await slowStart(context.clock, isIndexed(job) ? ready.length : count, async () => {
    const index = ready.shift()
    try {
      await createPod(context, sync.component, job, jobPod(job, index, index === undefined ? undefined : sync.delayed.get(index)))
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error
    }
    sync.activeCount++
  })
}

function freeIndexes(sync: JobSync, count: number): number[] {
  if (!isIndexed(sync.job)) return []
  const ending = replacesFailedOnly(sync.job) ? sync.pods.filter(isPodTerminating) : []
  return pendingIndexes(sync, count, [...sync.active, ...ending])
}

function indexBackOffLeft({ context, delayed }: JobSync, index: number): number {
  const failed = delayed.get(index)
  return failed ? backOffLeft({ failures: absoluteFailures(failed) + 1, last: finishedAt(failed) }, context.clock.now()) : 0
}
