import { and, eq, gt, isNull } from 'drizzle-orm'
import { authorise } from './authorise.ts'
import type { PlatformContext } from './context.ts'
import { PlatformError } from './errors.ts'
import { hashSecret, newSecret } from './id.ts'
import { personById } from './people.ts'
import { attempt, lease, type TerminalMode, terminal, ticket } from './schema.ts'

/** ms */
const lifetime = 30_000

/** What a ticket lets its bearer do: open this terminal of this sandbox. */
export interface TerminalGrant {
  lease: string
  terminal: string
  mode: TerminalMode
  person: string
}

export async function issueTicket(
  { queries, now }: PlatformContext,
  what: { person: string; attempt: string; terminal: string; mode: TerminalMode },
): Promise<string> {
  const secret = newSecret()
  await queries.insert(ticket).values({ ...what, hash: hashSecret(secret), expiresAt: new Date(now().getTime() + lifetime) })
  return secret
}

/**
 * Uses a ticket up. Asks again whether its person may, since half a minute may have changed that.
 * Throws `ticket-refused` for one that is unknown, used or too old.
 */
export async function redeemTicket(context: PlatformContext, secret: string): Promise<TerminalGrant> {
  const { queries, now } = context
  const at = now()
  const [used] = await queries
    .update(ticket)
    .set({ usedAt: at })
    .where(and(eq(ticket.hash, hashSecret(secret)), isNull(ticket.usedAt), gt(ticket.expiresAt, at)))
    .returning()
  if (!used) throw new PlatformError('ticket-refused')
  const [found] = await queries
    .select({ owner: attempt.owner, lease: lease.id })
    .from(attempt)
    .innerJoin(lease, eq(lease.attempt, attempt.id))
    .innerJoin(terminal, and(eq(terminal.lease, lease.id), eq(terminal.id, used.terminal), isNull(terminal.closedAt)))
    .where(eq(attempt.id, used.attempt))
  if (!found) throw new PlatformError('not-found')
  const person = await personById(context, used.person)
  authorise(person, used.mode === 'write' ? 'terminal.write' : 'terminal.watch', { owner: found.owner })
  return { lease: found.lease, terminal: used.terminal, mode: used.mode, person: person.id }
}
