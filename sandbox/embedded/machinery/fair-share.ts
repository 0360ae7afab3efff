/**
 * The clusters of a process share one thread. This shares its time out among them, by what each has had: who waits takes
 * turns, and whoever has had less than all who wait goes at once.
 */
export class FairShare {
  private readonly waiting = new Set<Member>()
  /** ms of work since the event loop last came round. */
  private spent = 0
  private arranged = false
  /** What the member had that was served last, ms: who comes anew is no further behind than a slice. */
  private level = 0
  /** Somebody has the turn. */
  private taken = false
  private readonly now: () => number

  /** `now` gives ms of the thread's time. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now
  }

  /** A cluster's share, until it is disposed; then nobody of it waits any more. */
  join(): Share {
    const member: Member = { had: 0, waiting: [], ended: false }
    return {
      turn: (ahead = 0) => this.turn(member, ahead),
      [Symbol.dispose]: () => {
        member.ended = true
        this.waiting.delete(member)
        for (const go of member.waiting.splice(0)) go()
      },
    }
  }

  private turn(member: Member, ahead: number): Promise<void> {
    if (member.ended) return Promise.resolve()
    if (member.waiting.length === 0) {
      // who had nothing to do has not saved up for later
      member.had = Math.max(member.had, this.level - slice)
      const comesFirst = member.had < this.level || (this.waiting.size === 0 && this.spent < slice)
      if (comesFirst && !this.taken) {
        this.begin(member, ahead)
        return Promise.resolve()
      }
    }
    return new Promise((resolve) => {
      member.waiting.push(() => {
        if (!member.ended) this.begin(member, ahead)
        resolve()
      })
      this.waiting.add(member)
      if (!this.taken) this.arrange()
    })
  }

  /** From now on it is the member's work, until there is nothing more that could be done by now. */
  private begin(member: Member, ahead: number): void {
    this.level = Math.max(this.level, member.had)
    const began = this.now()
    const end = () => {
      this.taken = false
      const took = ahead + this.now() - began
      member.had += took
      this.spent += took
      if (this.spent < slice) this.next()
      if (this.spent > 0) this.arrange()
    }
    this.taken = true
    // a tick asked for by a microtask comes when all other microtasks are through
    queueMicrotask(() => process.nextTick(end))
  }

  /** Others' work (reading, timers) comes between two slices. */
  private arrange(): void {
    if (this.arranged) return
    this.arranged = true
    setImmediate(() => {
      this.arranged = false
      this.spent = 0
      if (!this.taken) this.next()
    })
  }

  private next(): void {
    let neediest: Member | undefined
    for (const member of this.waiting) if (!neediest || member.had < neediest.had) neediest = member
    if (!neediest) return
    const go = neediest.waiting.shift()
    if (neediest.waiting.length === 0) this.waiting.delete(neediest)
    go?.()
  }
}

export interface Share extends Disposable {
  /**
   * Resolves at once, or in its turn when others want the thread too. What is done then, up to the first wait for something
   * outside, is charged to the share; `ahead` is what it will cause later beside that, ms.
   */
  turn(ahead?: number): Promise<void>
}

interface Member {
  /** ms of the thread. */
  had: number
  readonly waiting: (() => void)[]
  ended: boolean
}

/** ms of work after which the event loop goes round. */
const slice = 2

/** Of all clusters in this process. */
export const fairShare = new FairShare()
