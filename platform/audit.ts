import type { Queries } from './database.ts'
import { audit } from './schema.ts'
import type { Person } from './services.ts'

/** Writes who changed what; `queries` is the transaction of the change itself. `subject` is kind:id. */
export async function writeAudit(
  queries: Queries,
  at: Date,
  by: Person,
  action: string,
  subject: string,
  before: unknown,
  after: unknown,
): Promise<void> {
  await queries.insert(audit).values({ at, by: by.id, action, subject, before, after })
}
