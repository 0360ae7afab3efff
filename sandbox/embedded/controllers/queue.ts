import type { Timer } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { ApiError } from '../machinery/errors.ts'

export interface QueueOptions {
  /** Names the queue where its errors are reported. */
  name: string
  /** Keys worked on at the same time; one key is never worked on twice at once. */
  workers?: number
  /** First and longest wait after an error, ms. */
  baseDelay?: number
  maxDelay?: number
}

/** How long a controller with so many Pods rests after a sync, ms: not at all in a cluster of a few, 0.2 s with a thousand. */
export function restAfter(pods: number): number {
  return pods > 50 ? Math.floor(pods / 5) : 0
}

/**
 * Keys to be reconciled, as client-go's rate-limiting work queue has them: a key that is added while it waits is added
 * once; one that is added while it is worked on runs again afterwards; one whose work fails comes back after a wait
 * that doubles with each failure (5 ms to 1000 s) until it succeeds.
 */
export class WorkQueue implements Disposable {
  private readonly context: ClusterContext
  private readonly sync: (key: string) => Promise<void>
  private readonly options: Required<QueueOptions>
  private readonly waiting = new Set<string>()
  private readonly running = new Set<string>()
  private readonly again = new Set<string>()
  private readonly failures = new Map<string, number>()
  private readonly timers = new Map<string, { due: number; timer: Timer }>()
  /** Keys that are left alone until then, cluster ms. */
  private readonly paused = new Map<string, number>()
  private active = 0
  private disposed = false

  constructor(context: ClusterContext, sync: (key: string) => Promise<void>, options: QueueOptions) {
    this.context = context
    this.sync = sync
    this.options = { workers: 5, baseDelay: 5, maxDelay: 1_000_000, ...options }
  }

  add(key: string): void {
    if (this.disposed) return
    if (this.running.has(key)) {
      this.again.add(key)
      return
    }
    if (!this.enqueue(key)) return
    this.start()
  }

  /**
   * Leaves the key that is worked on alone for ms of cluster time: what happens to it meanwhile becomes one sync. Its syncs read
   * everything anew, so that a big one that ran at each of a thousand changes would do nothing else.
   */
  pause(key: string, ms: number): void {
    if (ms > 0) this.paused.set(key, this.context.clock.now() + ms)
  }

  /** Adds the key in ms of cluster time, or earlier where an earlier time is planned already. */
  addAfter(key: string, ms: number): void {
    if (this.disposed) return
    if (ms <= 0) {
      this.add(key)
      return
    }
    const due = this.context.clock.now() + ms
    const planned = this.timers.get(key)
    if (planned) {
      if (planned.due <= due) return
      planned.timer.cancel()
    }
    const fire = () => {
      this.timers.delete(key)
      this.add(key)
    }
    this.timers.set(key, { due, timer: this.context.clock.setTimeout(fire, ms) })
  }

  /** Adds the key after the wait that its failures so far have earned it. */
  addRateLimited(key: string): void {
    const failures = this.failures.get(key) ?? 0
    this.failures.set(key, failures + 1)
    this.addAfter(key, Math.min(this.options.maxDelay, this.options.baseDelay * 2 ** failures))
  }

  [Symbol.dispose](): void {
    this.disposed = true
    this.waiting.clear()
    this.again.clear()
    for (const { timer } of this.timers.values()) timer.cancel()
    this.timers.clear()
    this.paused.clear()
  }

  /** False when the key waits for the end of its pause. */
  private enqueue(key: string): boolean {
    const left = (this.paused.get(key) ?? 0) - this.context.clock.now()
    if (left > 0) {
      this.addAfter(key, left)
      return false
    }
    this.paused.delete(key)
    this.waiting.add(key)
    return true
  }

  private start(): void {
    if (this.active >= this.options.workers) return
    this.active++
    void this.context.clock.during(this.work())
  }

  private async work(): Promise<void> {
    for (;;) {
      // A turn of the event loop before each key: many changes of one moment become one sync, and a busy cluster stays answerable.
      await this.context.clock.turn()
      const [key] = this.waiting
      if (key === undefined) break
      this.waiting.delete(key)
      this.running.add(key)
      await this.process(key)
      this.running.delete(key)
      if (this.again.delete(key)) this.enqueue(key)
    }
    this.active--
  }

  private async process(key: string): Promise<void> {
    try {
      await this.sync(key)
      this.failures.delete(key)
    } catch (error) {
      if (this.disposed) return
      // A lost race needs no report, the retry reads what is there now; nor does a refusal: it stands in an Event or in the status.
      if (!(error instanceof ApiError) || error.code >= 500) this.context.report(`${this.options.name}: ${key}`, error)
      this.addRateLimited(key)
    }
  }
}
