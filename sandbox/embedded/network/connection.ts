import type { Clock } from '../clock.ts'
import type { Connection } from './network.ts'

export interface Address {
  ip: string
  port: number
}

/** Both ends of a new byte stream, client's first. What one end writes the other gets in a later turn of the event loop. */
export function connectionPair(
  clock: Clock,
  client: Address,
  server: Address,
  watch?: Watcher,
  transfer?: Transfer,
): [Connection, Connection] {
  const near = new End(clock, client, server)
  const far = new End(clock, server, client)
  near.peer = far
  far.peer = near
  if (watch) {
    near.watch = { data: (data) => watch.data(true, data), end: () => watch.end(true) }
    far.watch = { data: (data) => watch.data(false, data), end: () => watch.end(false) }
  }
  if (transfer) {
    near.transfer = (bytes) => transfer(true, bytes)
    far.transfer = (bytes) => transfer(false, bytes)
  }
  return [near, far]
}

/** How many of the bytes that one end writes arrive; with those that do not, all that comes after them is lost. */
export type Transfer = (fromClient: boolean, bytes: number) => number

/** Who is told of what both ends do. */
export interface Watcher {
  data(fromClient: boolean, data: Uint8Array): void
  end(fromClient: boolean): void
}

class End implements Connection {
  readonly local: Address
  readonly remote: Address
  peer: End | undefined
  watch: { data(data: Uint8Array): void; end(): void } | undefined
  transfer: ((bytes: number) => number) | undefined
  private readonly clock: Clock
  private readonly dataListeners = new Set<(data: Uint8Array) => void>()
  private readonly endListeners = new Set<() => void>()
  /** Arrived, and not yet heard: kept until somebody listens. */
  private readonly inbox: Uint8Array[] = []
  private finished = false
  private ended = false
  private heardEnd = false
  private scheduled = false
  private stuck = false

  constructor(clock: Clock, local: Address, remote: Address) {
    this.clock = clock
    this.local = local
    this.remote = remote
  }

  write(data: Uint8Array): void {
    if (this.finished || data.length === 0 || !this.peer) return
    this.watch?.data(data)
    if (this.stuck) return
    const arrive = this.transfer?.(data.length) ?? data.length
    this.stuck = arrive < data.length
    if (arrive === 0) return
    // A copy: the writer may use its buffer again before it is read.
    this.peer.inbox.push(data.slice(0, arrive))
    this.peer.schedule()
  }

  end(): void {
    if (this.finished) return
    this.finished = true
    this.watch?.end()
    if (!this.peer || this.stuck) return
    this.peer.ended = true
    this.peer.schedule()
  }

  onData(listener: (data: Uint8Array) => void): Disposable {
    this.dataListeners.add(listener)
    this.schedule()
    return { [Symbol.dispose]: () => this.dataListeners.delete(listener) }
  }

  onEnd(listener: () => void): Disposable {
    if (this.heardEnd) queueMicrotask(listener)
    else this.endListeners.add(listener)
    this.schedule()
    return { [Symbol.dispose]: () => this.endListeners.delete(listener) }
  }

  [Symbol.dispose](): void {
    const peer = this.peer
    this.end()
    peer?.end()
    this.peer = undefined
    this.inbox.length = 0
  }

  private schedule(): void {
    if (this.scheduled || (this.inbox.length === 0 && !this.ended)) return
    this.scheduled = true
    void this.clock.during(
      new Promise<void>((resolve) => {
        setImmediate(() => {
          this.scheduled = false
          try {
            this.deliver()
          } finally {
            resolve()
          }
        })
      }),
    )
  }

  private deliver(): void {
    while (this.inbox.length > 0 && this.dataListeners.size > 0) {
      const data = this.inbox.shift() as Uint8Array
      for (const listener of [...this.dataListeners]) listener(data)
    }
    if (!this.ended || this.heardEnd || this.inbox.length > 0) return
    this.heardEnd = true
    for (const listener of [...this.endListeners]) listener()
    this.endListeners.clear()
  }
}
