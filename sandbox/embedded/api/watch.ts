import type { Clock } from '../clock.ts'
import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import { sizeOfStored } from '../machinery/object-size.ts'
import type { Store, StoredChange } from '../machinery/store.ts'
import type { ResourceInfo } from '../registry/index.ts'
import { decodeObject } from '../schema/decode.ts'
import type { ObjectMeta } from '../schema/types/meta.v1.ts'
import { wireTypeOf } from '../schema/wire.ts'
import { prepareServed, served } from './conversion.ts'
import type { ListOptions } from './options.ts'
import { tableOf } from './resources.ts'
import { typeMeta } from './rest.ts'
import type { Selection } from './selection.ts'

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: unknown
}

export interface WatchRequest {
  store: Store
  clock: Clock
  random: () => number
  info: ResourceInfo
  namespace: string
  options: ListOptions
  selection: Selection
  signal: AbortSignal
}

/** ms between bookmarks. */
const bookmarkInterval = 60_000
/** A watcher that is so far behind (events, or bytes of changes) is ended; it comes back with its last resource version. */
const longestQueue = 20_000
const largestQueue = 32 * 2 ** 20
const shortestTimeout = 1_800_000
const initialEventsEnd = 'k8s.io/initial-events-end'

/**
 * The events of a watch as the server sends them: what exists first where that is asked for, then every change that
 * matters to the selection, bookmarks in between. Ends at its timeout or with the signal. A change is given out only
 * once it is safe on the disk.
 */
export async function* watchObjects(request: WatchRequest): AsyncGenerator<readonly WatchEvent[]> {
  const { store, clock, info, namespace, options, selection, signal } = request
  using queue = new EventQueue(signal)
  const table = tableOf(info)
  const start = Number(options.resourceVersion || 0)
  const initial = options.sendInitialEvents ?? start === 0
  let sent = 0
  const offer = (change: StoredChange) => {
    if (change.revision <= sent || !isIn(change.object, info, namespace)) return
    // A webhook that converts is asked when the change's turn comes.
    if (info.conversion?.webhook) return queue.push(change, sizeOfStored(change.object))
    const event = eventOf(change, info, selection)
    if (event) queue.push(event, sizeOfStored(change.object))
  }
  let replay: StoredChange[] = []
  if (initial) {
    const stored = store.list(table, info.namespaced && namespace ? namespace : undefined)
    sent = store.revision
    // Converted one by one at their turn they are many requests, here one.
    if (info.conversion?.webhook) await prepareServed(info, stored)
    for (const one of stored) {
      const object = served(info, one)
      if (selection.matches(object)) queue.push({ type: 'ADDED', object })
    }
    if (options.sendInitialEvents && options.allowWatchBookmarks) queue.push(bookmark(info, sent, true))
    replay = store.changesSince(table, sent)
  } else if (start === 0) {
    // from now on
    sent = store.revision
  } else {
    try {
      replay = store.changesSince(table, start)
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      yield [{ type: 'ERROR', object: error.body }]
      return
    }
    sent = start
  }
  for (const change of replay) offer(change)
  sent = Math.max(sent, store.revision)
  using _subscription = store.subscribe(table, offer)
  const timeout = options.timeoutSeconds > 0 ? options.timeoutSeconds * 1000 : shortestTimeout * (1 + request.random())
  using _timeout = clock.setTimeout(() => queue.end(), timeout)
  using bookmarks = options.allowWatchBookmarks ? new Bookmarks(clock, () => queue.push(bookmark(info, store.revision))) : undefined
  bookmarks?.start()
  while (queue.filled || (await queue.waited())) {
    const batch = queue.take()
    await store.durable()
    if (signal.aborted) return
    if (!info.conversion?.webhook) {
      yield batch as WatchEvent[]
      continue
    }
    for (const next of batch) {
      const event = 'revision' in next ? await converted(next, info, selection) : next
      if (event) yield [event]
    }
  }
}

/** Rejects with ApiError when the webhook fails; the watch ends with that. */
async function converted(change: StoredChange, info: ResourceInfo, selection: Selection): Promise<WatchEvent | undefined> {
  await prepareServed(info, change.previous ? [change.object, change.previous] : [change.object])
  return eventOf(change, info, selection)
}

function isIn({ metadata }: KubeObject, info: ResourceInfo, namespace: string): boolean {
  return !info.namespaced || !namespace || metadata.namespace === namespace
}

class Bookmarks implements Disposable {
  private readonly clock: Clock
  private readonly send: () => void
  private timer: Disposable | undefined

  constructor(clock: Clock, send: () => void) {
    this.clock = clock
    this.send = send
  }

  start(): void {
    this.timer = this.clock.setTimeout(() => {
      this.send()
      this.start()
    }, bookmarkInterval)
  }

  [Symbol.dispose](): void {
    this.timer?.[Symbol.dispose]()
  }
}

/** What a change is to a watcher: entering and leaving a selection are an addition and a deletion. */
function eventOf(change: StoredChange, info: ResourceInfo, selection: Selection): WatchEvent | undefined {
  const object = served(info, change.object)
  const previous = change.previous && served(info, change.previous)
  const matchedBefore = previous !== undefined && selection.matches(previous)
  if (change.type === 'DELETED') return matchedBefore ? { type: 'DELETED', object } : undefined
  const matches = selection.matches(object)
  if (matches) return { type: matchedBefore ? 'MODIFIED' : 'ADDED', object }
  return matchedBefore ? { type: 'DELETED', object: lastMatch(previous, object) } : undefined
}

/** An object that left the selection is shown as it last matched, at the revision at which it left. */
function lastMatch(previous: KubeObject, object: KubeObject): KubeObject {
  const { resourceVersion } = object.metadata
  return { ...previous, metadata: { ...previous.metadata, ...(resourceVersion ? { resourceVersion } : {}) } }
}

function bookmark(info: ResourceInfo, revision: number, endsInitial = false): WatchEvent {
  const annotations = endsInitial ? { annotations: { [initialEventsEnd]: 'true' } } : {}
  return { type: 'BOOKMARK', object: withNothing(info, { resourceVersion: String(revision), ...annotations }) }
}

/** An object that has metadata alone, as Go writes one: a custom resource has no fields then. */
function withNothing(info: ResourceInfo, metadata: ObjectMeta): KubeObject {
  const object = { ...typeMeta(info), metadata }
  const type = info.definition ? undefined : wireTypeOf(object.apiVersion, object.kind)
  if (!type) return object
  if (type === 'apps.v1.DaemonSet') metadata.annotations = { 'deprecated.daemonset.template.generation': '0', ...metadata.annotations }
  // the type that the server works with has always a number there
  const spec = withReplicas.has(type) ? { spec: { replicas: 0 } } : {}
  return decodeObject({ ...object, ...spec }, type).object as unknown as KubeObject
}

const withReplicas = new Set(['Deployment', 'ReplicaSet', 'StatefulSet'].map((kind) => `apps.v1.${kind}`))

/** Events from synchronous writers to one asynchronous reader. */
class EventQueue implements Disposable {
  private events: (WatchEvent | StoredChange)[] = []
  private size = 0
  private wake: (() => void) | undefined
  private ended = false
  private readonly signal: AbortSignal
  private readonly abort = () => this.end()

  constructor(signal: AbortSignal) {
    this.signal = signal
    if (signal.aborted) this.ended = true
    else signal.addEventListener('abort', this.abort, { once: true })
  }

  /** With the bytes that only the queue may be keeping. */
  push(event: WatchEvent | StoredChange, size = 0): void {
    if (this.ended) return
    this.events.push(event)
    this.size += size
    if (this.events.length > longestQueue || this.size > largestQueue) this.end()
    this.wake?.()
  }

  end(): void {
    this.ended = true
    this.wake?.()
  }

  get filled(): boolean {
    return this.events.length > 0 && !this.signal.aborted
  }

  /** Whether something has come, once it has; false after the end. */
  waited(): Promise<boolean> {
    if (this.ended) return Promise.resolve(false)
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = undefined
        resolve(this.filled)
      }
    })
  }

  /** What has come since the last time. */
  take(): (WatchEvent | StoredChange)[] {
    const batch = this.events
    this.events = []
    this.size = 0
    return batch
  }

  [Symbol.dispose](): void {
    this.ended = true
    this.signal.removeEventListener('abort', this.abort)
  }
}
