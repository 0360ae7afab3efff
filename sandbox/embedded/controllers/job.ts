import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { resources } from '../machinery/object.ts'
import { podController } from '../machinery/pod-indexes.ts'
import type { Job, JobCondition } from '../schema/types/batch.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { semanticEqual } from './equality.ts'
import { type BackOff, backOffAfter, noBackOff } from './job-backoff.ts'
import { hasFailed, hasLimitPerIndex, isIndexed, isTracked, removeTracking, trackingFinalizer } from './job-pods.ts'
import { judgeFailure, successPolicyMet } from './job-policies.ts'
import { deleteActivePods, manageJob } from './job-scale.ts'
import { conditionOf, findCondition, type JobSync, trackAndRelease } from './job-tracking.ts'
import { delayedByIndex, failedIndexesOf, succeededIndexesOf, uncountedPods } from './job-work.ts'
import { claim, controllerOf, isControlledBy, keyOf, splitKey, watchPodsOf } from './owner.ts'
import { isPodActive, isPodFinished, isPodReady, isPodTerminating } from './pod.ts'
import { WorkQueue } from './queue.ts'
import { matchesSelector } from './selector.ts'
import { parseTime, timestamp } from './time.ts'

const component = 'job-controller'

/** Changes of Pods, and of a Job's status, are gathered for so long before the Job is looked at, ms. */
const batchPeriod = 1000

/** The controller whose name managedBy may give without taking the Job away from this one. */
const ownName = 'kubernetes.io/job-controller'

/** Runs each Job's Pods until enough of them have succeeded or too many have failed. */
export function startJob(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const records = new Map<string, BackOff>()
  const queue: WorkQueue = stack.use(
    new WorkQueue(context, (key) => syncKey(context, queue, records, key), { name: component, baseDelay: 1000, maxDelay: 60_000 }),
  )
  stack.use(
    context.cache.watch<Job>(resources.jobs, ({ type, object, previous }) => {
      const specChanged = type !== 'MODIFIED' || object.metadata.generation !== previous?.metadata.generation
      queue.addAfter(keyOf(object), specChanged ? 0 : batchPeriod)
      if (type !== 'DELETED' && !isFinished(object)) return
      // The tracking finalizer of Pods whose Job has ended or gone would hold them for ever.
      for (const pod of context.cache.indexed<Pod>(resources.pods, podController, object.metadata.uid ?? '')) {
        if (isTracked(pod)) queue.add(podKey(pod))
      }
    }),
  )
  stack.use(
    watchPodsOf<Job>(
      context,
      { resource: resources.jobs, kind: 'Job', matches: (job, pod) => matchesSelector(job.spec?.selector, pod.metadata.labels) },
      (job) => queue.addAfter(keyOf(job), batchPeriod),
    ),
  )
  stack.use(
    context.cache.watch<Pod>(resources.pods, ({ type, object }) => {
      if (type !== 'DELETED' && isTracked(object) && isAbandoned(context, object)) queue.add(podKey(object))
    }),
  )
  return stack
}

function podKey(pod: Pod): string {
  return `pod:${keyOf(pod)}`
}

async function syncKey(context: ClusterContext, queue: WorkQueue, records: Map<string, BackOff>, key: string): Promise<void> {
  if (!key.startsWith('pod:')) return await syncJob(context, queue, records, key)
  const { namespace, name } = splitKey(key.slice('pod:'.length))
  const pod = context.cache.get<Pod>(resources.pods, name, namespace)
  if (pod && isTracked(pod) && isAbandoned(context, pod)) await removeTracking(context, pod)
}

/** Whether no Job will count the Pod any more: it has none, or its Job is gone or at its end. */
function isAbandoned(context: ClusterContext, pod: Pod): boolean {
  const owner = controllerOf(pod)
  if (!owner) return true
  if (owner.kind !== 'Job') return false
  const job = context.cache.get<Job>(resources.jobs, owner.name, pod.metadata.namespace)
  if (job?.metadata.uid !== owner.uid) return true
  return !isManagedElsewhere(job) && isFinished(job)
}

function isManagedElsewhere({ spec }: Job): boolean {
  return spec?.managedBy !== undefined && spec.managedBy !== ownName
}

async function syncJob(context: ClusterContext, queue: WorkQueue, records: Map<string, BackOff>, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const job = context.cache.get<Job>(resources.jobs, name, namespace)
  if (!job?.spec || isFinished(job)) {
    records.delete(key)
    return
  }
  if (isManagedElsewhere(job)) return
  const sync = await observe(context, queue, records, job)
  if (!sync.status.startTime && !job.spec.suspend) sync.status.startTime = timestamp(context)
  sync.finished = verdict(sync)
  let failure: unknown
  const before = copyOf(job.status ?? {})
  try {
    if (sync.finished) await endPods(sync)
    else await workOn(sync)
  } catch (error) {
    failure = error
  }
  Object.assign(sync.status, { active: sync.activeCount, ready: sync.ready, terminating: sync.terminating })
  const counted = (['active', 'ready', 'terminating'] as const).some(
    (field) => (before[field] ?? undefined) !== (sync.status[field] ?? undefined),
  )
  const suspension = (status: Job['status']) => findCondition(status, 'Suspended')
  await trackAndRelease(sync, counted || !semanticEqual(suspension(before), suspension(sync.status)))
  if (failure !== undefined) throw failure
}

/** The Job and its Pods as they are, and what of them the status does not count yet. */
async function observe(context: ClusterContext, queue: WorkQueue, records: Map<string, BackOff>, job: Job): Promise<JobSync> {
  const key = keyOf(job)
  const candidates = context.cache
    .list<Pod>(resources.pods, job.metadata.namespace)
    .filter((pod) => isControlledBy(pod, job) || !controllerOf(pod))
  const matches = (pod: Pod) => matchesSelector(job.spec?.selector, pod.metadata.labels)
  const pods = await claim(context, job, resources.pods, candidates, matches, trackingFinalizer)
  const active = pods.filter(isPodActive)
  const sync: JobSync = {
    context,
    queue,
    key,
    component,
    job,
    status: copyOf(job.status ?? {}),
    pods,
    active,
    activeCount: active.length,
    ready: active.filter(isPodReady).length,
    terminating: pods.filter(isPodTerminating).length,
    succeeded: 0,
    failed: 0,
    backOff: noBackOff,
    saveBackOff: () => records.set(key, sync.backOff),
    succeededIndexes: new Set(),
    failedIndexes: undefined,
    delayed: new Map(),
    finished: undefined,
  }
  sync.status.uncountedTerminatedPods ??= {}
  const { succeeded = [], failed = [] } = sync.status.uncountedTerminatedPods
  const fresh = uncountedPods(sync)
  sync.succeeded = (sync.status.succeeded ?? 0) + fresh.succeeded.length + succeeded.length
  const counting = fresh.failed.filter((pod) => judgeFailure(job.spec?.podFailurePolicy, pod).counted)
  sync.failed = (sync.status.failed ?? 0) + counting.length + failed.length
  sync.backOff = backOffAfter(records.get(key) ?? remembered(job, pods), fresh.succeeded, fresh.failed)
  if (isIndexed(job)) {
    sync.succeededIndexes = succeededIndexesOf(sync)
    sync.succeeded = sync.succeededIndexes.size
    if (hasLimitPerIndex(job)) {
      sync.failedIndexes = failedIndexesOf(sync)
      sync.delayed = delayedByIndex(sync)
    }
  }
  return sync
}

/** The back-off of a Job that this controller has not seen before, from the Pods that were counted already. */
function remembered(job: Job, pods: readonly Pod[]): BackOff {
  const counted = pods.filter((pod) => isPodFinished(pod) && !isTracked(pod))
  return backOffAfter(
    noBackOff,
    counted.filter((pod) => pod.status?.phase === 'Succeeded'),
    counted.filter((pod) => hasFailed(job, pod)),
  )
}

/** Why the Job has come to its end, if it has; what was found out before stands. */
function verdict(sync: JobSync): JobCondition | undefined {
  const { context, job, status, pods } = sync
  const met = findCondition(status, 'SuccessCriteriaMet')
  if (met?.status === 'True') return met
  const target = findCondition(status, 'FailureTarget')
  if (target?.status === 'True') return conditionOf(context, 'Failed', target.reason ?? '', target.message ?? '')
  const failing = (reason: string, message: string) => conditionOf(context, 'FailureTarget', reason, message)
  for (const pod of pods.filter((one) => hasFailed(job, one))) {
    const { message } = judgeFailure(job.spec?.podFailurePolicy, pod)
    if (message) return failing('PodFailurePolicy', message)
  }
  if (sync.failed > (job.spec?.backoffLimit ?? 6) || restartsExceedLimit(job, pods)) {
    return failing('BackoffLimitExceeded', 'Job has reached the specified backoff limit')
  }
  const deadline = deadlineLeft(sync)
  if (deadline !== undefined && deadline <= 0) return failing('DeadlineExceeded', 'Job was active longer than specified deadline')
  if (deadline !== undefined) sync.queue.addAfter(sync.key, deadline)
  return verdictOfIndexes(sync)
}

function verdictOfIndexes({ context, job, succeededIndexes, failedIndexes }: JobSync): JobCondition | undefined {
  if (!isIndexed(job)) return undefined
  const { maxFailedIndexes, completions = 0, successPolicy } = job.spec ?? { template: {} }
  const failing = (reason: string, message: string) => conditionOf(context, 'FailureTarget', reason, message)
  if (failedIndexes && maxFailedIndexes !== undefined && failedIndexes.size > maxFailedIndexes) {
    return failing('MaxFailedIndexesExceeded', 'Job has exceeded the specified maximal number of failed indexes')
  }
  if (failedIndexes && failedIndexes.size > 0 && failedIndexes.size + succeededIndexes.size >= completions) {
    return failing('FailedIndexes', 'Job has failed indexes')
  }
  const message = successPolicyMet(successPolicy, completions, succeededIndexes)
  return message === undefined ? undefined : conditionOf(context, 'SuccessCriteriaMet', 'SuccessPolicy', message)
}

/** Where Pods restart their containers themselves, restarts count as failures do. */
function restartsExceedLimit({ spec }: Job, pods: readonly Pod[]): boolean {
  if (spec?.template.spec?.restartPolicy !== 'OnFailure') return false
  const statuses = pods
    .filter(({ status }) => status?.phase === 'Running' || status?.phase === 'Pending')
    .flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])])
  const restarts = statuses.reduce((sum, { restartCount }) => sum + restartCount, 0)
  const limit = spec.backoffLimit ?? 6
  return limit === 0 ? restarts > 0 : restarts >= limit
}

/** ms until activeDeadlineSeconds are over. */
function deadlineLeft({ context, job, status }: JobSync): number | undefined {
  const deadline = job.spec?.activeDeadlineSeconds
  if (deadline === undefined || job.spec?.suspend || !status.startTime) return undefined
  return parseTime(status.startTime) + deadline * 1000 - context.clock.now()
}

/** Ends what runs of a Job that is at its end. It is declared finished only once none is left running. */
async function endPods(sync: JobSync): Promise<void> {
  try {
    await deleteActivePods(sync)
  } catch (error) {
    sync.finished = undefined
    throw error
  }
}

async function workOn(sync: JobSync): Promise<void> {
  const { context, job, status } = sync
  let failure: unknown
  const deleted = job.metadata.deletionTimestamp !== undefined
  try {
    if (!deleted) await manageJob(sync)
  } catch (error) {
    failure = error
  }
  const completions = job.spec?.completions
  const complete = sync.activeCount === 0 && (completions === undefined ? sync.succeeded > 0 : sync.succeeded >= completions)
  if (complete) {
    sync.finished = conditionOf(context, 'SuccessCriteriaMet', 'CompletionsReached', 'Reached expected number of succeeded pods')
  } else if (!deleted) {
    const suspended = findCondition(status, 'Suspended')
    if (job.spec?.suspend && suspended?.status !== 'True') suspend(sync)
    else if (!job.spec?.suspend && suspended && suspended.status !== 'False') resume(sync)
  }
  if (failure !== undefined) throw failure
}

function suspend({ context, job, status }: JobSync): void {
  replaceCondition(status, conditionOf(context, 'Suspended', 'JobSuspended', 'Job suspended'))
  context.events.event(job, 'Normal', 'Suspended', 'Job suspended', { component })
}

function resume({ context, job, status }: JobSync): void {
  replaceCondition(status, { ...conditionOf(context, 'Suspended', 'JobResumed', 'Job resumed'), status: 'False' })
  status.startTime = timestamp(context)
  context.events.event(job, 'Normal', 'Resumed', 'Job resumed', { component })
}

function replaceCondition(status: NonNullable<Job['status']>, condition: JobCondition): void {
  const conditions = [...(status.conditions ?? [])]
  const index = conditions.findIndex(({ type }) => type === condition.type)
  if (index < 0) conditions.push(condition)
  else conditions[index] = condition
  status.conditions = conditions
}

/** Complete or failed: no more is done for it. */
export function isFinished(job: Job): boolean {
  return endOf(job) !== undefined
}

/** The condition that ended the Job. */
export function endOf(job: Job): JobCondition | undefined {
  return job.status?.conditions?.find(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True')
}
