import type { ClusterContext } from '../machinery/context.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Event } from '../schema/types/core.v1.ts'
import { keyOf, splitKey } from './owner.ts'
import { WorkQueue } from './queue.ts'
import { parseTime } from './time.ts'

/** How long the API server keeps an Event after its last write, ms. */
const ttl = 3_600_000

/** Forgets Events after an hour. */
export function startEventTTL(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncEvent(context, queue, key), { name: 'event-ttl' }))
  stack.use(
    context.cache.watch<Event>(resources.events, ({ type, object }) => {
      if (type === 'ADDED') queue.addAfter(keyOf(object), ttl)
    }),
  )
  return stack
}

async function syncEvent(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const event = context.cache.get<Event>(resources.events, name, namespace)
  if (!event) return
  const { lastTimestamp, series, eventTime } = event
  const latest = parseTime(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? event.metadata.creationTimestamp)
  const left = latest + ttl - context.clock.now()
  if (left > 0) {
    queue.addAfter(key, left)
    return
  }
  try {
    await context.client.delete(resources.events, name, namespace)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}
