import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { resources } from '../machinery/object.ts'
import type { Job, JobCondition, JobStatus } from '../schema/types/batch.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { semanticEqual } from './equality.ts'
import { isNamespaceTerminating } from './failure.ts'
import { finishedAt, formatIndexes, hasFailed, indexOf, isIndexed, isTracked, jobPod, parseIndexes, removeTracking } from './job-pods.ts'
import { claim, controllerOf, isControlledBy, keyOf, splitKey, watchPodsOf } from './owner.ts'
import { createPod, deletePod, isPodActive, isPodReady, isPodTerminating } from './pod.ts'
import { WorkQueue } from './queue.ts'
import { slowStart } from './replicaset.ts'
import { matchesSelector } from './selector.ts'
import { formatTime, parseTime, timestamp } from './time.ts'

const component = 'job-controller'

/** Wait before a failed Pod is replaced, ms: at first, and at most; doubled with each failure. */
const failureBackOff = { first: 10_000, longest: 600_000 }

/** One sync of one Job; status is what will be written. */
interface Sync {
  readonly context: ClusterContext
  readonly queue: WorkQueue
  readonly key: string
  readonly job: Job
  readonly status: JobStatus
  readonly active: Pod[]
  readonly terminating: Pod[]
}

/** Runs each Job's Pods until enough of them have succeeded or too many have failed. */
export function startJob(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncJob(context, queue, key), { name: component }))
  stack.use(context.cache.watch<Job>(resources.jobs, ({ object }) => queue.add(keyOf(object))))
  stack.use(
    watchPodsOf<Job>(
      context,
      { resource: resources.jobs, kind: 'Job', matches: (job, pod) => matchesSelector(job.spec?.selector, pod.metadata.labels) },
      (job) => queue.add(keyOf(job)),
    ),
  )
  // The tracking finalizer of Pods whose Job is gone would hold them for ever.
  stack.use(
    context.cache.watch<Pod>(resources.pods, ({ type, object }) => {
      if (type === 'DELETED' || !isTracked(object)) return
      const owner = controllerOf(object)
      const job = owner && context.cache.get<Job>(resources.jobs, owner.name, object.metadata.namespace)
      if (job?.metadata.uid !== owner?.uid || !owner) queue.add(`pod:${keyOf(object)}`)
    }),
  )
  stack.use(
    context.cache.watch<Job>(resources.jobs, ({ type, object }) => {
      if (type !== 'DELETED') return
      for (const pod of context.cache.list<Pod>(resources.pods, object.metadata.namespace)) {
        if (isControlledBy(pod, object) && isTracked(pod)) queue.add(`pod:${keyOf(pod)}`)
      }
    }),
  )
  return stack
}

async function syncJob(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  if (key.startsWith('pod:')) return await releaseOrphan(context, key.slice('pod:'.length))
  const { namespace, name } = splitKey(key)
  const job = context.cache.get<Job>(resources.jobs, name, namespace)
  if (!job?.spec || isFinished(job)) return
  const candidates = context.cache.list<Pod>(resources.pods, namespace).filter((pod) => isControlledBy(pod, job) || !controllerOf(pod))
  const pods = await claim(context, job, resources.pods, candidates, (pod) => matchesSelector(job.spec?.selector, pod.metadata.labels))
  const sync: Sync = {
    context,
    queue,
    key,
    job,
    status: copyOf(job.status ?? {}),
    active: pods.filter(isPodActive),
    terminating: pods.filter((pod) => isPodTerminating(pod) && !hasFailed(pod)),
  }
  if (!sync.status.startTime && !job.spec.suspend) sync.status.startTime = timestamp(context)
  if (planDeadline(sync)) sync.queue.addAfter(key, planDeadline(sync))
  await countFinished(sync, pods)
  let failure: unknown
  try {
    await manage(sync, pods)
  } catch (error) {
    failure = error
  }
  finish(sync)
  await writeStatus(sync)
  if (failure !== undefined) throw failure
}

async function releaseOrphan(context: ClusterContext, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const pod = context.cache.get<Pod>(resources.pods, name, namespace)
  if (!pod || !isTracked(pod)) return
  const owner = controllerOf(pod)
  const job = owner && context.cache.get<Job>(resources.jobs, owner.name, namespace)
  if (!owner || job?.metadata.uid !== owner.uid) await removeTracking(context, pod)
}

/** ms until the Job's deadline, if it has one that is still to come. */
function planDeadline({ context, job, status }: Sync): number {
  const deadline = job.spec?.activeDeadlineSeconds
  if (deadline === undefined || job.spec?.suspend || !status.startTime) return 0
  return Math.max(0, parseTime(status.startTime) + deadline * 1000 - context.clock.now())
}

/**
 * Adds finished Pods to the counters exactly once: their uids are written to the status first, then their finalizers are
 * taken away, and only then are they counted.
 */
async function countFinished(sync: Sync, pods: readonly Pod[]): Promise<void> {
  const { status } = sync
  const uncounted = {
    succeeded: [...(status.uncountedTerminatedPods?.succeeded ?? [])],
    failed: [...(status.uncountedTerminatedPods?.failed ?? [])],
  }
  const indexes = parseIndexes(status.completedIndexes)
  const finished = pods.filter((pod) => isTracked(pod) && (pod.status?.phase === 'Succeeded' || hasFailed(pod)))
  for (const pod of finished) {
    const uid = pod.metadata.uid ?? ''
    const index = indexOf(pod)
    if (pod.status?.phase === 'Succeeded') {
      if (index !== undefined) indexes.add(index)
      if (!uncounted.succeeded.includes(uid)) uncounted.succeeded.push(uid)
    } else if (!uncounted.failed.includes(uid)) uncounted.failed.push(uid)
  }
  if (uncounted.succeeded.length + uncounted.failed.length === 0) return
  status.uncountedTerminatedPods = uncounted
  if (isIndexed(sync.job)) status.completedIndexes = formatIndexes(indexes)
  await writeStatus(sync)
  for (const pod of finished) await removeTracking(sync.context, pod)
  status.succeeded = isIndexed(sync.job) ? indexes.size : (status.succeeded ?? 0) + uncounted.succeeded.length
  status.failed = (status.failed ?? 0) + uncounted.failed.length
  status.uncountedTerminatedPods = {}
}

/** Decides whether the Job has come to its end, is suspended, or needs Pods made or ended. */
async function manage(sync: Sync, pods: readonly Pod[]): Promise<void> {
  const { context, job, status, active } = sync
  const failed = findCondition(status, 'FailureTarget') ?? failureOf(sync, pods)
  if (failed) {
    setCondition(sync, 'FailureTarget', failed.reason ?? '', failed.message ?? '')
    await deletePods(sync, active)
    return
  }
  if (hasSucceeded(sync)) {
    setCondition(sync, 'SuccessCriteriaMet', 'CompletionsReached', 'Reached expected number of succeeded pods')
    await deletePods(sync, active)
    return
  }
  await suspendOrResume(sync)
  if (job.spec?.suspend || job.metadata.deletionTimestamp) return
  const wanted = wantedActive(sync)
  // Pods that are ending count as long as the Job wants none replaced before it has failed.
  const occupied = replacesFailedOnly(job) ? active.length + sync.terminating.length : active.length
  if (active.length > wanted) await deletePods(sync, [...active].sort(byReadiness).slice(0, active.length - wanted))
  else if (occupied < wanted) {
    const wait = backOffLeft(context, pods)
    if (wait > 0) sync.queue.addAfter(sync.key, wait)
    else await createPods(sync, wanted - occupied)
  }
}

function failureOf({ context, job, status, active }: Sync, pods: readonly Pod[]): { reason: string; message: string } | undefined {
  const limit = job.spec?.backoffLimit ?? 6
  const restarts = job.spec?.template.spec?.restartPolicy === 'OnFailure' ? sumRestarts(active) : 0
  const exhausted = limit === 0 ? restarts > 0 : restarts >= limit
  if ((status.failed ?? 0) > limit || (restarts > 0 && exhausted)) {
    return { reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  }
  const deadline = job.spec?.activeDeadlineSeconds
  const over = deadline !== undefined && !job.spec?.suspend && context.clock.now() - parseTime(status.startTime) >= deadline * 1000
  if (over && status.startTime) return { reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }
  return podFailurePolicy(job, pods)
}

/** The rules under which one Pod's failure is the Job's. */
function podFailurePolicy(job: Job, pods: readonly Pod[]): { reason: string; message: string } | undefined {
  for (const [index, rule] of (job.spec?.podFailurePolicy?.rules ?? []).entries()) {
    const { onExitCodes } = rule
    if (rule.action !== 'FailJob' || !onExitCodes) continue
    for (const pod of pods.filter(({ status }) => status?.phase === 'Failed')) {
      for (const { name, state } of pod.status?.containerStatuses ?? []) {
        const code = state?.terminated?.exitCode
        if (!code || (onExitCodes.containerName && onExitCodes.containerName !== name)) continue
        if (onExitCodes.values?.includes(code) === (onExitCodes.operator === 'In')) {
          const where = `${pod.metadata.namespace}/${pod.metadata.name}`
          const message = `Container ${name} for pod ${where} failed with exit code ${code} matching FailJob rule at index ${index}`
          return { reason: 'PodFailurePolicy', message }
        }
      }
    }
  }
  return undefined
}

function sumRestarts(pods: readonly Pod[]): number {
  const statuses = pods.flatMap(({ status }) => [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])])
  return statuses.reduce((sum, { restartCount }) => sum + restartCount, 0)
}

function hasSucceeded({ job, status, active }: Sync): boolean {
  const { completions } = job.spec ?? {}
  if (findCondition(status, 'SuccessCriteriaMet')) return true
  // Without a number of completions, one success ends the Job as soon as the other Pods have ended too.
  if (completions === undefined) return (status.succeeded ?? 0) > 0 && active.length === 0
  return (status.succeeded ?? 0) >= completions
}

function wantedActive({ job, status, active }: Sync): number {
  const { parallelism = 1, completions } = job.spec ?? {}
  const succeeded = status.succeeded ?? 0
  if (completions === undefined) return succeeded > 0 ? Math.min(active.length, parallelism) : parallelism
  return Math.max(0, Math.min(parallelism, completions - succeeded))
}

function replacesFailedOnly({ spec }: Job): boolean {
  return spec?.podReplacementPolicy === 'Failed' || spec?.podFailurePolicy !== undefined
}

/** ms until a Pod may be made again after failures in a row. */
function backOffLeft(context: ClusterContext, pods: readonly Pod[]): number {
  const ends = pods.filter((pod) => pod.status?.phase === 'Succeeded' || hasFailed(pod)).sort((a, b) => finishedAt(b) - finishedAt(a))
  const inARow = ends.findIndex((pod) => pod.status?.phase === 'Succeeded')
  const count = inARow < 0 ? ends.length : inARow
  const [latest] = ends
  if (count === 0 || !latest) return 0
  const wait = Math.min(failureBackOff.longest, failureBackOff.first * 2 ** (count - 1))
  return Math.max(0, finishedAt(latest) + wait - context.clock.now())
}

async function createPods(sync: Sync, count: number): Promise<void> {
  const { context, job, active, status } = sync
  const taken = new Set([...active.map(indexOf), ...parseIndexes(status.completedIndexes)])
  const free = isIndexed(job)
    ? Array.from({ length: job.spec?.completions ?? 0 }, (_, index) => index).filter((index) => !taken.has(index))
    : []
  await slowStart(count, async () => {
    const index = isIndexed(job) ? free.shift() : undefined
    if (isIndexed(job) && index === undefined) return
    try {
      active.push(await createPod(context, component, job, jobPod(job, index)))
    } catch (error) {
      if (!isNamespaceTerminating(error)) throw error
    }
  })
}

async function deletePods(sync: Sync, pods: readonly Pod[]): Promise<void> {
  for (const pod of [...pods]) {
    await deletePod(sync.context, component, sync.job, pod.metadata.name ?? '')
    sync.active.splice(sync.active.indexOf(pod), 1)
    sync.terminating.push(pod)
  }
}

function byReadiness(a: Pod, b: Pod): number {
  return (
    Number(isPodReady(a)) - Number(isPodReady(b)) || ((a.metadata.creationTimestamp ?? '') > (b.metadata.creationTimestamp ?? '') ? -1 : 1)
  )
}

async function suspendOrResume(sync: Sync): Promise<void> {
  const { context, job, status, active } = sync
  const suspended = findCondition(status, 'Suspended')
  if (job.spec?.suspend) {
    await deletePods(sync, active)
    if (suspended?.status === 'True') return
    setCondition(sync, 'Suspended', 'JobSuspended', 'Job suspended')
    delete status.startTime
    context.events.event(job, 'Normal', 'Suspended', 'Job suspended', { component })
  } else if (suspended?.status === 'True') {
    setCondition(sync, 'Suspended', 'JobResumed', 'Job resumed', 'False')
    status.startTime = timestamp(context)
    context.events.event(job, 'Normal', 'Resumed', 'Job resumed', { component })
  }
}

/** Fills in what is counted anew each time and, once no Pod runs any more, the Job's end. */
function finish(sync: Sync): void {
  const { context, job, status, active, terminating } = sync
  status.active = active.length
  status.ready = active.filter(isPodReady).length
  status.terminating = terminating.filter(
    (pod) => context.cache.get<Pod>(resources.pods, pod.metadata.name ?? '', pod.metadata.namespace)?.metadata.uid === pod.metadata.uid,
  ).length
  if (status.active + status.terminating > 0) return
  const failed = findCondition(status, 'FailureTarget')
  const succeeded = findCondition(status, 'SuccessCriteriaMet')
  if (failed) {
    setCondition(sync, 'Failed', failed.reason ?? '', failed.message ?? '')
    context.events.event(job, 'Warning', failed.reason ?? '', failed.message ?? '', { component })
  } else if (succeeded) {
    setCondition(sync, 'Complete', succeeded.reason ?? '', succeeded.message ?? '')
    status.completionTime = timestamp(context)
    context.events.event(job, 'Normal', 'Completed', 'Job completed', { component })
  }
}

async function writeStatus(sync: Sync): Promise<void> {
  const { context, job, status } = sync
  const current = context.cache.get<Job>(resources.jobs, job.metadata.name ?? '', job.metadata.namespace)
  if (!current || current.metadata.uid !== job.metadata.uid) return
  for (const field of ['active', 'succeeded', 'failed'] as const) if (!status[field]) delete status[field]
  if (semanticEqual(current.status, status)) return
  await context.client.update<Job>(resources.jobs, { ...copyOf(current), status: copyOf(status) }, { subresource: 'status' })
}

function findCondition(status: JobStatus | undefined, type: string): JobCondition | undefined {
  return status?.conditions?.find((condition) => condition.type === type)
}

function setCondition({ context, status }: Sync, type: string, reason: string, message: string, value = 'True'): void {
  const before = findCondition(status, type)
  if (before?.status === value && before.reason === reason) return
  const now = formatTime(context.clock.now())
  const condition = { type, status: value, lastProbeTime: now, lastTransitionTime: now, reason, message }
  status.conditions = [...(status.conditions ?? []).filter((other) => other.type !== type), condition]
}

/** Complete or failed: no more is done for it. */
export function isFinished(job: Job): boolean {
  return endOf(job) !== undefined
}

/** The condition that ended the Job. */
export function endOf(job: Job): JobCondition | undefined {
  return job.status?.conditions?.find(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True')
}
