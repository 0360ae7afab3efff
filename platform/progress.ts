import { and, desc, eq } from 'drizzle-orm'
import { authorise } from './authorise.ts'
import type { PlatformContext } from './context.ts'
import { checkName } from './names.ts'
import { attempt, lessonProgress, quizAnswer, submission } from './schema.ts'
import type { ProgressService } from './services.ts'

/** What a person has read, answered and solved. */
export function createProgress({ queries, now }: PlatformContext): ProgressService {
  return {
    async lessons(person) {
      authorise(person, 'progress.read', { owner: person.id })
      const rows = await queries.select().from(lessonProgress).where(eq(lessonProgress.person, person.id))
      return Object.fromEntries(rows.map((row) => [row.lesson, { done: row.done, at: row.at.toISOString() }]))
    },

    async setLesson(person, lesson, done) {
      authorise(person, 'progress.write', { owner: person.id })
      checkName(lesson)
      const change = { done, at: now() }
      await queries
        .insert(lessonProgress)
        .values({ person: person.id, lesson, ...change })
        .onConflictDoUpdate({ target: [lessonProgress.person, lessonProgress.lesson], set: change })
    },

    async answerQuiz(person, lesson, question, choice, right) {
      authorise(person, 'progress.write', { owner: person.id })
      checkName(lesson)
      checkName(question)
      const change = { choice, isRight: right, at: now() }
      await queries
        .insert(quizAnswer)
        .values({ person: person.id, lesson, question, ...change })
        .onConflictDoUpdate({ target: [quizAnswer.person, quizAnswer.lesson, quizAnswer.question], set: change })
    },

    async quizzes(person, lesson) {
      authorise(person, 'progress.read', { owner: person.id })
      const rows = await queries
        .select()
        .from(quizAnswer)
        .where(and(eq(quizAnswer.person, person.id), eq(quizAnswer.lesson, lesson)))
      return Object.fromEntries(rows.map((row) => [row.question, { choice: row.choice, right: row.isRight }]))
    },

    async labs(person) {
      authorise(person, 'progress.read', { owner: person.id })
      const attempts = await queries.select().from(attempt).where(eq(attempt.owner, person.id)).orderBy(attempt.startedAt)
      const submissions = await queries
        .select({ id: submission.id, lab: submission.lab, points: submission.points, maxPoints: submission.maxPoints })
        .from(submission)
        .where(eq(submission.learner, person.id))
        .orderBy(desc(submission.handedInAt))
      const labs: Awaited<ReturnType<ProgressService['labs']>> = {}
      const labOf = (slug: string) => (labs[slug] ??= { bestPoints: 0, maxPoints: 0, submitted: false, attempt: null, submission: null })
      for (const row of attempts) {
        if (!row.lab) continue
        const lab = labOf(row.lab)
        if (row.verdict) {
          lab.bestPoints = Math.max(lab.bestPoints, row.verdict.points)
          lab.maxPoints = row.verdict.maxPoints
        }
        if (!row.endedAt) lab.attempt = row.id
      }
      for (const row of submissions) {
        const lab = labOf(row.lab)
        lab.bestPoints = Math.max(lab.bestPoints, row.points)
        lab.maxPoints = row.maxPoints
        lab.submitted = true
        lab.submission ??= row.id
      }
      return labs
    },
  }
}
