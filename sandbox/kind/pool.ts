import type { Budget } from './budget.ts'
import { KindCluster } from './cluster.ts'
import type { Docker } from './docker.ts'
import type { ClusterMaker } from './maker.ts'
import type { ClusterRecord, Records } from './records.ts'
import { type Shape, shapeKey } from './shape.ts'
import type { ClusterToolbox } from './toolbox/contract.ts'

/** So many clusters of a shape are to wait for learners. */
export interface PoolTarget {
  shape: Shape
  size: number
}

/** A cluster that nobody has used, with its toolbox. */
export interface WarmCluster {
  cluster: KindCluster
  toolbox: ClusterToolbox | null
}

export interface PoolParts {
  targets: readonly PoolTarget[]
  maker: ClusterMaker
  records: Records
  budget: Budget
  docker: () => Promise<Docker>
  /** Makes one of a shape, with its toolbox. */
  make: (docker: Docker, shape: Shape, signal: AbortSignal) => Promise<WarmCluster>
  onFault: (fault: string) => void
}

const retryMs = 30_000

/**
 * Clusters that are ready before anybody asks. One at a time is made, in the background, and only while the machine has room
 * and is not busy; templates of the shapes come first, since the rest is copied from them.
 */
export class WarmPool implements AsyncDisposable {
  private readonly parts: PoolParts
  private readonly warm = new Map<string, WarmCluster[]>()
  private readonly ended = new AbortController()
  private working: Promise<void> = Promise.resolve()
  private retry: NodeJS.Timeout | undefined
  /** Creations that somebody waits for: the pool stands back. */
  private waited = 0

  constructor(parts: PoolParts) {
    this.parts = parts
  }

  /** How many wait, by shape. */
  sizes(): { key: string; size: number; target: number }[] {
    return this.parts.targets.map(({ shape, size }) => {
      const key = shapeKey(shape)
      return { key, size: this.warm.get(key)?.length ?? 0, target: size }
    })
  }

  /** A waiting cluster for a sandbox, stored as `claiming` before it is given; null when none waits that is well. */
  async claim(shape: Shape, sandbox: string): Promise<WarmCluster | null> {
    const waiting = this.warm.get(shapeKey(shape)) ?? []
    for (let found = waiting.shift(); found; found = waiting.shift()) {
      this.refill()
      const { cluster } = found
      cluster.record.stage = 'claiming'
      cluster.record.sandbox = sandbox
      await this.parts.records.put(cluster.record)
      if (await cluster.api.ready()) return found
      await this.discard(found)
    }
    return null
  }

  /** Takes over a cluster that waited before a restart. Removes it when no target wants it. */
  async adopt(docker: Docker, record: ClusterRecord, toolbox: (cluster: KindCluster) => Promise<ClusterToolbox | null>): Promise<boolean> {
    const key = shapeKey(record.shape)
    const target = this.parts.targets.find(({ shape }) => shapeKey(shape) === key)
    if (!target || (this.warm.get(key)?.length ?? 0) >= target.size) return false
    const cluster = await KindCluster.connect(docker, record)
    if (!(await cluster.api.ready())) {
      cluster[Symbol.dispose]()
      return false
    }
    this.put(key, { cluster, toolbox: await toolbox(cluster) })
    return true
  }

  /** Runs `work`, for which somebody waits, with the pool standing back. */
  async first<Result>(work: () => Promise<Result>): Promise<Result> {
    this.waited++
    try {
      return await work()
    } finally {
      this.waited--
      this.refill()
    }
  }

  /** Ends a waiting cluster, to make room; false when none waits. */
  async giveBack(): Promise<boolean> {
    for (const waiting of this.warm.values()) {
      const found = waiting.pop()
      if (!found) continue
      await this.discard(found)
      return true
    }
    return false
  }

  /** Looks in the background whether something is to be made; called again by itself while a target is not met. */
  refill(): void {
    clearTimeout(this.retry)
    if (this.ended.signal.aborted || this.parts.targets.length === 0) return
    this.working = this.working.then(() => this.makeNext()).catch((error: Error) => this.later(error.message))
  }

  /** Resolves when nothing is being made: for tests and figures. */
  async settled(): Promise<void> {
    for (let last: Promise<void> | null = null; last !== this.working; ) {
      last = this.working
      await last
    }
  }

  /** Stops making; what waits goes on waiting for the next process. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.ended.abort(new Error('The server is stopping'))
    clearTimeout(this.retry)
    await this.working
    for (const { cluster, toolbox } of [...this.warm.values()].flat()) {
      await toolbox?.letGo()
      cluster[Symbol.dispose]()
    }
  }

  private async makeNext(): Promise<void> {
    if (this.ended.signal.aborted || this.waited > 0) return
    const target = this.parts.targets.find(({ shape, size }) => (this.warm.get(shapeKey(shape))?.length ?? 0) < size)
    if (!target) return
    const { maker, records, budget } = this.parts
    const docker = await this.parts.docker()
    const key = shapeKey(target.shape)
    const reason = await budget.whyNotAhead(docker, budget.costOf(key, target.shape.nodes))
    if (reason) return this.later(null)
    const { signal } = this.ended
    await maker.prepareTemplate(docker, target.shape, signal)
    const made = await this.parts.make(docker, target.shape, signal)
    made.cluster.record.stage = 'warm'
    await records.put(made.cluster.record)
    this.put(key, made)
    await budget.measure(docker, key, made.cluster.containers)
    this.refill()
  }

  private put(key: string, found: WarmCluster): void {
    this.warm.set(key, [...(this.warm.get(key) ?? []), found])
  }

  private async discard({ cluster, toolbox }: WarmCluster): Promise<void> {
    await toolbox?.letGo()
    cluster[Symbol.dispose]()
    await this.parts.maker.remove(cluster.docker, cluster.record.name)
  }

  private later(fault: string | null): void {
    if (this.ended.signal.aborted) return
    if (fault) this.parts.onFault(`the warm pool could not be filled: ${fault}`)
    this.retry = setTimeout(() => this.refill(), retryMs)
    this.retry.unref()
  }
}
