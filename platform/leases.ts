import { and, eq, inArray, ne } from 'drizzle-orm'
import type { PlatformContext } from './context.ts'
import type { Queries } from './database.ts'
import type { LeaseState, LeaseView } from './model.ts'
import { attempt, lease, sandboxHost, ticket } from './schema.ts'

export type Lease = typeof lease.$inferSelect
export type LeaseChange = Partial<
  Pick<Lease, 'step' | 'reason' | 'failure' | 'engine' | 'nodes' | 'expiresAt' | 'activeAt' | 'extensionsLeft'>
>

/** From which states a state may be entered. */
const before: Record<LeaseState, readonly LeaseState[]> = {
  requested: [],
  starting: ['requested', 'starting', 'ready', 'paused'],
  ready: ['starting', 'ready'],
  paused: ['ready'],
  ended: ['requested', 'starting', 'ready', 'paused'],
}

/**
 * The state machine of leases: requested -> starting -> ready -> (paused) -> ended. Every change is one conditional update,
 * so that of two that exclude each other one happens; and only by the process that holds the host's fence, so that a
 * process that was thought dead changes nothing any more.
 */
export class Leases {
  readonly #context: PlatformContext
  readonly #fence: number

  constructor(context: PlatformContext, fence: number) {
    this.#context = context
    this.#fence = fence
  }

  /** A new lease in state `requested`, on the engine that was chosen; within the transaction that makes the attempt. */
  async request(change: Queries, id: string, attemptId: string, engine: string | null): Promise<Lease> {
    const { hostName, limits, now } = this.#context
    const [row] = await change
      .insert(lease)
      .values({
        id,
        attempt: attemptId,
        state: 'requested',
        engine,
        host: hostName,
        fence: this.#fence,
        activeAt: now(),
        updatedAt: now(),
        extensionsLeft: limits.extensions,
      })
      .returning()
    return row!
  }

  /** Moves to `state`; null when the lease is not in a state that allows it (any more) or belongs to another process. */
  async move(id: string, state: LeaseState, change: LeaseChange = {}, queries: Queries = this.#context.queries): Promise<Lease | null> {
    const { hostName, now } = this.#context
    const at = now()
    const [row] = await queries
      .update(lease)
      .set({ step: null, ...change, state, updatedAt: at })
      .where(and(eq(lease.id, id), eq(lease.host, hostName), eq(lease.fence, this.#fence), inArray(lease.state, [...before[state]])))
      .returning()
    if (!row) return null
    if (state === 'ended') {
      await queries.update(attempt).set({ endedAt: at }).where(eq(attempt.id, row.attempt))
      await queries.delete(ticket).where(eq(ticket.attempt, row.attempt))
    }
    return row
  }

  /** Changes a lease without moving it; null when it is in none of `states`. */
  async change(id: string, states: readonly LeaseState[], change: LeaseChange): Promise<Lease | null> {
    const { queries, hostName, now } = this.#context
    const [row] = await queries
      .update(lease)
      .set({ ...change, updatedAt: now() })
      .where(and(eq(lease.id, id), eq(lease.host, hostName), eq(lease.fence, this.#fence), inArray(lease.state, [...states])))
      .returning()
    return row ?? null
  }

  /** All leases of this host that have not ended. */
  async live(): Promise<Lease[]> {
    const { queries, hostName } = this.#context
    return queries
      .select()
      .from(lease)
      .where(and(eq(lease.host, hostName), ne(lease.state, 'ended')))
  }

  async find(id: string): Promise<Lease | null> {
    const [row] = await this.#context.queries.select().from(lease).where(eq(lease.id, id))
    return row ?? null
  }
}

/** Takes over everything that earlier processes of this host left: from now on only this process may change its leases. */
export async function takeHost(context: PlatformContext): Promise<Leases> {
  const { queries, hostName, now } = context
  const fence = await queries.transaction(async (change) => {
    const [existing] = await change.select().from(sandboxHost).where(eq(sandboxHost.name, hostName)).for('update')
    const next = (existing?.fence ?? 0) + 1
    const row = { name: hostName, fence: next, startedAt: now() }
    await change.insert(sandboxHost).values(row).onConflictDoUpdate({ target: sandboxHost.name, set: row })
    await change
      .update(lease)
      .set({ fence: next })
      .where(and(eq(lease.host, hostName), ne(lease.state, 'ended')))
    return next
  })
  return new Leases(context, fence)
}

export function leaseView(row: Lease): LeaseView {
  return {
    state: row.state,
    engine: row.engine ?? '',
    step: row.step,
    reason: row.reason,
    failure: row.failure,
    expiresAt: row.expiresAt?.toISOString() ?? null,
    extensionsLeft: row.extensionsLeft,
    nodes: row.nodes,
  }
}
