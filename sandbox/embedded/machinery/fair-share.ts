/** The clusters of a process share one thread. This shares its time out among them, by what each has had. */
export class FairShare {
  private readonly members = new Set<Member>()
  /** ms of work since the event loop last came round. */
  private spent = 0
  private arranged = false
  private readonly now: () => number

  /** `now` gives ms of the thread's time. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now
  }

  /** A cluster's share, until it is disposed. */
  join(): Share {
    const member: Member = { had: 0, waiting: [] }
    this.members.add(member)
    return {
      run: (work) => this.run(member, work),
      get waiting() {
        return member.waiting.length
      },
      [Symbol.dispose]: () => void this.members.delete(member),
    }
  }

  private run<T>(member: Member, work: () => Promise<T>): Promise<T> {
    // in an idle process nobody waits for anybody
    if (this.spent < slice && !this.anybodyWaits()) return this.start(member, work)
    return new Promise<T>((resolve, reject) => {
      // who had nothing to do has not saved up for later, but comes before those who are at it all the time
      if (member.waiting.length === 0) member.had = Math.max(member.had, this.least() - slice)
      member.waiting.push(() => this.start(member, work).then(resolve, reject))
      this.arrange()
    })
  }

  private start<T>(member: Member, work: () => Promise<T>): Promise<T> {
    const began = this.now()
    const result = work()
    // a tick asked for by a microtask comes when all that the work could do by now is done
    queueMicrotask(() => {
      process.nextTick(() => {
        const took = this.now() - began
        member.had += took
        this.spent += took
        this.arrange()
      })
    })
    return result
  }

  /** Others' work (reading, timers) comes between two slices. */
  private arrange(): void {
    if (this.arranged) return
    this.arranged = true
    setImmediate(() => {
      this.arranged = false
      this.spent = 0
      this.next()
    })
  }

  private next(): void {
    let neediest: Member | undefined
    for (const member of this.members) if (member.waiting.length > 0 && (!neediest || member.had < neediest.had)) neediest = member
    if (!neediest) return
    neediest.waiting.shift()?.()
    queueMicrotask(() => {
      process.nextTick(() => {
        if (this.spent < slice) this.next()
        else this.arrange()
      })
    })
  }

  private anybodyWaits(): boolean {
    for (const { waiting } of this.members) if (waiting.length > 0) return true
    return false
  }

  /** What those who wait have had, at the least. */
  private least(): number {
    let least = Number.POSITIVE_INFINITY
    for (const { had, waiting } of this.members) if (waiting.length > 0) least = Math.min(least, had)
    return least === Number.POSITIVE_INFINITY ? 0 : least
  }
}

export interface Share extends Disposable {
  /**
   * Does the work at once, or in its turn when others want the thread too. What it does up to its first wait for something
   * outside is charged to the share. Gives what the work gives.
   */
  run<T>(work: () => Promise<T>): Promise<T>
  /** How many pieces of work wait for their turn. */
  readonly waiting: number
}

interface Member {
  /** ms of the thread. */
  had: number
  readonly waiting: (() => void)[]
}

/** ms of work after which the event loop goes round. */
const slice = 4

/** Of all clusters in this process. */
export const fairShare = new FairShare()
