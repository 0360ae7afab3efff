import type { Clock } from '../../clock.ts'

/**
 * Modelled CPU time of one container. Programs are charged a fixed price for what they do, in nanoseconds of one core,
 * and wait on the cluster's clock once they are ahead of it: a process runs on one core at most, a container on its limit.
 * The price is far above what the work costs here, so that a busy loop shows as a full core in `kubectl top` and takes a
 * few percent of a real one; and since the wait is on the cluster's clock, a busy loop lets `advance` come to its end.
 */
export class Cpu {
  private readonly clock: Clock
  private readonly host: Host
  /** Cores; Infinity without a limit. */
  private limit = nodeCores
  /** Cluster ms up to which the container's budget is spent. */
  private spentUntil = 0
  private readonly seconds = new Float64Array(window)
  private lastSecond = 0
  /** Nanoseconds since the start. */
  total = 0

  constructor(clock: Clock, limit: number | undefined) {
    this.clock = clock
    this.host = hostOf(clock)
    this.setLimit(limit)
  }

  setLimit(limit: number | undefined): void {
    this.limit = Math.min(limit && limit > 0 ? limit : nodeCores, nodeCores)
  }

  /** What a process has to wait, if it must: `await` it. */
  charge(meter: Meter, nanoseconds: number): number {
    const now = this.clock.now()
    const ms = nanoseconds / 1e6
    this.total += nanoseconds
    this.account(now, nanoseconds)
    if (meter.until < now - idle) meter.busySince = now
    meter.until = Math.max(meter.until, now) + ms
    this.spentUntil = Math.max(this.spentUntil, now - period) + ms / this.limit
    const lead = meter.until - now
    const ahead = lead > (meter.until - meter.busySince > patience ? longSlice : slice) ? lead : 0
    const over = this.spentUntil > now ? this.spentUntil - now : 0
    this.host.spentUntil = Math.max(this.host.spentUntil, now - period) + ms / nodeCores
    // the scheduler lets those through that have hardly run
    const contended = meter.until - meter.busySince > hostPatience ? this.host.spentUntil - now : 0
    return Math.max(ahead, over > period ? over : 0, contended > period ? contended : 0)
  }

  /** A process that has been busy for long pays more for each step: nobody waits for what a busy loop computes. */
  price(meter: Meter, nanoseconds: number): number {
    return meter.until > 0 && meter.until - meter.busySince > patience ? nanoseconds * surcharge : nanoseconds
  }

  /** Nanocores, the mean over the last seconds. */
  usage(): number {
    const now = this.clock.now()
    this.account(now, 0)
    let sum = 0
    for (const value of this.seconds) sum += value
    return Math.round(sum / window)
  }

  private account(now: number, nanoseconds: number): void {
    const second = Math.floor(now / 1000)
    if (second - this.lastSecond >= window) this.seconds.fill(0)
    else for (let past = this.lastSecond + 1; past <= second; past++) this.seconds[past % window] = 0
    if (second > this.lastSecond) this.lastSecond = second
    this.seconds[this.lastSecond % window] = (this.seconds[this.lastSecond % window] as number) + nanoseconds
  }
}

/**
 * The machine under all nodes of a cluster, as kind's nodes are containers of one machine: however many loops there are, they
 * share its cores.
 */
interface Host {
  /** Cluster ms up to which its cores are spent. */
  spentUntil: number
}

const hosts = new WeakMap<Clock, Host>()

function hostOf(clock: Clock): Host {
  let host = hosts.get(clock)
  if (!host) hosts.set(clock, (host = { spentUntil: 0 }))
  return host
}

/** One process's place in time. */
export interface Meter {
  /** Cluster ms up to which it has used its core. */
  until: number
  busySince: number
}

export const nodeCores = 4
/** Seconds over which usage is the mean. */
const window = 10
/** ms a process may be ahead of the clock before it waits. */
const slice = 10
const longSlice = 100
/** ms of the scheduler's bandwidth control (cpu.max). */
const period = 100
/** ms without work after which a process counts as fresh. */
const idle = 500
const patience = 3000
/** ms of work after which a process waits for the others of its machine. */
const hostPatience = 500
const surcharge = 10
