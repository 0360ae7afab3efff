import type { Clock } from '../clock.ts'
import type { Event } from '../schema/types/core.v1.ts'
import type { Client, EventRecorder } from './context.ts'
import { ApiError, ApiUnreachable } from './errors.ts'
import { resources } from './object.ts'

/** client-go's EventCorrelator: so many similar events of one source are shown one by one, then they are combined. */
const similarLimit = 10
const similarWindow = 600_000
/** One source may write so many events of one type about one object at once, and one more each five minutes. */
const burst = 25
const refill = 300_000
const remembered = 4096

interface Observed {
  name: string
  namespace: string
  count: number
  firstTimestamp: string
}

interface Similar {
  messages: Set<string>
  last: number
}

interface Bucket {
  tokens: number
  at: number
}

export interface EventRecorderParts {
  clock: Clock
  random: () => number
  /** The client that writes as a component. */
  clientOf(component: string): Client
  report(where: string, error: unknown): void
}

/** Writes events as client-go's recorder does: repeated ones count up, similar ones are combined, a flood is cut. */
export function createEventRecorder(parts: EventRecorderParts): EventRecorder {
  const recorder = new Recorder(parts)
  return { event: (...about) => recorder.record(...about) }
}

class Recorder {
  private lastName = 0n
  private readonly parts: EventRecorderParts
  private readonly observed = new Recent<Observed>()
  private readonly similar = new Recent<Similar>()
  private readonly buckets = new Recent<Bucket>()
  private queue: Promise<void> = Promise.resolve()

  constructor(parts: EventRecorderParts) {
    this.parts = parts
  }

  record(...[about, type, reason, message, source, fieldPath]: Parameters<EventRecorder['event']>): void {
    const now = this.parts.clock.now()
    const { name = '', namespace = '', uid = '', resourceVersion = '' } = about.metadata
    const involvedObject = {
      kind: about.kind,
      ...(namespace ? { namespace } : {}),
      name,
      uid,
      apiVersion: about.apiVersion,
      resourceVersion,
      ...(fieldPath ? { fieldPath } : {}),
    }
    const ofOne = JSON.stringify([source.component, source.host, about.kind, namespace, name, uid, about.apiVersion, type])
    const ofReason = ofOne + JSON.stringify([reason])
    const text = this.combined(ofReason, message, now)
    const key = ofReason + JSON.stringify([fieldPath, text === message ? text : 'combined'])
    const time = `${new Date(now).toISOString().slice(0, 19)}Z`
    const known = this.observed.get(key)
    if (!this.allowed(ofOne, now)) return
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: known?.name ?? this.eventName(name, now), namespace: namespace || 'default' },
      involvedObject,
      reason,
      message: text,
      source: { component: source.component, ...(source.host ? { host: source.host } : {}) },
      firstTimestamp: known?.firstTimestamp ?? time,
      lastTimestamp: time,
      count: (known?.count ?? 0) + 1,
      type,
      reportingComponent: source.component,
      reportingInstance: source.host ?? '',
    }
    this.observed.set(key, {
      name: event.metadata.name as string,
      namespace: event.metadata.namespace as string,
      count: event.count as number,
      firstTimestamp: event.firstTimestamp as string,
    })
    const client = this.parts.clientOf(source.component)
    this.queue = this.queue.then(() => this.write(client, event, known !== undefined))
  }

  private async write(client: Client, event: Event, again: boolean): Promise<void> {
    const { name = '', namespace = '' } = event.metadata
    try {
      if (again) {
        const { count, message, lastTimestamp } = event
        try {
          await client.patch(resources.events, name, { count, message, lastTimestamp }, 'strategic', { namespace })
          return
        } catch (error) {
          if (!(error instanceof ApiError && error.reason === 'NotFound')) throw error
        }
      }
      await client.create(resources.events, event)
    } catch (error) {
      // Who cannot reach the API server loses them, as everybody does in the end.
      if (error instanceof ApiUnreachable) return
      // A namespace that is on its way out takes no more events; everyone else must know.
      if (error instanceof ApiError && (error.reason === 'Forbidden' || error.reason === 'NotFound')) return
      this.parts.report(`event ${event.reason} of ${event.involvedObject.kind} ${namespace}/${event.involvedObject.name}`, error)
    }
  }

  /** The event's message, or the one that stands for many similar ones. */
  private combined(key: string, message: string, now: number): string {
    const known = this.similar.get(key)
    const entry = known && now - known.last <= similarWindow ? known : { messages: new Set<string>(), last: now }
    entry.messages.add(message)
    entry.last = now
    this.similar.set(key, entry)
    return entry.messages.size < similarLimit ? message : `(combined from similar events): ${message}`
  }

  private allowed(key: string, now: number): boolean {
    const bucket = this.buckets.get(key) ?? { tokens: burst, at: now }
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.at) / refill)
    bucket.at = now
    this.buckets.set(key, bucket)
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  /** The object's name and, in hex, the time in nanoseconds: later events of one millisecond have later names. */
  private eventName(object: string, now: number): string {
    const millisecond = BigInt(Math.floor(now)) * 1_000_000n
    const before = this.lastName < millisecond ? millisecond : this.lastName
    const nanoseconds = before + 1n + BigInt(Math.floor(this.parts.random() * 1000))
    this.lastName = nanoseconds
    return `${object}.${nanoseconds.toString(16)}`
  }
}

/** Keeps the entries that were set last, and at times some more: each look for the oldest passes by all that have gone before. */
class Recent<T> {
  private readonly entries = new Map<string, T>()

  get(key: string): T | undefined {
    return this.entries.get(key)
  }

  set(key: string, value: T): void {
    this.entries.delete(key)
    this.entries.set(key, value)
    if (this.entries.size <= remembered * 1.1) return
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= remembered) return
      this.entries.delete(oldest)
    }
  }
}
