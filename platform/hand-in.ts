import { eq } from 'drizzle-orm'
import type { PlatformContext } from './context.ts'
import { PlatformError } from './errors.ts'
import { hintsOf } from './hints.ts'
import { newId } from './id.ts'
import type { Lease, Leases } from './leases.ts'
import { attempt, evidenceFile, submission, verdictHistory } from './schema.ts'

/**
 * Turns an attempt into a submission: evidence goes to its store first, then submission, evidence rows and the end of the
 * lease are one transaction. A crash before leaves the attempt open, a crash after leaves it handed in.
 */
export async function storeHandIn(
  context: PlatformContext,
  leases: Leases,
  row: typeof attempt.$inferSelect,
  leaseId: string,
): Promise<{ submission: string; lease: Lease }> {
  const { queries, host, evidence, now } = context
  const handedIn = await host.handIn(leaseId)
  const files: Omit<typeof evidenceFile.$inferInsert, 'submission'>[] = []
  for (const { kind, name, contentType, bytes } of handedIn.pieces) files.push({ kind, name, contentType, ...(await evidence.put(bytes)) })
  return queries.transaction(async (change) => {
    const id = newId()
    const { verdict, versions } = handedIn
    await change.insert(submission).values({
      id,
      attempt: row.id,
      lab: row.lab!,
      learner: row.owner,
      handedInAt: now(),
      verdict,
      versions,
      engine: versions.engine,
      hints: await hintsOf(change, row.id),
      checkedPoints: verdict.points,
      maxPoints: verdict.maxPoints,
      points: verdict.points,
    })
    if (files.length) await change.insert(evidenceFile).values(files.map((file) => ({ ...file, submission: id })))
    await change.insert(verdictHistory).values({ attempt: row.id, at: now(), points: verdict.points, verdict })
    await change.update(attempt).set({ verdict }).where(eq(attempt.id, row.id))
    const ended = await leases.move(leaseId, 'ended', { reason: 'handed-in' }, change)
    if (!ended) throw new PlatformError('over')
    return { submission: id, lease: ended }
  })
}
