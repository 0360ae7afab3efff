import { ApiError, PlainError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import { sizeOfStored } from '../machinery/object-size.ts'
import type { Store } from '../machinery/store.ts'
import type { ResourceInfo } from '../registry/index.ts'

/** What one cluster may take of the process that it shares with others. */
export interface ClusterLimits {
  objects: number
  /** Of all objects as they are stored, about what they are in JSON. */
  bytes: number
  /** Open watches over HTTP. */
  watches: number
  /** Requests that wait for their turn. As many as an API server has in flight by default. */
  requests: number
  /** Bytes of requests on their way in and of answers that nobody has read yet. */
  transit: number
}

/** Far beyond what lessons need, far below what harms a neighbour. */
const defaultLimits: ClusterLimits = { objects: 50_000, bytes: 128 * 2 ** 20, watches: 1000, requests: 600, transit: 64 * 2 ** 20 }

/** Counts what a cluster holds, and refuses what would be too much in the way that a quota refuses. */
export class Limits implements Disposable {
  private readonly store: Store
  private readonly limits: ClusterLimits
  private readonly subscription: Disposable
  private objects = 0
  private bytes = 0
  private watches = 0
  private transit = 0
  private queued = 0

  constructor(store: Store, limits: Partial<ClusterLimits> = {}) {
    this.store = store
    this.limits = { ...defaultLimits, ...limits }
    for (const table of store.tableNames()) for (const object of store.list(table)) this.count(object, 1)
    this.subscription = this.store.subscribe('*', ({ type, object, previous }) => {
      if (previous) this.count(previous, -1)
      if (type !== 'DELETED') this.count(object, 1)
    })
  }

  /** Throws ApiError Forbidden when a new object would be one too many, or a larger one too large. */
  assertRoom(info: ResourceInfo, name: string, object: KubeObject, previous?: KubeObject): void {
    const { objects, bytes } = this.limits
    if (!previous && this.objects >= objects) {
      throw ApiError.forbidden(
        info,
        name,
        `the cluster is full: it holds ${this.objects} objects, and at most ${objects} are allowed; delete some first`,
      )
    }
    const growth = sizeOfStored(object) - (previous ? sizeOfStored(previous) : 0)
    if (growth <= 0 || this.bytes + growth <= bytes) return
    const mebibytes = (count: number) => `${Math.round((count / 2 ** 20) * 10) / 10} MiB`
    const why = `the cluster is full: it holds ${mebibytes(this.bytes)}, and at most ${mebibytes(bytes)} are allowed; delete something first`
    throw ApiError.forbidden(info, name, why)
  }

  /** Takes the place of one watch until it is disposed. Throws ApiError TooManyRequests when there is none. */
  watch(): Disposable {
    if (this.watches >= this.limits.watches) {
      const why = `too many watches: ${this.watches} are open in this cluster, and at most ${this.limits.watches} are allowed; close some, then try again`
      throw ApiError.tooManyRequests(why, 1)
    }
    this.watches++
    let open = true
    return {
      [Symbol.dispose]: () => {
        if (open) this.watches--
        open = false
      },
    }
  }

  /** A request that waits, until it is disposed. Throws ApiError TooManyRequests, in the API server's own words, when too many do. */
  queue(): Disposable {
    if (this.queued >= this.limits.requests) throw new Overloaded()
    this.queued++
    return { [Symbol.dispose]: () => void this.queued-- }
  }

  /** Takes room for bytes on their way until it is disposed. Throws ApiError TooManyRequests when there is none. */
  inTransit(bytes: number): Disposable {
    const { transit } = this.limits
    if (this.transit > 0 && this.transit + bytes > transit) {
      const held = Math.round(this.transit / 2 ** 20)
      const why = `too much is on its way: ${held} MiB of requests and unread answers, and at most ${transit / 2 ** 20} MiB are allowed; read what was asked for, then try again`
      throw ApiError.tooManyRequests(why, 1)
    }
    this.transit += bytes
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.transit -= bytes
        held = false
      },
    }
  }

  [Symbol.dispose](): void {
    this.subscription[Symbol.dispose]()
  }

  private count(object: KubeObject, sign: 1 | -1): void {
    this.objects += sign
    this.bytes += sign * sizeOfStored(object)
  }
}

/** What API Priority and Fairness says to those whose queue is full (apiserver, priority-and-fairness.go). No Status: text alone. */
class Overloaded extends PlainError {
  constructor() {
    super(429, 'TooManyRequests', 'Too many requests, please try again later.', { retryAfterSeconds: 1 })
  }
}
