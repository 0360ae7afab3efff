import { and, eq, isNull, lt, notInArray } from 'drizzle-orm'
import type { PlatformContext } from './context.ts'
import { PlatformError } from './errors.ts'
import { type Lease, type LeaseChange, type Leases, leaseView, takeHost } from './leases.ts'
import { LiveLeases } from './live.ts'
import type { Skipped, TerminalView, Text } from './model.ts'
import type { SandboxListener, SandboxOrder, SandboxReport, StartedSandbox } from './sandbox-host.ts'
import { attempt, terminal, ticket, verdictHistory } from './schema.ts'

/**
 * Carries the sandboxes of this host's leases through their lives: tells the host what to do, stores what it reports, and
 * shows each change only after it is stored.
 */
export class SandboxRuns implements AsyncDisposable {
  readonly leases: Leases
  readonly live: LiveLeases
  readonly #context: PlatformContext
  readonly #stop = new AbortController()
  /** One thing at a time happens to a lease, in the order it was asked for. */
  readonly #commands = new Map<string, Promise<unknown>>()
  readonly #reports = new Map<string, Promise<unknown>>()
  /** Ends the start of a sandbox that nobody waits for any more. */
  readonly #starts = new Map<string, AbortController>()
  /** Stops a skip of time where it is. */
  readonly #skips = new Map<string, AbortController>()

  private constructor(context: PlatformContext, leases: Leases) {
    this.#context = context
    this.leases = leases
    this.live = new LiveLeases(context.host, context.log)
  }

  /** Takes the host over from earlier processes: what still lives goes on, what does not is ended with the reason. */
  static async open(context: PlatformContext): Promise<SandboxRuns> {
    const runs = new SandboxRuns(context, await takeHost(context))
    await runs.#adopt()
    return runs
  }

  /** Begins to start the sandbox of a lease that was just requested. What comes of it is told to those who look. */
  start(lease: Lease): void {
    this.#inBackground(lease.id, async () => {
      if (!(await this.#show(lease.id, 'starting'))) return
      const order = await this.#order(lease)
      await this.#getReady(lease.id, (signal) => this.#context.host.start(order, this.#listener(lease.id), signal), {
        expiresAt: new Date(this.#context.now().getTime() + this.#context.limits.timeToLive),
      })
    })
  }

  /** Back to the lab's start. Resolves when the lease says so; the cluster follows. */
  async reset(lease: string): Promise<Lease> {
    const row = await this.#show(lease, 'starting')
    if (!row) throw new PlatformError('over')
    await this.#context.queries.update(attempt).set({ verdict: null }).where(eq(attempt.id, row.attempt))
    await this.#storeTerminals(lease, [])
    this.#inBackground(lease, () => this.#getReady(lease, () => this.#context.host.reset(lease)))
    return row
  }

  /** A paused sandbox runs again when this resolves; nothing happens to a ready one. Rejects with `not-ready` or `over`. */
  wake(lease: string): Promise<Lease> {
    return this.#exclusively(lease, async () => {
      const row = await this.leases.find(lease)
      if (row?.state === 'ready') return row
      if (row?.state !== 'paused') throw new PlatformError(row?.state === 'ended' ? 'over' : 'not-ready')
      await this.#show(lease, 'starting')
      await this.#getReady(lease, () => this.#context.host.resume(lease), { activeAt: this.#context.now() })
      const woken = await this.leases.find(lease)
      if (woken?.state !== 'ready') throw new PlatformError('over')
      return woken
    })
  }

  /** Ends the lease and then the sandbox, also while it starts. Nothing happens when it has ended already. */
  end(lease: string, reason: string): Promise<void> {
    this.#starts.get(lease)?.abort()
    this.stopSkipping(lease)
    return this.#exclusively(lease, async () => {
      if (await this.#show(lease, 'ended', { reason })) await this.#endSandbox(lease)
    })
  }

  /** Gives the lease more time. Rejects with `no-extensions` when all were used, `over` when it has ended. */
  extend(lease: string): Promise<void> {
    return this.#exclusively(lease, async () => {
      const row = await this.leases.find(lease)
      if (!row || row.state === 'ended') throw new PlatformError('over')
      if (!row.expiresAt) throw new PlatformError('not-ready')
      if (row.extensionsLeft === 0) throw new PlatformError('no-extensions')
      const changed = await this.leases.change(lease, ['ready', 'paused', 'starting'], {
        expiresAt: new Date(row.expiresAt.getTime() + this.#context.limits.extension),
        extensionsLeft: row.extensionsLeft - 1,
      })
      if (!changed) throw new PlatformError('over')
      this.live.tell(lease, { type: 'lease', lease: leaseView(changed) })
    })
  }

  /** Runs `work` while nothing else happens to a lease that is ready. */
  whileReady<T>(lease: string, work: (row: Lease) => Promise<T>): Promise<T> {
    return this.#exclusively(lease, async () => {
      const row = await this.leases.find(lease)
      if (row?.state !== 'ready') throw new PlatformError(row?.state === 'ended' ? 'over' : 'not-ready')
      return work(row)
    })
  }

  /** Skips time while nothing else happens to the lease. One skip at a time: rejects with `skipping` while there is another. */
  async skipAhead(lease: string, seconds: number | null): Promise<Skipped> {
    if (this.#skips.has(lease)) throw new PlatformError('skipping')
    const stop = new AbortController()
    this.#skips.set(lease, stop)
    try {
      return await this.whileReady(lease, async () => {
        const { host } = this.#context
        const { skip } = await host.clusterTime(lease)
        if (skip !== 'yes') throw new PlatformError(skip === 'forbidden' ? 'real-time' : 'no-clock')
        return host.skipAhead(lease, seconds, AbortSignal.any([this.#stop.signal, stop.signal]))
      })
    } finally {
      this.#skips.delete(lease)
    }
  }

  /** Nothing happens when time is not being skipped. */
  stopSkipping(lease: string): void {
    this.#skips.get(lease)?.abort()
  }

  /** Tells those who look that a lease has ended within somebody else's transaction, and ends its sandbox. */
  async ended(row: Lease): Promise<void> {
    this.live.tell(row.id, { type: 'lease', lease: leaseView(row) })
    await this.#endSandbox(row.id)
  }

  /** Stores the terminals as they are, after what was reported before, and tells those who look. */
  refreshTerminals(lease: string): Promise<void> {
    return this.#inOrder(lease, async () => this.#storeTerminals(lease, await this.#context.host.terminals(lease)))
  }

  /**
   * What time brings: ends what has expired, pauses what is idle, ends what lost its attempt, forgets old tickets. Looks at
   * the state as it is; to be called every few seconds.
   */
  async keep(): Promise<void> {
    const { queries, limits, now } = this.#context
    const at = now().getTime()
    for (const row of await this.leases.live()) {
      const [owner] = await queries.select({ endedAt: attempt.endedAt }).from(attempt).where(eq(attempt.id, row.attempt))
      if (!owner || owner.endedAt) await this.end(row.id, 'ended')
      else if (row.expiresAt && row.expiresAt.getTime() <= at) await this.end(row.id, row.state === 'paused' ? 'idle' : 'expired')
      else if (row.state === 'ready' && row.activeAt.getTime() + limits.idle <= at) await this.#pause(row.id)
    }
    await queries.delete(ticket).where(lt(ticket.expiresAt, new Date(at)))
  }

  /** Waits for what is under way; sandboxes stay as they are, for the next process to adopt. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new PlatformError('stopping'))
    await Promise.allSettled([...this.#commands.values(), ...this.#reports.values()])
  }

  async #adopt(): Promise<void> {
    const rows = await this.leases.live()
    const orders = await Promise.all(rows.filter((row) => row.state === 'ready' || row.state === 'paused').map((row) => this.#order(row)))
    const found = await this.#context.host.adopt(orders, (lease) => this.#listener(lease))
    for (const row of rows) {
      const sandbox = found.get(row.id)
      if (sandbox) {
        await this.leases.change(row.id, ['ready', 'paused'], { engine: sandbox.engine, nodes: sandbox.nodes })
        // the host brings all of them up
        if (row.state === 'paused')
          await this.#context.host
            .pause(row.id)
            .catch((err) => this.#context.log.error({ lease: row.id, err }, 'a sandbox could not be paused again'))
        await this.refreshTerminals(row.id)
      } else if (row.state === 'requested' || row.state === 'starting') {
        // It was about to start when the server went down; it is started anew.
        await this.leases.move(row.id, 'starting')
        this.start(row)
      } else {
        // what was reported of it says more, and comes first
        await this.#inOrder(row.id, async () => undefined)
        await this.#exclusively(row.id, () => this.#show(row.id, 'ended', { reason: 'failed', failure: notBack }))
      }
    }
  }

  async #getReady(lease: string, work: (signal: AbortSignal) => Promise<StartedSandbox>, change: LeaseChange = {}): Promise<void> {
    const stop = new AbortController()
    this.#starts.set(lease, stop)
    try {
      const { engine, nodes } = await work(AbortSignal.any([this.#stop.signal, stop.signal]))
      const ready = await this.#show(lease, 'ready', { engine, nodes, ...change })
      if (!ready) await this.#endSandbox(lease)
    } catch (error) {
      // At shutdown the lease stays as it is: the next process starts it anew. An abort by `end` is followed by the end.
      if (this.#stop.signal.aborted || stop.signal.aborted) return
      this.#context.log.error({ lease, err: error }, 'a sandbox could not be started')
      await this.#show(lease, 'ended', { reason: 'failed', failure: failureOf(error) })
      await this.#endSandbox(lease)
    } finally {
      this.#starts.delete(lease)
    }
  }

  #pause(lease: string): Promise<void> {
    return this.#exclusively(lease, async () => {
      const row = await this.leases.find(lease)
      if (row?.state !== 'ready' || row.activeAt.getTime() + this.#context.limits.idle > this.#context.now().getTime()) return
      await this.#context.host.pause(lease)
      await this.#show(lease, 'paused')
      await this.refreshTerminals(lease)
    })
  }

  async #endSandbox(lease: string): Promise<void> {
    await this.#storeTerminals(lease, [])
    await this.#context.host.end(lease)
  }

  async #show(lease: string, state: 'starting' | 'ready' | 'paused' | 'ended', change: LeaseChange = {}): Promise<Lease | null> {
    const row = await this.#context.queries.transaction((queries) => this.leases.move(lease, state, change, queries))
    if (row) this.live.tell(lease, { type: 'lease', lease: leaseView(row) })
    return row
  }

  #listener(lease: string): SandboxListener {
    return (report) => {
      if (this.#stop.signal.aborted) return
      this.#inOrder(lease, () => this.#receive(lease, report)).catch((error: unknown) =>
        this.#context.log.error({ lease, err: error }, 'a report of a sandbox could not be stored'),
      )
    }
  }

  async #receive(lease: string, report: SandboxReport): Promise<void> {
    const { queries, now } = this.#context
    switch (report.type) {
      case 'step': {
        const row = await this.leases.change(lease, ['starting'], { step: report.step })
        if (row) this.live.tell(lease, { type: 'lease', lease: leaseView(row) })
        return
      }
      case 'verdict': {
        const row = await this.leases.find(lease)
        if (!row || row.state === 'ended') return
        const { verdict } = report
        await queries.transaction(async (change) => {
          await change.insert(verdictHistory).values({ attempt: row.attempt, at: now(), points: verdict.points, verdict })
          await change.update(attempt).set({ verdict }).where(eq(attempt.id, row.attempt))
        })
        this.live.tell(lease, report)
        return
      }
      case 'terminals': {
        const row = await this.leases.find(lease)
        if (row && row.state !== 'ended') await this.#storeTerminals(lease, report.terminals)
        return
      }
      case 'trial':
      case 'time':
        this.live.tell(lease, report)
        return
      case 'active':
        await this.leases.change(lease, ['ready'], { activeAt: now() })
        return
      case 'lost':
        this.#context.log.error({ lease, reason: report.reason }, 'a sandbox was lost')
        this.#inBackground(lease, async () => {
          if (await this.#show(lease, 'ended', { reason: 'failed', failure: report.reason })) await this.#endSandbox(lease)
        })
    }
  }

  async #storeTerminals(lease: string, terminals: TerminalView[]): Promise<void> {
    const { queries, now } = this.#context
    const ids = terminals.map((view) => view.id)
    await queries.transaction(async (change) => {
      if (terminals.length)
        await change
          .insert(terminal)
          .values(terminals.map((view) => ({ ...view, lease, openedAt: now() })))
          .onConflictDoUpdate({ target: terminal.id, set: { closedAt: null } })
      await change
        .update(terminal)
        .set({ closedAt: now() })
        .where(and(eq(terminal.lease, lease), isNull(terminal.closedAt), ids.length ? notInArray(terminal.id, ids) : undefined))
    })
    this.live.tell(lease, { type: 'terminals', terminals })
  }

  async #order(row: Lease): Promise<SandboxOrder> {
    const [owner] = await this.#context.queries.select().from(attempt).where(eq(attempt.id, row.attempt))
    return { lease: row.id, lab: owner?.lab ?? null, lesson: owner?.lesson ?? null, engine: row.engine }
  }

  #inBackground(lease: string, work: () => Promise<void>): void {
    void this.#exclusively(lease, work).catch((error: unknown) => {
      this.#context.log.error({ lease, err: error }, 'a lease could not be carried on')
    })
  }

  #exclusively<T>(lease: string, work: () => Promise<T>): Promise<T> {
    return queued(this.#commands, lease, work)
  }

  #inOrder<T>(lease: string, work: () => Promise<T>): Promise<T> {
    return queued(this.#reports, lease, work)
  }
}

/** Runs `work` after everything that was queued under the key before, whatever came of it. */
function queued<T>(queue: Map<string, Promise<unknown>>, key: string, work: () => Promise<T>): Promise<T> {
  const earlier = queue.get(key) ?? Promise.resolve()
  const result = earlier.then(work)
  // Whoever asked hears of a failure through `result`; for what comes next only the end matters.
  const settled = result.then(
    () => {},
    () => {},
  )
  queue.set(key, settled)
  void settled.then(() => {
    if (queue.get(key) === settled) queue.delete(key)
  })
  return result
}

const notBack = {
  en: 'the server was restarted and the cluster could not be brought back',
  zh: '服务器重启后未能恢复该集群',
}

/** What a person may read of an error: sentences made for people, never stacks or addresses. */
function failureOf(error: unknown): Text {
  if (error instanceof PlatformError) return error.sentence
  if (error instanceof Error && 'text' in error) return error.text as Text
  const message = error instanceof Error ? error.message.split('\n')[0]!.slice(0, 300) : ''
  return message ? { en: message, zh: message } : { en: 'the cluster could not be started', zh: '集群无法启动' }
}
