/**
 * The one time source of an embedded cluster. It runs at real time (or a multiple of it), can skip ahead, and can stand
 * still and be advanced by hand: then every timer that falls due fires in order, and what it set in motion settles,
 * before the next one, so that a run is the same every time.
 */
export interface Clock {
  /** Cluster time, ms since the epoch. */
  now(): number
  /** A `coarse` timer may come some ms early or late: those of all clusters of a process come together then, which costs little. */
  setTimeout(callback: () => void, ms: number, how?: 'coarse'): Timer
  /** Resolves after ms of cluster time; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * Resolves in a later turn of the event loop. A few go on in the same one; where hundreds of Pods or keys wait, or a few have much
   * to do, they come after each other, in order, and requests are answered in between.
   */
  turn(): Promise<void>
  /** Announces work that outlives a few turns of the event loop (a stream, a queue), so that time stands still until it ends. */
  during<T>(work: Promise<T>): Promise<T>
}

export interface Timer extends Disposable {
  cancel(): void
}

interface Entry {
  due: number
  order: number
  callback: () => void
  cancelled: boolean
}

export interface ClusterClockOptions {
  /** Cluster time at the start, ms since the epoch; real time unless given. */
  start?: number
  /** Cluster ms per real ms; 0 stands still until `advance`. */
  rate?: number
}

/** Real timers are kept below Node's limit of 2^31 - 1 ms. */
const longestWait = 2 ** 30

/** Real ms at whose multiples coarse timers fall due, and from how many on: each wakes the process for all of its clusters. */
const grid = 100
const coarseFrom = 1_000

/** So many go on in one turn of the event loop, and so many timers fire in one at real time. */
const together = 8
const firedTogether = 64
/** Real ms after which nobody else goes on in the same turn: who asks over the network is not to wait for all of them. */
const turnMs = 2

export class ClusterClock implements Clock, Disposable {
  private readonly heap: Entry[] = []
  private order = 0
  private rate: number
  private clusterOrigin: number
  private realOrigin = performance.now()
  private real: NodeJS.Timeout | undefined
  private disposed = false
  private advancing = false
  private inFlight = 0
  private readonly turns: (() => void)[] = []
  private taking = false

  constructor(options: ClusterClockOptions = {}) {
    this.clusterOrigin = options.start ?? Date.now()
    this.rate = options.rate ?? 1
  }

  now(): number {
    if (this.advancing || this.rate === 0) return this.clusterOrigin
    return this.clusterOrigin + (performance.now() - this.realOrigin) * this.rate
  }

  setTimeout(callback: () => void, ms: number, how?: 'coarse'): Timer {
    const wait = how === 'coarse' ? this.onGrid(ms) : Math.max(0, ms)
    const entry: Entry = { due: this.now() + wait, order: this.order++, callback, cancelled: false }
    if (!this.disposed) {
      this.push(entry)
      if (this.peek() === entry || !this.real) this.arm()
    }
    const cancel = () => {
      entry.cancelled = true
    }
    return { cancel, [Symbol.dispose]: cancel }
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const timer = this.setTimeout(() => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }, ms)
      const abort = () => {
        timer.cancel()
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.turns.push(resolve)
      if (this.taking) return
      this.taking = true
      setImmediate(() => this.takeTurns())
    })
  }

  async during<T>(work: Promise<T>): Promise<T> {
    this.inFlight++
    try {
      return await work
    } finally {
      this.inFlight--
    }
  }

  /** Cluster ms per real ms from now on; 0 stands still. */
  setRate(rate: number): void {
    this.clusterOrigin = this.now()
    this.realOrigin = performance.now()
    this.rate = rate
    this.arm()
  }

  /** Moves time forward by ms as fast as the work in it allows. Resolves when all of it has settled. */
  async advance(ms: number): Promise<void> {
    if (this.advancing) throw new Error('the clock is already being advanced')
    const target = this.now() + ms
    this.clusterOrigin = this.now()
    this.advancing = true
    if (this.real) clearTimeout(this.real)
    this.real = undefined
    try {
      await this.settle()
      for (let next = this.peek(); next && next.due <= target && !this.disposed; next = this.peek()) {
        this.pop()
        this.clusterOrigin = Math.max(this.clusterOrigin, next.due)
        next.callback()
        await this.settle()
      }
      this.clusterOrigin = Math.max(this.clusterOrigin, target)
    } finally {
      this.advancing = false
      this.realOrigin = performance.now()
      this.arm()
    }
  }

  /** Ends the clock: no timer fires any more. */
  [Symbol.dispose](): void {
    this.disposed = true
    this.heap.length = 0
    if (this.real) clearTimeout(this.real)
    this.real = undefined
  }

  /** Whoever asks for a turn from here has it in the next round at the earliest. */
  private takeTurns(): void {
    const began = performance.now()
    let left = Math.min(together, this.turns.length)
    const next = () => {
      // in time that is moved by hand nobody waits, and it must go the same way every time
      const late = this.rate !== 0 && !this.advancing && performance.now() - began >= turnMs
      if (left > 0 && !late) {
        left--
        this.turns.shift()?.()
        // a tick asked for by a microtask comes when all that could be done by now is done
        queueMicrotask(() => process.nextTick(next))
      } else if (this.turns.length > 0) setImmediate(() => this.takeTurns())
      else this.taking = false
    }
    next()
  }

  private async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      quiet = this.inFlight > 0 ? 0 : quiet + 1
    }
  }

  /** The wait, cluster ms, to the nearest multiple of the grid, so that periods stay what they are. */
  private onGrid(ms: number): number {
    if (this.advancing || this.rate === 0 || ms / this.rate < coarseFrom) return ms
    const now = performance.now()
    return (Math.round((now + ms / this.rate) / grid) * grid - now) * this.rate
  }

  private arm(): void {
    if (this.advancing || this.disposed || this.rate === 0) return
    const next = this.peek()
    if (this.real) clearTimeout(this.real)
    this.real = undefined
    if (!next) return
    const wait = Math.min(longestWait, Math.max(0, (next.due - this.now()) / this.rate))
    this.real = setTimeout(() => this.fire(), wait)
  }

  /** What a timer sets in motion is through before the next one fires; after a while others of this thread go first. */
  private fire(): void {
    const now = this.now()
    const began = performance.now()
    let left = firedTogether
    const next = () => {
      const entry = this.peek()
      const mayFire = left-- > 0 && performance.now() - began < turnMs && !this.advancing && !this.disposed
      if (!entry || entry.due > now || !mayFire) {
        this.arm()
        return
      }
      this.pop()
      entry.callback()
      queueMicrotask(() => process.nextTick(next))
    }
    next()
  }

  private peek(): Entry | undefined {
    while (this.heap[0]?.cancelled) this.pop()
    return this.heap[0]
  }

  private push(entry: Entry): void {
    const { heap } = this
    let index = heap.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!before(entry, heap[parent] as Entry)) break
      heap[index] = heap[parent] as Entry
      index = parent
    }
    heap[index] = entry
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop() as Entry
    if (heap.length === 0) return
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child++
      if (!before(heap[child] as Entry, last)) break
      heap[index] = heap[child] as Entry
      index = child
    }
    heap[index] = last
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order)
}
