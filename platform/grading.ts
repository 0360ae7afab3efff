import { and, desc, eq, type SQL } from 'drizzle-orm'
import { writeAudit } from './audit.ts'
import { authorise } from './authorise.ts'
import type { PlatformContext } from './context.ts'
import type { Queries } from './database.ts'
import { PlatformError } from './errors.ts'
import type { Verdict } from './model.ts'
import { comment, evidenceFile, gradeOverride, submission, user } from './schema.ts'
import type { GradingService, Person, SubmissionRow, SubmissionView } from './services.ts'

type Submission = typeof submission.$inferSelect
type Override = typeof gradeOverride.$inferSelect

/** Submissions, their evidence, and the points that a person gives. */
export function createGrading({ queries, evidence, now }: PlatformContext): GradingService {
  async function rows(where: SQL | undefined): Promise<SubmissionRow[]> {
    const found = await queries
      .select({ submission, learner: user.name })
      .from(submission)
      .innerJoin(user, eq(user.id, submission.learner))
      .where(where)
      .orderBy(desc(submission.handedInAt))
    return found.map((row) => rowOf(row.submission, row.learner))
  }

  async function find(by: Person, id: string, action: 'submission.read' | 'submission.grade' | 'submission.comment'): Promise<Submission> {
    const [row] = await queries.select().from(submission).where(eq(submission.id, id))
    if (!row) throw new PlatformError('not-found')
    authorise(by, action, { owner: row.learner })
    return row
  }

  async function view(id: string): Promise<SubmissionView> {
    const [found] = await queries
      .select({ submission, learner: user.name })
      .from(submission)
      .innerJoin(user, eq(user.id, submission.learner))
      .where(eq(submission.id, id))
    if (!found) throw new PlatformError('not-found')
    const files = await queries.select().from(evidenceFile).where(eq(evidenceFile.submission, id)).orderBy(evidenceFile.name)
    const overrides = await overridesOf(queries, id)
    const comments = await queries.select().from(comment).where(eq(comment.submission, id)).orderBy(comment.id)
    const names = new Map((await queries.select({ id: user.id, name: user.name }).from(user)).map((row) => [row.id, row.name]))
    const nameOf = (person: string) => names.get(person) ?? person
    return {
      ...rowOf(found.submission, found.learner),
      verdict: found.submission.verdict,
      checkedPoints: found.submission.checkedPoints,
      hints: found.submission.hints,
      versions: found.submission.versions,
      evidence: files.map(({ digest, bytes, kind, name }) => ({ digest, bytes, kind, name })),
      overrides: overrides.map(({ task, points, reason, by, at }) => ({ task, points, reason, by: nameOf(by), at: at.toISOString() })),
      comments: comments.map(({ by, text, at }) => ({ by: nameOf(by), text, at: at.toISOString() })),
    }
  }

  return {
    async submissions(by, filter) {
      authorise(by, 'submission.list')
      return rows(filter.lab === undefined ? undefined : eq(submission.lab, filter.lab))
    },

    async mine(person, lab) {
      authorise(person, 'submission.list-own', { owner: person.id })
      return rows(and(eq(submission.learner, person.id), eq(submission.lab, lab)))
    },

    async submission(by, id) {
      await find(by, id, 'submission.read')
      return view(id)
    },

    async evidence(by, id, digest) {
      await find(by, id, 'submission.read')
      const [file] = await queries
        .select()
        .from(evidenceFile)
        .where(and(eq(evidenceFile.submission, id), eq(evidenceFile.digest, digest)))
      if (!file) throw new PlatformError('not-found')
      const chunks: Uint8Array[] = []
      for await (const chunk of await evidence.get(digest)) chunks.push(chunk)
      return { contentType: file.contentType, name: file.name, bytes: Buffer.concat(chunks) }
    },

    async override(by, id, { task, points, reason }) {
      const row = await find(by, id, 'submission.grade')
      const max = task === null ? row.maxPoints : row.verdict.tasks.find((candidate) => candidate.id === task)?.maxPoints
      if (max === undefined) throw new PlatformError('not-found')
      if (!(points >= 0 && points <= max))
        throw new PlatformError('bad-request', { sentence: { en: `Points go from 0 to ${max}.`, zh: `分数范围为 0 到 ${max}。` } })
      if (reason.trim() === '')
        throw new PlatformError('bad-request', {
          sentence: { en: 'Say why: a reason is part of the record.', zh: '请填写理由：理由会记录在案。' },
        })
      await queries.transaction(async (change) => {
        // Whoever overrides at the same moment waits here and then adds to what this one leaves.
        const [locked] = await change.select().from(submission).where(eq(submission.id, id)).for('update')
        await change.insert(gradeOverride).values({ submission: id, task, points, reason: reason.trim(), by: by.id, at: now() })
        const after = pointsWith(locked!.verdict, await overridesOf(change, id))
        await change.update(submission).set({ points: after }).where(eq(submission.id, id))
        await writeAudit(
          change,
          now(),
          by,
          'submission.override',
          `submission:${id}`,
          { points: locked!.points },
          { points: after, task, reason: reason.trim() },
        )
      })
      return view(id)
    },

    async comment(by, id, text) {
      await find(by, id, 'submission.comment')
      const trimmed = text.trim()
      if (trimmed === '' || trimmed.length > 10_000) throw new PlatformError('bad-request')
      await queries.transaction(async (change) => {
        await change.insert(comment).values({ submission: id, by: by.id, text: trimmed, at: now() })
        await writeAudit(change, now(), by, 'submission.comment', `submission:${id}`, null, { text: trimmed })
      })
      return view(id)
    },
  }
}

/**
 * The points that count. Overrides apply in the order they were given: one of a task replaces that task's points, one of
 * the whole stands until a later one of a task, which brings the sum of the tasks back.
 */
function pointsWith(verdict: Verdict, overrides: readonly Pick<Override, 'task' | 'points'>[]): number {
  const tasks = new Map(verdict.tasks.map((task) => [task.id, task.points]))
  let whole: number | null = null
  for (const { task, points } of overrides) {
    if (task === null) whole = points
    else {
      tasks.set(task, points)
      whole = null
    }
  }
  return whole ?? [...tasks.values()].reduce((sum, points) => sum + points, 0)
}

function overridesOf(queries: Queries, id: string): Promise<Override[]> {
  return queries.select().from(gradeOverride).where(eq(gradeOverride.submission, id)).orderBy(gradeOverride.id)
}

function rowOf(row: Submission, learner: string): SubmissionRow {
  return {
    id: row.id,
    lab: row.lab,
    learner: { id: row.learner, name: learner },
    handedInAt: row.handedInAt.toISOString(),
    points: row.points,
    maxPoints: row.maxPoints,
    overridden: row.points !== row.checkedPoints,
    faultyChecks: row.verdict.tasks.flatMap(({ criteria }) => criteria).filter(({ faulty }) => faulty).length,
    engine: row.engine,
  }
}
