/**
 * The clusters of a process share one thread. This shares its time out among them, by what each has had: who waits takes
 * turns, and whoever has had less than all who wait goes at once. What takes long in one piece holds up everybody, however
 * fairly it is charged; so there is an allowance for that.
 */
export class FairShare {
  private readonly members = new Set<Member>()
  private readonly waiting = new Set<Member>()
  /** ms of work since the event loop last came round. */
  private spent = 0
  /** Somebody has the turn. */
  private taken = false
  private arranged = false
  private later: NodeJS.Timeout | undefined
  /** What the member had that was served last, ms: who comes anew is no further behind than a slice. */
  private level = 0
  private readonly now: () => number

  /** `now` gives ms of the thread's time. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now
  }

  /** A cluster's share, until it is disposed; then nobody of it waits any more. */
  join(): Share {
    const member: Member = { had: 0, seen: Number.NEGATIVE_INFINITY, overdrawn: 0, settled: 0, waiting: [], ended: false }
    this.members.add(member)
    return {
      turn: (options) => this.turn(member, options),
      [Symbol.dispose]: () => {
        member.ended = true
        this.members.delete(member)
        this.waiting.delete(member)
        for (const { go } of member.waiting.splice(0)) go()
      },
    }
  }

  private turn(member: Member, { ahead = 0, large = false, brief = false }: TurnOptions = {}): Promise<void> {
    if (member.ended) return Promise.resolve()
    if (!this.waiting.has(member)) {
      // who had nothing to do has not saved up for later
      member.had = Math.max(member.had, this.level - slice)
      const comesFirst = member.had < this.level || (this.waiting.size === 0 && this.spent < slice)
      if (comesFirst && !this.taken && !(large && this.mustRest(member))) {
        this.begin(member, ahead)
        return Promise.resolve()
      }
    }
    const last = member.waiting.at(-1)
    if (brief && last && last.brief > 0 && last.brief < briefAtOnce) {
      last.brief++
      last.ahead += ahead
      return last.turn
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    member.waiting.push({ ahead, large, brief: brief ? 1 : 0, turn: promise, go: resolve })
    this.waiting.add(member)
    if (!this.taken) this.arrange()
    return promise
  }

  /** From now on it is the member's work, until there is nothing more that could be done by now. */
  private begin(member: Member, ahead: number): void {
    this.level = Math.max(this.level, member.had)
    const began = this.now()
    const end = () => {
      this.taken = false
      member.seen = this.now()
      const took = ahead + member.seen - began
      member.had += took
      this.spent += took
      if (took > longPiece) this.overdraw(member, took)
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
    const go = () => {
      this.arranged = false
      this.spent = 0
      if (!this.taken) this.next()
    }
    setImmediate(() => {
      // an immediate asked for amid reading comes before anything else is read: after much work that is too early
      if (this.spent > 2 * slice) setImmediate(go)
      else go()
    })
  }

  private next(): void {
    let neediest: { member: Member; index: number } | undefined
    for (const member of this.waiting) {
      if (neediest && member.had >= neediest.member.had) continue
      const index = this.mustRest(member) ? member.waiting.findIndex(({ large }) => !large) : 0
      if (index >= 0) neediest = { member, index }
    }
    if (!neediest) {
      if (this.waiting.size > 0) this.lookAgain()
      return
    }
    const { member, index } = neediest
    const [first] = member.waiting.splice(index, 1) as [Waiting]
    if (member.waiting.length === 0) this.waiting.delete(member)
    this.begin(member, first.ahead)
    first.go()
  }

  private overdraw(member: Member, ms: number): void {
    const now = this.now()
    member.overdrawn = Math.max(0, member.overdrawn - (now - member.settled) * regained) + ms
    member.settled = now
  }

  /** Whether its allowance is used up and there is somebody whom it would hold up. */
  private mustRest(member: Member): boolean {
    const now = this.now()
    if (member.overdrawn - (now - member.settled) * regained <= allowance) return false
    for (const other of this.members) if (other !== member && now - other.seen < recently) return true
    return false
  }

  /** All who wait rest. */
  private lookAgain(): void {
    if (this.later) return
    this.later = setTimeout(() => {
      this.later = undefined
      this.arrange()
    }, recently / 4)
    this.later.unref()
  }
}

export interface TurnOptions {
  /** ms that the work will cause later, beside what it takes itself. */
  ahead?: number
  /** It may take long in one piece. */
  large?: boolean
  /** It takes much less than a turn costs others to wait for: some of these that wait one behind the other have one turn. */
  brief?: boolean
}

export interface Share extends Disposable {
  /**
   * Resolves at once, or in its turn when others want the thread too. What is done then, up to the first wait for something
   * outside, is charged to the share. What is large waits longer, while others are at work, when much that took long came before.
   */
  turn(options?: TurnOptions): Promise<void>
}

interface Member {
  /** ms of the thread. */
  had: number
  /** When it last had a turn, ms. */
  seen: number
  /** What it took in long pieces, less what it was given since; at a time, ms. */
  overdrawn: number
  settled: number
  readonly waiting: Waiting[]
  ended: boolean
}

/** One piece of work that waits, or some brief ones. */
interface Waiting {
  ahead: number
  readonly large: boolean
  /** How many brief ones, 0 for another. */
  brief: number
  readonly turn: Promise<void>
  go(): void
}

/** ms of work after which the event loop goes round. */
const slice = 2
/** Brief pieces of work in one turn: about a quarter of a slice. */
const briefAtOnce = 16
/** ms from which a piece of work is long: somebody could feel it. */
const longPiece = 20
/**
 * ms in long pieces that a cluster may take as it likes, a chart with dozens
 * of definitions being installed; and the part of the time that it gets back.
 */
const allowance = 4_000
const regained = 0.02
/** ms for which a cluster counts as at work after its last turn. */
const recently = 1_000

/** Of all clusters in this process. */
export const fairShare = new FairShare()
