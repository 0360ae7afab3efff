import type { Timer } from '../clock.ts'
import type { ClusterContext } from '../machinery/context.ts'

/** First and longest wait between attempts, ms; it doubles with each. */
const firstBackOff = 1000
const longestBackOff = 10_000

/** After this long an unschedulable Pod is tried again though nothing seems to have changed for it, ms. */
const longestStay = 300_000

export interface Entry {
  readonly key: string
  priority: number
  /** Order of arrival among equals. */
  order: number
  attempts: number
  /** ms since the epoch. */
  lastAttempt: number
  /** Rules that rejected some node in the last attempt. */
  rejectedBy: ReadonlySet<string>
  state: 'active' | 'backing-off' | 'unschedulable' | 'in-flight'
  timer?: Timer
  /** Something happened during the attempt that may change its outcome. */
  stirred: boolean
}

/**
 * Pods that wait for a node: to be tried now, the most important first; backing off after an attempt; or put aside until
 * something happens in the cluster that may help them.
 */
export class SchedulingQueue implements Disposable {
  private readonly context: ClusterContext
  private readonly wake: () => void
  private readonly entries = new Map<string, Entry>()
  private order = 0

  constructor(context: ClusterContext, wake: () => void) {
    this.context = context
    this.wake = wake
  }

  /** A Pod that is new, or has itself been changed. */
  add(key: string, priority: number): void {
    const entry = this.entries.get(key)
    if (!entry) {
      const fresh: Entry = {
        key,
        priority,
        order: this.order++,
        attempts: 0,
        lastAttempt: 0,
        rejectedBy: new Set(),
        state: 'active',
        stirred: false,
      }
      this.entries.set(key, fresh)
      this.wake()
    } else if (entry.state === 'in-flight') {
      entry.stirred = true
    } else if (entry.state === 'unschedulable') {
      this.backOff(entry)
    }
  }

  has(key: string): boolean {
    return this.entries.has(key)
  }

  remove(key: string): void {
    this.entries.get(key)?.timer?.cancel()
    this.entries.delete(key)
  }

  /** The Pod to try next; it stays in flight until it is removed or put back. */
  pop(): Entry | undefined {
    let best: Entry | undefined
    for (const entry of this.entries.values()) {
      if (entry.state !== 'active') continue
      if (!best || entry.priority > best.priority || (entry.priority === best.priority && entry.order < best.order)) best = entry
    }
    if (!best) return undefined
    best.state = 'in-flight'
    best.stirred = false
    best.attempts++
    best.lastAttempt = this.context.clock.now()
    return best
  }

  /** Puts a Pod aside after an attempt that found no node. */
  putAside(entry: Entry, rejectedBy: ReadonlySet<string>): void {
    if (this.entries.get(entry.key) !== entry) return
    entry.rejectedBy = rejectedBy
    if (entry.stirred) {
      this.backOff(entry)
      return
    }
    entry.state = 'unschedulable'
    entry.timer = this.context.clock.setTimeout(() => this.backOff(entry), longestStay)
  }

  /** Tries a Pod again after its back-off. */
  retry(entry: Entry): void {
    if (this.entries.get(entry.key) === entry) this.backOff(entry)
  }

  /** Something happened that may help Pods which one of these rules rejected. */
  stir(rules: readonly string[]): void {
    for (const entry of this.entries.values()) {
      if (entry.state === 'in-flight') entry.stirred = true
      if (entry.state !== 'unschedulable') continue
      if (entry.rejectedBy.size === 0 || rules.some((rule) => entry.rejectedBy.has(rule))) this.backOff(entry)
    }
  }

  [Symbol.dispose](): void {
    for (const { timer } of this.entries.values()) timer?.cancel()
    this.entries.clear()
  }

  private backOff(entry: Entry): void {
    entry.timer?.cancel()
    const wait = Math.min(longestBackOff, firstBackOff * 2 ** Math.max(0, entry.attempts - 1))
    const left = entry.attempts === 0 ? 0 : entry.lastAttempt + wait - this.context.clock.now()
    if (left <= 0) {
      this.activate(entry)
      return
    }
    entry.state = 'backing-off'
    entry.timer = this.context.clock.setTimeout(() => this.activate(entry), left)
  }

  private activate(entry: Entry): void {
    entry.state = 'active'
    entry.timer = undefined
    entry.order = this.order++
    this.wake()
  }
}
