import type { Clock, Timer } from '../clock.ts'
import type { Event } from '../schema/types/core.v1.ts'
import type { Store } from './store.ts'

/** Events live an hour, as kube-apiserver's --event-ttl has it. */
const lifetime = 3_600_000
const interval = 300_000

/** Removes events that nobody has counted up for an hour. */
export function startEventExpiry(store: Store, clock: Clock): Disposable {
  let timer: Timer
  const sweep = () => {
    const oldest = clock.now() - lifetime
    for (const object of store.list('events')) {
      const event = object as Event
      const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp
      if (last && Date.parse(last) < oldest) store.remove('events', `${event.metadata.namespace}/${event.metadata.name}`)
    }
    timer = clock.setTimeout(sweep, interval)
  }
  timer = clock.setTimeout(sweep, interval)
  return { [Symbol.dispose]: () => timer.cancel() }
}
