/**
 * The database: one Postgres dialect, run by PGlite or by a Postgres
 * server. `npm run db:generate` turns a change here into a migration.
 */
import { sql } from 'drizzle-orm'
import {
  bigint,
  bigserial,
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import type { EvidenceKind, LeaseState, Text, Verdict } from './model.ts'
import type { Role } from './services.ts'

const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })
const personId = (name: string) => text(name).references(() => user.id, { onDelete: 'cascade' })

// People: the four tables of better-auth, with a role and the mark of a guest.

export const user = pgTable('user', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  email: text('email').notNull().unique(),
  emailVerified: boolean('email_verified').notNull().default(false),
  image: text('image'),
  role: text('role').$type<Role>().notNull().default('learner'),
  isAnonymous: boolean('is_anonymous').notNull().default(false),
  createdAt: time('created_at').notNull().defaultNow(),
  updatedAt: time('updated_at').notNull().defaultNow(),
})

export const session = pgTable(
  'session',
  {
    id: text('id').primaryKey(),
    token: text('token').notNull().unique(),
    userId: personId('user_id').notNull(),
    expiresAt: time('expires_at').notNull(),
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    createdAt: time('created_at').notNull().defaultNow(),
    updatedAt: time('updated_at').notNull().defaultNow(),
  },
  (row) => [index('session_user').on(row.userId)],
)

export const account = pgTable(
  'account',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id').notNull(),
    providerId: text('provider_id').notNull(),
    userId: personId('user_id').notNull(),
    accessToken: text('access_token'),
    refreshToken: text('refresh_token'),
    idToken: text('id_token'),
    accessTokenExpiresAt: time('access_token_expires_at'),
    refreshTokenExpiresAt: time('refresh_token_expires_at'),
    scope: text('scope'),
    password: text('password'),
    createdAt: time('created_at').notNull().defaultNow(),
    updatedAt: time('updated_at').notNull().defaultNow(),
  },
  (row) => [index('account_user').on(row.userId)],
)

export const verification = pgTable(
  'verification',
  {
    id: text('id').primaryKey(),
    identifier: text('identifier').notNull(),
    value: text('value').notNull(),
    expiresAt: time('expires_at').notNull(),
    createdAt: time('created_at').notNull().defaultNow(),
    updatedAt: time('updated_at').notNull().defaultNow(),
  },
  (row) => [index('verification_identifier').on(row.identifier)],
)

/** The link that makes the first administrator. One row at most; only the token's hash is kept. */
export const firstRun = pgTable('first_run', {
  id: integer('id').primaryKey().default(1),
  tokenHash: text('token_hash').notNull(),
  createdAt: time('created_at').notNull().defaultNow(),
  claimedBy: personId('claimed_by'),
  claimedAt: time('claimed_at'),
})

// Reading.

export const lessonProgress = pgTable(
  'lesson_progress',
  {
    person: personId('person').notNull(),
    lesson: text('lesson').notNull(),
    done: boolean('done').notNull(),
    at: time('at').notNull(),
  },
  (row) => [primaryKey({ columns: [row.person, row.lesson] })],
)

export const quizAnswer = pgTable(
  'quiz_answer',
  {
    person: personId('person').notNull(),
    lesson: text('lesson').notNull(),
    question: text('question').notNull(),
    choice: integer('choice').notNull(),
    isRight: boolean('is_right').notNull(),
    at: time('at').notNull(),
  },
  (row) => [primaryKey({ columns: [row.person, row.lesson, row.question] })],
)

// Working.

/** One learner working on one lab, or trying things beside a lesson. */
export const attempt = pgTable(
  'attempt',
  {
    id: text('id').primaryKey(),
    owner: personId('owner').notNull(),
    lab: text('lab'),
    lesson: text('lesson'),
    startedAt: time('started_at').notNull(),
    endedAt: time('ended_at'),
    /** The latest verdict; all of them are in verdict_history. */
    verdict: jsonb('verdict').$type<Verdict>(),
  },
  (row) => [
    index('attempt_owner').on(row.owner),
    // One open attempt a person and subject: two tabs that start at once end up in the same one.
    uniqueIndex('attempt_open')
      .on(row.owner, sql`coalesce(${row.lab}, '')`, sql`coalesce(${row.lesson}, '')`)
      .where(sql`${row.endedAt} is null`),
  ],
)

/** Who runs sandboxes. The fence grows with each start of it: what an earlier process of the same host writes late is refused. */
export const sandboxHost = pgTable('sandbox_host', {
  name: text('name').primaryKey(),
  fence: integer('fence').notNull(),
  startedAt: time('started_at').notNull(),
})

/** A sandbox as promised to a learner. Each state is stored before it is shown. */
export const lease = pgTable(
  'lease',
  {
    id: text('id').primaryKey(),
    attempt: text('attempt')
      .notNull()
      .unique()
      .references(() => attempt.id, { onDelete: 'cascade' }),
    state: text('state').$type<LeaseState>().notNull(),
    step: text('step'),
    reason: text('reason'),
    failure: jsonb('failure').$type<Text>(),
    engine: text('engine'),
    nodes: jsonb('nodes').$type<string[]>().notNull().default([]),
    host: text('host').notNull(),
    fence: integer('fence').notNull(),
    expiresAt: time('expires_at'),
    activeAt: time('active_at').notNull(),
    extensionsLeft: integer('extensions_left').notNull(),
    updatedAt: time('updated_at').notNull(),
  },
  (row) => [index('lease_host_state').on(row.host, row.state)],
)

export const terminal = pgTable(
  'terminal',
  {
    id: text('id').primaryKey(),
    lease: text('lease')
      .notNull()
      .references(() => lease.id, { onDelete: 'cascade' }),
    title: text('title').notNull(),
    node: text('node'),
    openedAt: time('opened_at').notNull(),
    closedAt: time('closed_at'),
  },
  (row) => [index('terminal_lease').on(row.lease)],
)

export type TerminalMode = 'write' | 'watch'

/** Leave to open one terminal's socket once. Only the hash is kept. */
export const ticket = pgTable(
  'ticket',
  {
    hash: text('hash').primaryKey(),
    person: personId('person').notNull(),
    attempt: text('attempt')
      .notNull()
      .references(() => attempt.id, { onDelete: 'cascade' }),
    terminal: text('terminal').notNull(),
    mode: text('mode').$type<TerminalMode>().notNull(),
    expiresAt: time('expires_at').notNull(),
    usedAt: time('used_at'),
  },
  (row) => [index('ticket_expires').on(row.expiresAt)],
)

export const hintUse = pgTable(
  'hint_use',
  {
    attempt: text('attempt')
      .notNull()
      .references(() => attempt.id, { onDelete: 'cascade' }),
    task: text('task').notNull(),
    /** 1 for the first hint of the task. */
    number: integer('number').notNull(),
    at: time('at').notNull(),
  },
  (row) => [primaryKey({ columns: [row.attempt, row.task, row.number] })],
)

export const verdictHistory = pgTable(
  'verdict_history',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    attempt: text('attempt')
      .notNull()
      .references(() => attempt.id, { onDelete: 'cascade' }),
    at: time('at').notNull(),
    points: doublePrecision('points').notNull(),
    verdict: jsonb('verdict').$type<Verdict>().notNull(),
  },
  (row) => [index('verdict_history_attempt').on(row.attempt, row.id)],
)

// Grading.

export const submission = pgTable(
  'submission',
  {
    id: text('id').primaryKey(),
    attempt: text('attempt')
      .notNull()
      .unique()
      .references(() => attempt.id, { onDelete: 'cascade' }),
    lab: text('lab').notNull(),
    learner: personId('learner').notNull(),
    handedInAt: time('handed_in_at').notNull(),
    verdict: jsonb('verdict').$type<Verdict>().notNull(),
    versions: jsonb('versions').$type<{ lab: string; engine: string; kubernetes: string }>().notNull(),
    engine: text('engine').notNull(),
    hints: jsonb('hints').$type<Record<string, number>>().notNull(),
    /** As given by the checks. */
    checkedPoints: doublePrecision('checked_points').notNull(),
    maxPoints: doublePrecision('max_points').notNull(),
    /** As it counts: the checks' points with the overrides applied. */
    points: doublePrecision('points').notNull(),
  },
  (row) => [index('submission_lab').on(row.lab, row.handedInAt), index('submission_learner').on(row.learner, row.lab)],
)

/** A piece of evidence; its bytes are in the evidence store under the digest (sha256, hexadecimal). */
export const evidenceFile = pgTable(
  'evidence_file',
  {
    submission: text('submission')
      .notNull()
      .references(() => submission.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    kind: text('kind').$type<EvidenceKind>().notNull(),
    contentType: text('content_type').notNull(),
    digest: text('digest').notNull(),
    bytes: bigint('bytes', { mode: 'number' }).notNull(),
  },
  (row) => [primaryKey({ columns: [row.submission, row.name] })],
)

/** Points given by a person; applied in order (grading.ts). */
export const gradeOverride = pgTable(
  'grade_override',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    submission: text('submission')
      .notNull()
      .references(() => submission.id, { onDelete: 'cascade' }),
    /** null: the submission as a whole. */
    task: text('task'),
    points: doublePrecision('points').notNull(),
    reason: text('reason').notNull(),
    by: text('by').notNull(),
    at: time('at').notNull(),
  },
  (row) => [index('grade_override_submission').on(row.submission)],
)

export const comment = pgTable(
  'comment',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    submission: text('submission')
      .notNull()
      .references(() => submission.id, { onDelete: 'cascade' }),
    by: text('by').notNull(),
    text: text('text').notNull(),
    at: time('at').notNull(),
  },
  (row) => [index('comment_submission').on(row.submission)],
)

/** Who changed what others rely on; written in the transaction of the change. Never updated, outlives what it tells of. */
export const audit = pgTable('audit', {
  id: bigserial('id', { mode: 'number' }).primaryKey(),
  at: time('at').notNull(),
  by: text('by').notNull(),
  action: text('action').notNull(),
  subject: text('subject').notNull(),
  before: jsonb('before'),
  after: jsonb('after'),
})
