import { betterAuth } from 'better-auth'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { APIError, createAuthMiddleware } from 'better-auth/api'
import { anonymous } from 'better-auth/plugins/anonymous'
import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { Queries } from './database.ts'
import { PlatformError } from './errors.ts'
import { newId } from './id.ts'
import type { Log } from './log.ts'
import * as schema from './schema.ts'

export interface SignInOptions {
  queries: Queries
  /** Signs the cookies; 32 random bytes or more. */
  secret: string
  /** Where people reach the site: http://127.0.0.1:3000. https makes the cookies Secure. */
  publicUrl: string
  log: Log
  now: () => Date
}

/**
 * Headers that the server itself puts on every request (what a client sends under these names is dropped):
 * whether a guest may come in this way, and the address of the other end of the socket.
 */
export const guestHeader = 'x-labernetes-guest'
export const addressHeader = 'x-labernetes-address'

/** Whether the request came from the machine itself, as the server saw it. */
export function guestAllowed(headers: Headers): boolean {
  return headers.get(guestHeader) === 'allowed'
}

/** better-auth on the platform's database: e-mail and password, and guests where they are allowed. */
export function createSignIn({ queries, secret, publicUrl, log, now }: SignInOptions) {
  return betterAuth({
    appName: 'Labernetes',
    secret,
    baseURL: publicUrl,
    basePath: '/api/auth',
    // The server has let through only requests whose Origin is their own Host, and only Hosts that are ours.
    trustedOrigins: (request) => {
      const host = request?.headers.get('host')
      return host ? [`http://${host}`, `https://${host}`] : []
    },
    database: drizzleAdapter(queries, { provider: 'pg', schema, transaction: true }),
    emailAndPassword: { enabled: true, minPasswordLength: 8, maxPasswordLength: 256 },
    user: { additionalFields: { role: { type: 'string', input: false, defaultValue: 'learner' } } },
    session: { expiresIn: 60 * 60 * 24 * 30, updateAge: 60 * 60 * 24 },
    // Removing an account would take clusters with it that nobody would end.
    disabledPaths: ['/delete-anonymous-user', '/delete-user'],
    advanced: {
      cookiePrefix: 'labernetes',
      useSecureCookies: publicUrl.startsWith('https:'),
      defaultCookieAttributes: { httpOnly: true, sameSite: 'lax' },
      ipAddress: { ipAddressHeaders: [addressHeader] },
      database: { generateId: () => newId() },
    },
    // A class behind one address signs in within the same minute.
    rateLimit: {
      enabled: true,
      window: 60,
      max: 600,
      customRules: {
        '/sign-in/email': { window: 60, max: 60 },
        '/sign-up/email': { window: 60, max: 60 },
        '/sign-in/anonymous': { window: 60, max: 60 },
      },
    },
    telemetry: { enabled: false },
    logger: {
      log: (level, message) => log[level === 'debug' || level === 'info' ? 'debug' : level]({ from: 'better-auth' }, message),
    },
    hooks: {
      before: createAuthMiddleware(async (request) => {
        if (request.path !== '/sign-in/anonymous') return
        if (request.headers && guestAllowed(request.headers)) return
        const refusal = new PlatformError('guests-refused')
        throw new APIError('FORBIDDEN', { code: refusal.code, message: refusal.message })
      }),
    },
    plugins: [
      anonymous({
        emailDomainName: 'guest.invalid',
        generateName: () => 'Guest',
        onLinkAccount: ({ anonymousUser, newUser }) => handOver(queries, anonymousUser.user.id, newUser.user.id, now()),
      }),
    ],
  })
}

export type SignIn = ReturnType<typeof createSignIn>

/**
 * A guest signed up, or signed in to an account they had: what they did becomes the account's. Where the account has an
 * open attempt at the same thing the guest's is over (its cluster is ended by the next round of keepLeases).
 */
async function handOver(queries: Queries, guest: string, account: string, at: Date): Promise<void> {
  const { attempt, lessonProgress, quizAnswer, submission, ticket } = schema
  await queries.transaction(async (change) => {
    const openAttempts = await change
      .select()
      .from(attempt)
      .where(and(inArray(attempt.owner, [guest, account]), isNull(attempt.endedAt)))
    const taken = new Set(openAttempts.filter((row) => row.owner === account).map(subjectOf))
    const doubled = openAttempts.filter((row) => row.owner === guest && taken.has(subjectOf(row))).map((row) => row.id)
    if (doubled.length) await change.update(attempt).set({ endedAt: at }).where(inArray(attempt.id, doubled))
    await change.update(attempt).set({ owner: account }).where(eq(attempt.owner, guest))
    await change.update(submission).set({ learner: account }).where(eq(submission.learner, guest))
    await change.delete(ticket).where(eq(ticket.person, guest))
    const lessons = await change.select().from(lessonProgress).where(eq(lessonProgress.person, guest))
    if (lessons.length)
      await change
        .insert(lessonProgress)
        .values(lessons.map((row) => ({ ...row, person: account })))
        .onConflictDoUpdate({
          target: [lessonProgress.person, lessonProgress.lesson],
          set: { done: sql`${lessonProgress.done} or excluded.done` },
        })
    const answers = await change.select().from(quizAnswer).where(eq(quizAnswer.person, guest))
    if (answers.length)
      await change
        .insert(quizAnswer)
        .values(answers.map((row) => ({ ...row, person: account })))
        .onConflictDoNothing()
  })
}

function subjectOf(row: { lab: string | null; lesson: string | null }): string {
  return JSON.stringify([row.lab, row.lesson])
}
