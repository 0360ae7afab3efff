import { count, eq } from 'drizzle-orm'
import type { Queries } from './database.ts'
import { hintUse } from './schema.ts'

/** How many hints of each task of an attempt were shown: {"t1": 2}. */
export async function hintsOf(queries: Queries, attempt: string): Promise<Record<string, number>> {
  const rows = await queries
    .select({ task: hintUse.task, shown: count() })
    .from(hintUse)
    .where(eq(hintUse.attempt, attempt))
    .groupBy(hintUse.task)
  return Object.fromEntries(rows.map((row) => [row.task, row.shown]))
}
