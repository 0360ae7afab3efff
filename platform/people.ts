import { and, count, eq, isNull } from 'drizzle-orm'
import { writeAudit } from './audit.ts'
import { authorise } from './authorise.ts'
import type { PlatformContext } from './context.ts'
import { PlatformError } from './errors.ts'
import { hashSecret, newSecret } from './id.ts'
import { firstRun, user } from './schema.ts'
import type { PeopleService, Person } from './services.ts'
import { guestAllowed, type SignIn } from './sign-in.ts'

/** Who is who, and who may be what. */
export function createPeople({ queries, now }: PlatformContext, signIn: SignIn): PeopleService {
  return {
    async current(headers) {
      const found = await signIn.api.getSession({ headers })
      return found ? personById({ queries }, found.user.id) : null
    },

    async list(by) {
      authorise(by, 'people.list')
      const rows = await queries.select().from(user).orderBy(user.createdAt)
      return rows.map((row) => ({ ...personOf(row), createdAt: row.createdAt.toISOString() }))
    },

    async setRole(by, personId, role) {
      authorise(by, 'people.set-role')
      if (role !== 'learner' && role !== 'instructor' && role !== 'admin') throw new PlatformError('bad-request')
      await queries.transaction(async (change) => {
        // Locks all administrators: two who demote each other at once must not both succeed.
        const admins = await change.select({ id: user.id }).from(user).where(eq(user.role, 'admin')).for('update')
        const [row] = await change.select().from(user).where(eq(user.id, personId)).for('update')
        if (!row) throw new PlatformError('not-found')
        if (row.isAnonymous) throw new PlatformError('account-needed')
        if (row.role === 'admin' && role !== 'admin' && admins.length === 1) throw new PlatformError('last-admin')
        await change.update(user).set({ role, updatedAt: now() }).where(eq(user.id, personId))
        await writeAudit(change, now(), by, 'people.set-role', `person:${personId}`, { role: row.role }, { role })
      })
    },

    guestAllowed,

    handler: (request) => signIn.handler(request),

    async claimFirstRun(person, token) {
      authorise(person, 'first-run.claim')
      await queries.transaction(async (change) => {
        const claimed = await change
          .update(firstRun)
          .set({ claimedBy: person.id, claimedAt: now() })
          .where(and(eq(firstRun.tokenHash, hashSecret(token)), isNull(firstRun.claimedAt)))
          .returning()
        if (claimed.length === 0) throw new PlatformError('link-used')
        await change.update(user).set({ role: 'admin', updatedAt: now() }).where(eq(user.id, person.id))
        await writeAudit(change, now(), person, 'first-run.claim', `person:${person.id}`, { role: person.role }, { role: 'admin' })
      })
    },
  }
}

/** The token of the link that makes the first administrator, new at each start; null once there is an administrator. */
export async function prepareFirstRun({ queries, now }: Pick<PlatformContext, 'queries' | 'now'>): Promise<string | null> {
  const [admins] = await queries.select({ number: count() }).from(user).where(eq(user.role, 'admin'))
  if (admins && admins.number > 0) return null
  const token = newSecret()
  const row = { tokenHash: hashSecret(token), createdAt: now(), claimedBy: null, claimedAt: null }
  await queries
    .insert(firstRun)
    .values({ id: 1, ...row })
    .onConflictDoUpdate({ target: firstRun.id, set: row })
  return token
}

/** The person as they are now, or null. */
export async function personById({ queries }: Pick<PlatformContext, 'queries'>, id: string): Promise<Person | null> {
  const [row] = await queries.select().from(user).where(eq(user.id, id))
  return row ? personOf(row) : null
}

function personOf(row: typeof user.$inferSelect): Person {
  return { id: row.id, name: row.name, email: row.isAnonymous ? null : row.email, role: row.role, guest: row.isAnonymous }
}
