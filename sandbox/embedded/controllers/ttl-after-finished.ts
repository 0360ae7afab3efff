import type { ClusterContext } from '../machinery/context.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Job } from '../schema/types/batch.v1.ts'
import { endOf } from './job.ts'
import { keyOf, splitKey } from './owner.ts'
import { WorkQueue } from './queue.ts'
import { parseTime } from './time.ts'

/** Deletes finished Jobs when their ttlSecondsAfterFinished are over. */
export function startTTLAfterFinished(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(
    new WorkQueue(context, (key) => syncJob(context, queue, key), { name: 'ttl-after-finished-controller' }),
  )
  stack.use(
    context.cache.watch<Job>(resources.jobs, ({ type, object }) => {
      if (type !== 'DELETED' && expiry(object) !== undefined) queue.add(keyOf(object))
    }),
  )
  return stack
}

async function syncJob(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const job = context.cache.get<Job>(resources.jobs, name, namespace)
  const due = job && expiry(job)
  if (!job || due === undefined) return
  const left = due - context.clock.now()
  if (left > 0) {
    queue.addAfter(key, left)
    return
  }
  try {
    await context.client.delete(resources.jobs, name, namespace, {
      propagationPolicy: 'Foreground',
      preconditions: { uid: job.metadata.uid },
    })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

/** When the Job is to go, ms since the epoch. */
function expiry(job: Job): number | undefined {
  const ttl = job.spec?.ttlSecondsAfterFinished
  const end = endOf(job)
  if (ttl === undefined || !end || job.metadata.deletionTimestamp) return undefined
  return parseTime(end.lastTransitionTime) + ttl * 1000
}
