import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isAlreadyExists, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { CronJob, Job } from '../schema/types/batch.v1.ts'
import type { ObjectReference } from '../schema/types/core.v1.ts'
import { formatInZone, parseSchedule } from './cron-schedule.ts'
import { semanticEqual } from './equality.ts'
import { isNamespaceTerminating, messageOf } from './failure.ts'
import { endOf, isFinished } from './job.ts'
import { controllerOf, controllerReference, isControlledBy, keyOf, splitKey } from './owner.ts'
import { WorkQueue } from './queue.ts'
import { formatTime, parseTime } from './time.ts'

const component = 'cronjob-controller'

/** More missed starts than these are worth a warning. */
const manyMissed = 100

/** Starts a Job whenever a CronJob's schedule says so. */
export function startCronJob(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncCronJob(context, queue, key), { name: component }))
  stack.use(context.cache.watch<CronJob>(resources.cronJobs, ({ object }) => queue.add(keyOf(object))))
  stack.use(
    context.cache.watch<Job>(resources.jobs, ({ object }) => {
      const owner = controllerOf(object)
      if (owner?.kind === 'CronJob') queue.add(`${object.metadata.namespace}/${owner.name}`)
    }),
  )
  return stack
}

async function syncCronJob(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const cached = context.cache.get<CronJob>(resources.cronJobs, name, namespace)
  if (!cached?.spec) return
  const cron = copyOf(cached)
  const jobs = context.cache.list<Job>(resources.jobs, namespace).filter((job) => isControlledBy(job, cron))
  await cleanUpFinished(context, cron, jobs)
  updateActive(context, cron, jobs)
  try {
    if (!cron.metadata.deletionTimestamp && !cron.spec?.suspend) await startDue(context, queue, key, cron)
  } finally {
    await writeStatus(context, cached, cron)
  }
}

/** Forgets Jobs that have ended or gone. */
function updateActive(context: ClusterContext, cron: CronJob, jobs: readonly Job[]): void {
  cron.status ??= {}
  const active = [...(cron.status.active ?? [])]
  for (const job of jobs) {
    const index = active.findIndex(({ uid }) => uid === job.metadata.uid)
    const end = endOf(job)
    if (index < 0 && !end) {
      const message = `Saw a job that the controller did not create or forgot: ${job.metadata.name}`
      context.events.event(cron, 'Warning', 'UnexpectedJob', message, { component })
      continue
    }
    if (!end) continue
    if (index >= 0) {
      active.splice(index, 1)
      const message = `Saw completed job: ${job.metadata.name}, condition: ${end.type}`
      context.events.event(cron, 'Normal', 'SawCompletedJob', message, { component })
    }
    const { completionTime } = job.status ?? {}
    if (end.type === 'Complete' && completionTime && parseTime(completionTime) > parseTime(cron.status.lastSuccessfulTime)) {
      cron.status.lastSuccessfulTime = completionTime
    }
  }
  const missing = active.filter(({ uid }) => !jobs.some((job) => job.metadata.uid === uid))
  for (const { name } of missing) {
    context.events.event(cron, 'Normal', 'MissingJob', `Active job went missing: ${name}`, { component })
  }
  cron.status.active = active.filter((reference) => !missing.includes(reference))
}

/** Starts the Job of the latest schedule that is due, as the concurrency policy allows, and plans the next. */
async function startDue(context: ClusterContext, queue: WorkQueue, key: string, cron: CronJob): Promise<void> {
  const now = context.clock.now()
  let schedule: ReturnType<typeof parseSchedule>
  try {
    schedule = parseSchedule(cron.spec?.schedule ?? '', cron.spec?.timeZone)
  } catch (error) {
    const message = `unparseable schedule: "${cron.spec?.schedule}" : ${messageOf(error)}`
    context.events.event(cron, 'Warning', 'UnparseableSchedule', message, { component })
    return
  }
  const next = schedule.next(now)
  // A little later than on the minute, so that a schedule is surely past when it is looked for.
  if (next !== undefined) queue.addAfter(key, next - now + 100)
  const due = latestDue(context, cron, schedule, now)
  if (due === undefined) return
  const deadline = cron.spec?.startingDeadlineSeconds
  if (deadline !== undefined && due + deadline * 1000 < now) {
    const message = `Missed scheduled time to start a job: ${new Date(due).toUTCString().replace('GMT', 'UTC')}`
    context.events.event(cron, 'Warning', 'MissSchedule', message, { component })
    return
  }
  // What the status says is started is not started again, whatever has become of it.
  if (parseTime(cron.status?.lastScheduleTime) === due) return
  const active = cron.status?.active ?? []
  if (active.length > 0 && cron.spec?.concurrencyPolicy === 'Forbid') {
    const message = 'Not starting job because prior execution is running and concurrency policy is Forbid'
    context.events.event(cron, 'Normal', 'JobAlreadyActive', message, { component })
    return
  }
  if (cron.spec?.concurrencyPolicy === 'Replace') for (const { name } of active) await deleteJob(context, cron, name ?? '')
  await createJob(context, cron, due)
}

/**
 * The latest time that is due since the last start (mostRecentScheduleTime); how many were missed is reckoned from the distance
 * between the first two, so that years of them cost nothing.
 */
function latestDue(context: ClusterContext, cron: CronJob, schedule: ReturnType<typeof parseSchedule>, now: number): number | undefined {
  let from = parseTime(cron.status?.lastScheduleTime ?? cron.metadata.creationTimestamp)
  if (cron.spec?.startingDeadlineSeconds !== undefined) from = Math.max(from, now - cron.spec.startingDeadlineSeconds * 1000)
  const first = schedule.next(from)
  if (first === undefined || first > now) return undefined
  const second = schedule.next(first)
  if (second === undefined || second > now) return first
  const missed = Math.floor((now - first) / (second - first)) + 1
  let latest: number | undefined
  for (let time = schedule.next(first + (missed - 2) * (second - first)); time !== undefined && time <= now; time = schedule.next(time)) {
    latest = time
  }
  if (missed > manyMissed && latest !== undefined) {
    const message = 'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew'
    context.events.event(cron, 'Warning', 'TooManyMissedTimes', message, { component })
  }
  return latest
}

async function createJob(context: ClusterContext, cron: CronJob, scheduled: number): Promise<void> {
  const { name = '', namespace } = cron.metadata
  const template = cron.spec?.jobTemplate
  const job: Job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: `${name}-${Math.floor(scheduled / 60_000)}`,
      namespace,
      labels: { ...template?.metadata?.labels },
      annotations: {
        ...template?.metadata?.annotations,
        'batch.kubernetes.io/cronjob-scheduled-timestamp': formatInZone(scheduled, cron.spec?.timeZone),
      },
      ownerReferences: [controllerReference(cron)],
    },
    spec: copyOf(template?.spec),
  }
  cron.status ??= {}
  try {
    const created = await context.client.create<Job>(resources.jobs, job, { namespace })
    context.events.event(cron, 'Normal', 'SuccessfulCreate', `Created job ${created.metadata.name}`, { component })
    cron.status.active = [...(cron.status.active ?? []), referenceTo(created)]
  } catch (error) {
    if (isNamespaceTerminating(error)) return
    if (!isAlreadyExists(error)) {
      context.events.event(cron, 'Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`, { component })
      throw error
    }
    const existing = await context.client.get<Job>(resources.jobs, job.metadata.name ?? '', namespace)
    if (!isControlledBy(existing, cron) || cron.status.active?.some(({ uid }) => uid === existing.metadata.uid)) return
    cron.status.active = [...(cron.status.active ?? []), referenceTo(existing)]
  }
  cron.status.lastScheduleTime = formatTime(scheduled)
}

function referenceTo(job: Job): ObjectReference {
  const { name, namespace, uid, resourceVersion } = job.metadata
  return { apiVersion: 'batch/v1', kind: 'Job', name, namespace, uid, resourceVersion }
}

/** Deletes the oldest finished Jobs beyond the history limits. */
async function cleanUpFinished(context: ClusterContext, cron: CronJob, jobs: readonly Job[]): Promise<void> {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cron.spec ?? {}
  for (const [type, limit] of [
    ['Complete', successfulJobsHistoryLimit],
    ['Failed', failedJobsHistoryLimit],
  ] as const) {
    const ended = jobs.filter((job) => isFinished(job) && endOf(job)?.type === type && !job.metadata.deletionTimestamp)
    ended.sort(
      (a, b) =>
        parseTime(a.status?.startTime) - parseTime(b.status?.startTime) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1),
    )
    for (const job of ended.slice(0, Math.max(0, ended.length - limit))) await deleteJob(context, cron, job.metadata.name ?? '')
  }
}

async function deleteJob(context: ClusterContext, cron: CronJob, name: string): Promise<void> {
  try {
    await context.client.delete(resources.jobs, name, cron.metadata.namespace, { propagationPolicy: 'Background' })
  } catch (error) {
    if (isNotFound(error)) return
    context.events.event(cron, 'Warning', 'FailedDelete', `Deleted job: ${messageOf(error)}`, { component })
    throw error
  }
  context.events.event(cron, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`, { component })
  if (cron.status) cron.status.active = cron.status.active?.filter((reference) => reference.name !== name)
}

async function writeStatus(context: ClusterContext, before: CronJob, cron: CronJob): Promise<void> {
  if (semanticEqual(before.status, cron.status)) return
  await context.client.update<CronJob>(resources.cronJobs, cron, { subresource: 'status' })
}
