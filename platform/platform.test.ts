import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { openDatabase } from './database.ts'
import type { SandboxEvent } from './model.ts'
import { attempt, audit, lease, ticket, verdictHistory } from './schema.ts'
import type { AttemptView, Person } from './services.ts'
import { type Ground, minute, openGround, verdictOf } from './testing/ground.ts'
import { type PostgresServer, startPostgres } from './testing/postgres.ts'

/** As a person would who waits for it, also on a busy machine. */
const eventually = <T>(look: () => Promise<T> | T) => vi.waitFor(look, { timeout: 30_000 })
const quiet = () => {}
const silent = { debug: quiet, info: quiet, warn: quiet, error: quiet }
const postgres = await startPostgres()
if (!postgres && process.env['CI']) throw new Error('PostgreSQL is missing: apt-get install postgresql')

afterAll(async () => postgres?.[Symbol.asyncDispose]())

const databases: [string, (() => Promise<string | undefined>) | null][] = [
  ['PGlite', async () => undefined],
  ['PostgreSQL', postgres && (() => (postgres as PostgresServer).newDatabase())],
]

describe.each(databases)('the platform on %s', (_name, newDatabase) => {
  if (!newDatabase) return it.skip('PostgreSQL is not installed')
  let ground: Ground
  let learner: Person
  let other: Person
  let instructor: Person
  let admin: Person

  beforeAll(async () => {
    ground = await openGround(await newDatabase())
    return () => ground[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    learner = await ground.person()
    other = await ground.person()
    instructor = await ground.person('instructor')
    admin = await ground.person('admin')
    for (const id of ground.host.sandboxes.keys()) await endLease(id)
  })

  const attempts = () => ground.platform.services.attempts
  const grading = () => ground.platform.services.grading

  async function endLease(id: string): Promise<void> {
    await ground.context.queries.update(attempt).set({ endedAt: ground.context.now() })
    await ground.platform.keepLeases()
    expect(ground.host.sandboxes.has(id)).toBe(false)
  }

  async function startReady(person: Person, lab = 'gate'): Promise<AttemptView> {
    const { id } = await attempts().start(person, { lab })
    return eventually(async () => {
      const view = await attempts().get(person, id)
      expect(view.lease.state).toBe('ready')
      return view
    })
  }

  async function leaseOf(attemptId: string): Promise<typeof lease.$inferSelect> {
    const [row] = await ground.context.queries.select().from(lease).where(eq(lease.attempt, attemptId))
    return row!
  }

  async function sandboxOf(attemptId: string) {
    return ground.host.sandboxes.get((await leaseOf(attemptId)).id)!
  }

  describe('progress', () => {
    it('keeps what was read and answered, each person for themselves', async () => {
      const { progress } = ground.platform.services
      await progress.setLesson(learner, 'probes/readiness', true)
      await progress.answerQuiz(learner, 'probes/readiness', 'q1', 2, false)
      await progress.answerQuiz(learner, 'probes/readiness', 'q1', 1, true)
      expect((await progress.lessons(learner))['probes/readiness']?.done).toBe(true)
      expect(await progress.quizzes(learner, 'probes/readiness')).toEqual({ q1: { choice: 1, right: true } })
      expect(await progress.lessons(other)).toEqual({})
    })

    it('refuses a name that no lesson can have', async () => {
      await expect(ground.platform.services.progress.setLesson(learner, '../etc', true)).rejects.toMatchObject({ code: 'bad-request' })
    })
  })

  describe('an attempt', () => {
    it('goes from requested to ready, and shows each step', async () => {
      const gate = Promise.withResolvers<void>()
      ground.host.gate = gate.promise
      const events: SandboxEvent[] = []
      const stop = new AbortController()
      const { id, lease } = await attempts().start(learner, { lab: 'gate' })
      expect(lease).toMatchObject({ state: 'requested', expiresAt: null, extensionsLeft: 2 })
      const listening = attempts().events(learner, id, (event) => events.push(event), stop.signal)
      await eventually(() =>
        expect(events).toContainEqual(expect.objectContaining({ lease: expect.objectContaining({ step: 'starting the control plane' }) })),
      )
      gate.resolve()
      await eventually(() => expect(events.map((event) => event.type)).toContain('cluster'))
      expect(events.findLast((event) => event.type === 'lease')).toMatchObject({
        lease: { state: 'ready', engine: 'embedded', step: null },
      })
      expect((await attempts().get(learner, id)).nodes).toEqual(['control-plane', 'worker'])
      stop.abort()
      await listening
    })

    it('is one, also when two tabs start it at the same moment', async () => {
      const [first, second] = await Promise.all([attempts().start(learner, { lab: 'gate' }), attempts().start(learner, { lab: 'gate' })])
      expect(second.id).toBe(first.id)
      expect((await attempts().open(learner, { lab: 'gate' }))?.id).toBe(first.id)
    })

    it('takes one place of those a person has', async () => {
      await startReady(learner, 'gate')
      await startReady(learner, 'loop')
      await expect(attempts().start(learner, { lab: 'trap' })).rejects.toMatchObject({ code: 'too-many-clusters', status: 429 })
      await attempts().end(learner, (await attempts().open(learner, { lab: 'loop' }))!.id)
      await attempts().start(learner, { lab: 'trap' })
    })

    it('takes one place of those the host has', async () => {
      for (const person of [learner, other, instructor, admin, await ground.person()]) await startReady(person)
      await expect(attempts().start(await ground.person(), { lab: 'gate' })).rejects.toMatchObject({ code: 'full', status: 503 })
    })

    it('takes one place of those its engine has, for a person and on the host', async () => {
      await attempts().start(learner, { lab: 'gate', engine: 'kind' })
      await expect(attempts().start(learner, { lab: 'loop', engine: 'kind' })).rejects.toMatchObject({ code: 'too-many-clusters' })
      await attempts().start(learner, { lab: 'loop', engine: 'embedded' })
      await attempts().start(other, { lab: 'gate', engine: 'kind' })
      await expect(attempts().start(instructor, { lab: 'gate', engine: 'kind' })).rejects.toMatchObject({ code: 'full' })
    })

    it('does not start for a lab that does not exist', async () => {
      await expect(attempts().start(learner, { lab: 'nothing' })).rejects.toMatchObject({ code: 'not-found' })
    })

    it('ends while it starts', async () => {
      ground.host.gate = new Promise(() => {})
      const { id } = await attempts().start(learner, { lab: 'gate' })
      await eventually(async () => expect((await attempts().get(learner, id)).lease.state).toBe('starting'))
      await attempts().end(learner, id)
      ground.host.gate = Promise.resolve()
      expect((await attempts().get(learner, id)).lease).toMatchObject({ state: 'ended', reason: 'ended' })
      expect(await attempts().open(learner, { lab: 'gate' })).toBeNull()
    })

    it('that cannot be started says why and can be started again', async () => {
      const gate = Promise.withResolvers<void>()
      ground.host.gate = gate.promise
      const { id } = await attempts().start(learner, { lab: 'gate' })
      await eventually(async () => expect((await attempts().get(learner, id)).lease.state).toBe('starting'))
      const text = { en: 'no memory left', zh: '内存不足' }
      gate.reject(Object.assign(new Error(text.en), { text }))
      await eventually(async () =>
        expect((await attempts().get(learner, id)).lease).toMatchObject({ state: 'ended', reason: 'failed', failure: text }),
      )
      ground.host.gate = Promise.resolve()
      expect((await startReady(learner)).id).not.toBe(id)
    })

    it('stores verdicts before it shows them', async () => {
      const { id } = await startReady(learner)
      const stop = new AbortController()
      const seen: Promise<unknown>[] = []
      void attempts().events(
        learner,
        id,
        (event) =>
          event.type === 'verdict' &&
          seen.push(
            attempts()
              .get(learner, id)
              .then((view) => view.verdict),
          ),
        stop.signal,
      )
      const { listener } = await sandboxOf(id)
      listener({ type: 'verdict', verdict: verdictOf(6, 0) })
      listener({ type: 'verdict', verdict: verdictOf(6, 4) })
      await eventually(() => expect(seen).toHaveLength(2))
      stop.abort()
      expect((await Promise.all(seen)).at(-1)).toEqual(verdictOf(6, 4))
      const history = await ground.context.queries.select().from(verdictHistory).where(eq(verdictHistory.attempt, id))
      expect(history.map((row) => row.points)).toEqual([6, 10])
      expect((await ground.platform.services.progress.labs(learner))['gate']).toMatchObject({
        bestPoints: 10,
        submitted: false,
        attempt: id,
      })
    })

    it('begins anew with reset', async () => {
      const { id } = await startReady(learner)
      const sandbox = await sandboxOf(id)
      sandbox.listener({ type: 'verdict', verdict: verdictOf(6, 0) })
      await attempts().openTerminal(learner, id, null)
      await eventually(async () => expect((await attempts().get(learner, id)).verdict).not.toBeNull())
      const view = await attempts().reset(learner, id)
      expect(view).toMatchObject({ verdict: null, terminals: [] })
      await eventually(async () => expect((await attempts().get(learner, id)).lease.state).toBe('ready'))
      expect(ground.host.calls).toContain(`reset ${sandbox.order.lease}`)
    })

    it('expires unless its time is extended, which goes so many times', async () => {
      const { id, lease } = await startReady(learner)
      const extended = await attempts().extend(learner, id)
      expect(Date.parse(extended.lease.expiresAt!) - Date.parse(lease.expiresAt!)).toBe(60 * minute)
      await attempts().extend(learner, id)
      await expect(attempts().extend(learner, id)).rejects.toMatchObject({ code: 'no-extensions' })
      ;(await sandboxOf(id)).listener({ type: 'active' })
      ground.pass(240 * minute)
      await ground.platform.keepLeases()
      expect((await attempts().get(learner, id)).lease).toMatchObject({ state: 'ended', reason: 'expired' })
      expect(await sandboxOf(id)).toBeUndefined()
    })

    it('is paused when nobody works on it, and goes on when its learner comes back', async () => {
      const { id } = await startReady(learner)
      const { listener } = await sandboxOf(id)
      ground.pass(20 * minute)
      listener({ type: 'active' })
      await eventually(async () => expect((await leaseOf(id)).activeAt).toEqual(ground.context.now()))
      ground.pass(20 * minute)
      await ground.platform.keepLeases()
      expect((await attempts().get(learner, id)).lease.state).toBe('ready')
      ground.pass(15 * minute)
      await ground.platform.keepLeases()
      expect((await attempts().get(learner, id)).lease.state).toBe('paused')
      await attempts().openTerminal(learner, id, 'worker')
      expect(await attempts().get(learner, id)).toMatchObject({
        lease: { state: 'ready' },
        terminals: [{ title: 'worker', node: 'worker' }],
      })
    })

    it('that is lost says so', async () => {
      const { id } = await startReady(learner)
      ;(await sandboxOf(id)).listener({ type: 'lost', reason: { en: 'it ran out of memory', zh: '内存耗尽' } })
      await eventually(async () =>
        expect((await attempts().get(learner, id)).lease).toMatchObject({
          state: 'ended',
          reason: 'failed',
          failure: { en: 'it ran out of memory', zh: '内存耗尽' },
        }),
      )
    })

    it('skips time, one skip after the other, until it is stopped or ends', async () => {
      const { id } = await startReady(learner)
      expect(await attempts().skipAhead(learner, id, 60)).toEqual({ from: 0, to: 60_000, end: 'reached' })
      await expect(attempts().skipAhead(learner, id, 3601)).rejects.toMatchObject({ code: 'bad-request' })
      const far = attempts().skipAhead(learner, id, null)
      await eventually(() => expect(ground.host.calls.at(-1)).toMatch(/^skip .* null$/))
      await expect(attempts().skipAhead(learner, id, 60)).rejects.toMatchObject({ code: 'skipping' })
      await attempts().stopSkipping(learner, id)
      expect(await far).toMatchObject({ end: 'stopped' })
      const before = ground.host.calls.length
      const farther = attempts().skipAhead(learner, id, null)
      await eventually(() => expect(ground.host.calls.slice(before)).toEqual([expect.stringMatching(/^skip .* null$/)]))
      await attempts().end(learner, id)
      expect(await farther).toMatchObject({ end: 'stopped' })
    })

    it('says why time is not skipped', async () => {
      const { id } = await startReady(learner)
      ground.host.skip = 'forbidden'
      await expect(attempts().skipAhead(learner, id, 60)).rejects.toMatchObject({ code: 'real-time' })
      ground.host.skip = 'no-clock'
      await expect(attempts().skipAhead(learner, id, 60)).rejects.toMatchObject({ code: 'no-clock' })
      ground.host.skip = 'yes'
    })

    it('counts the hints it showed', async () => {
      const { id } = await startReady(learner)
      expect(await attempts().hint(learner, id, 't1')).toEqual({ shown: 1 })
      const more = await Promise.all([attempts().hint(learner, id, 't1'), attempts().hint(learner, id, 't1')])
      expect(more.map((answer) => answer.shown).sort()).toEqual([2, 3])
      expect((await attempts().get(learner, id)).hints).toEqual({ t1: 3 })
      await expect(attempts().hint(learner, id, 'nothing')).rejects.toMatchObject({ code: 'not-found' })
    })

    it('of another learner is not there for anybody but staff, who may look and not touch', async () => {
      const { id } = await startReady(learner)
      const { id: shell } = await attempts().openTerminal(learner, id, null)
      const uses: [string, (person: Person) => Promise<unknown>][] = [
        ['reset', (person) => attempts().reset(person, id)],
        ['extend', (person) => attempts().extend(person, id)],
        ['end', (person) => attempts().end(person, id)],
        ['hand in', (person) => attempts().handIn(person, id)],
        ['hint', (person) => attempts().hint(person, id, 't1')],
        ['skip ahead', (person) => attempts().skipAhead(person, id, 5)],
        ['stop skipping', (person) => attempts().stopSkipping(person, id)],
        ['open a terminal', (person) => attempts().openTerminal(person, id, null)],
        ['close a terminal', (person) => attempts().closeTerminal(person, id, shell)],
      ]
      const looks: [string, (person: Person) => Promise<unknown>][] = [
        ['get', (person) => attempts().get(person, id)],
        ['look at the cluster', (person) => attempts().clusterView(person, id)],
        ['watch a terminal', (person) => attempts().terminalTicket(person, id, shell)],
        ['follow', (person) => attempts().events(person, id, () => {}, AbortSignal.abort())],
      ]
      for (const [what, use] of uses) {
        await expect(use(other), what).rejects.toMatchObject({ code: 'not-found' })
        await expect(use(instructor), what).rejects.toMatchObject({ code: 'forbidden' })
        await expect(use(admin), what).rejects.toMatchObject({ code: 'forbidden' })
      }
      for (const [what, look] of looks) {
        await expect(look(other), what).rejects.toMatchObject({ code: 'not-found' })
        await look(instructor)
      }
    })
  })

  describe('a ticket', () => {
    it('opens its terminal once, for writing to the owner and for watching to staff', async () => {
      const { id } = await startReady(learner)
      const { id: shell } = await attempts().openTerminal(learner, id, null)
      const { ticket: secret } = await attempts().terminalTicket(learner, id, shell)
      const grant = await ground.platform.redeemTicket(secret)
      expect(grant).toEqual({ lease: (await leaseOf(id)).id, terminal: shell, mode: 'write', person: learner.id })
      await expect(ground.platform.redeemTicket(secret)).rejects.toMatchObject({ code: 'ticket-refused' })
      const watching = await attempts().terminalTicket(instructor, id, shell)
      expect(await ground.platform.redeemTicket(watching.ticket)).toMatchObject({ mode: 'watch', person: instructor.id })
    })

    it('is not kept as it is, and is too old after half a minute', async () => {
      const { id } = await startReady(learner)
      const { id: shell } = await attempts().openTerminal(learner, id, null)
      const { ticket: secret } = await attempts().terminalTicket(learner, id, shell)
      expect(JSON.stringify(await ground.context.queries.select().from(ticket))).not.toContain(secret)
      ground.pass(31_000)
      await expect(ground.platform.redeemTicket(secret)).rejects.toMatchObject({ code: 'ticket-refused' })
    })

    it('is worth nothing when its person may no longer, or the terminal is closed', async () => {
      const { id } = await startReady(learner)
      const { id: shell } = await attempts().openTerminal(learner, id, null)
      const watching = await attempts().terminalTicket(instructor, id, shell)
      await ground.platform.services.people.setRole(admin, instructor.id, 'learner')
      await expect(ground.platform.redeemTicket(watching.ticket)).rejects.toMatchObject({ code: 'not-found' })
      const writing = await attempts().terminalTicket(learner, id, shell)
      await attempts().closeTerminal(learner, id, shell)
      await expect(ground.platform.redeemTicket(writing.ticket)).rejects.toMatchObject({ code: 'not-found' })
    })
  })

  describe('handing in and grading', () => {
    async function handedIn(): Promise<string> {
      const { id } = await startReady(learner)
      await attempts().hint(learner, id, 't2')
      ground.host.verdict = verdictOf(6, 1)
      ground.host.pieces = [
        { kind: 'snapshot', name: 'snapshot.json', contentType: 'application/json', bytes: Buffer.from('{"objects":[]}') },
        { kind: 'recording', name: 'terminal-1.cast', contentType: 'application/x-asciicast', bytes: castInPieces() },
      ]
      return (await attempts().handIn(learner, id)).submission
    }

    async function* castInPieces() {
      yield Buffer.from('{"version":2}\n')
      yield Buffer.from('[0.1,"o","$ "]\n')
    }

    it('keeps verdict, hints, versions and evidence, and ends the cluster', async () => {
      const submission = await handedIn()
      const view = await grading().submission(learner, submission)
      expect(view).toMatchObject({
        lab: 'gate',
        points: 7,
        checkedPoints: 7,
        maxPoints: 10,
        overridden: false,
        hints: { t2: 1 },
        versions: { lab: 'v1', engine: 'embedded', kubernetes: '1.34.4' },
        verdict: verdictOf(6, 1),
      })
      const recording = view.evidence.find((file) => file.kind === 'recording')!
      const { bytes, contentType } = await grading().evidence(instructor, submission, recording.digest)
      expect(Buffer.from(bytes).toString()).toBe('{"version":2}\n[0.1,"o","$ "]\n')
      expect(contentType).toBe('application/x-asciicast')
      expect(ground.host.sandboxes.size).toBe(0)
      expect(await grading().mine(learner, 'gate')).toHaveLength(1)
      expect((await ground.platform.services.progress.labs(learner))['gate']).toMatchObject({
        bestPoints: 7,
        submitted: true,
        attempt: null,
        submission,
      })
    })

    it('happens once, also when asked twice at the same moment', async () => {
      const { id } = await startReady(learner)
      const answers = await Promise.allSettled([attempts().handIn(learner, id), attempts().handIn(learner, id)])
      expect(answers.map((answer) => answer.status).sort()).toEqual(['fulfilled', 'rejected'])
      await expect(attempts().handIn(learner, id)).rejects.toMatchObject({ code: 'handed-in' })
      expect((await attempts().get(learner, id)).lease.reason).toBe('handed-in')
    })

    it('tells an instructor of checks that failed themselves', async () => {
      const { id } = await startReady(learner)
      const verdict = verdictOf(6, 0)
      const [criterion] = verdict.tasks[1]!.criteria
      Object.assign(criterion!, { state: 'waiting', faulty: true })
      ground.host.verdict = verdict
      const { submission } = await attempts().handIn(learner, id)
      const row = (await grading().submissions(instructor, { lab: 'gate' })).find((each) => each.id === submission)
      expect(row).toMatchObject({ points: 6, faultyChecks: 1 })
      expect((await grading().submission(instructor, submission)).verdict).toEqual(verdict)
    })

    it('lets an instructor override with a reason, and writes down who did', async () => {
      const submission = await handedIn()
      const changed = await grading().override(instructor, submission, {
        task: 't2',
        points: 4,
        reason: 'Right idea, port typo in the text',
      })
      expect(changed).toMatchObject({ points: 10, checkedPoints: 7, overridden: true })
      expect(changed.overrides).toMatchObject([{ task: 't2', points: 4, by: instructor.name }])
      expect(await grading().override(admin, submission, { task: null, points: 5, reason: 'Late' })).toMatchObject({ points: 5 })
      expect(await grading().override(admin, submission, { task: 't1', points: 3, reason: 'Counted twice' })).toMatchObject({ points: 7 })
      const rows = await ground.context.queries
        .select()
        .from(audit)
        .where(eq(audit.subject, `submission:${submission}`))
      expect(rows.map((row) => [row.by, row.before, row.after])).toMatchObject([
        [instructor.id, { points: 7 }, { points: 10, task: 't2' }],
        [admin.id, { points: 10 }, { points: 5, task: null }],
        [admin.id, { points: 5 }, { points: 7, task: 't1' }],
      ])
    })

    it('refuses points out of range, a missing reason, and learners', async () => {
      const submission = await handedIn()
      const change = { task: 't2', points: 4, reason: 'because' }
      await expect(grading().override(instructor, submission, { ...change, points: 5 })).rejects.toMatchObject({ code: 'bad-request' })
      await expect(grading().override(instructor, submission, { ...change, points: Number.NaN })).rejects.toMatchObject({
        code: 'bad-request',
      })
      await expect(grading().override(instructor, submission, { ...change, reason: ' ' })).rejects.toMatchObject({ code: 'bad-request' })
      await expect(grading().override(learner, submission, change)).rejects.toMatchObject({ code: 'forbidden' })
      await expect(grading().comment(learner, submission, 'Well done, me')).rejects.toMatchObject({ code: 'forbidden' })
      await expect(grading().submissions(learner, {})).rejects.toMatchObject({ code: 'forbidden' })
      await expect(grading().submission(other, submission)).rejects.toMatchObject({ code: 'not-found' })
      expect((await grading().submission(learner, submission)).points).toBe(7)
    })

    it('shows the learner what the instructor wrote', async () => {
      const submission = await handedIn()
      await grading().comment(instructor, submission, '  Look at failureThreshold once more. ')
      expect((await grading().submission(learner, submission)).comments).toMatchObject([
        { by: instructor.name, text: 'Look at failureThreshold once more.' },
      ])
      expect((await grading().submissions(instructor, { lab: 'gate' })).map((row) => row.id)).toContain(submission)
    })
  })

  describe('roles', () => {
    it('are given by administrators alone, and one administrator always remains', async () => {
      const { people } = ground.platform.services
      await expect(people.setRole(instructor, learner.id, 'instructor')).rejects.toMatchObject({ code: 'forbidden' })
      await people.setRole(admin, learner.id, 'instructor')
      expect((await people.list(admin)).find((person) => person.id === learner.id)?.role).toBe('instructor')
      for (const person of await people.list(admin))
        if (person.role === 'admin' && person.id !== admin.id) await people.setRole(admin, person.id, 'learner')
      await expect(people.setRole(admin, admin.id, 'learner')).rejects.toMatchObject({ code: 'last-admin' })
      await expect(people.setRole(admin, (await ground.person('learner', true)).id, 'admin')).rejects.toMatchObject({
        code: 'account-needed',
      })
    })
  })

  describe('a restart', () => {
    it('says why a cluster is not there any more, where that is known', async () => {
      const { id } = await startReady(learner)
      const reason = { en: 'It was stored by another version.', zh: '它由另一个版本保存。' }
      ground.host.survives = () => false
      ground.host.lost = reason
      const before = ground.platform
      await ground.restart()
      expect((await attempts().get(learner, id)).lease).toMatchObject({ state: 'ended', reason: 'failed', failure: reason })
      ground.host.survives = () => true
      ground.host.lost = null
      await before[Symbol.asyncDispose]()
    })

    it('loses nothing that was acknowledged, and goes on with what lives', async () => {
      const kept = await startReady(learner)
      ;(await sandboxOf(kept.id)).listener({ type: 'verdict', verdict: verdictOf(6, 0) })
      await eventually(async () => expect((await attempts().get(learner, kept.id)).verdict).not.toBeNull())
      const lost = await startReady(other)
      const lostLease = (await leaseOf(lost.id)).id
      const gate = Promise.withResolvers<void>()
      ground.host.gate = gate.promise
      const starting = await attempts().start(learner, { lab: 'loop' })
      ground.host.survives = (order) => order.lease !== lostLease
      const before = ground.platform
      await ground.restart()
      gate.resolve()
      expect(await attempts().get(learner, kept.id)).toMatchObject({ lease: { state: 'ready' }, verdict: verdictOf(6, 0) })
      expect((await attempts().get(other, lost.id)).lease).toMatchObject({
        state: 'ended',
        reason: 'failed',
        failure: { en: expect.stringContaining('restarted') },
      })
      await eventually(async () => expect((await attempts().get(learner, starting.id)).lease.state).toBe('ready'))
      // The process that was thought dead cannot change a lease any more.
      await expect(before.services.attempts.extend(learner, kept.id)).rejects.toMatchObject({ code: 'over' })
      ground.host.survives = () => true
      await before[Symbol.asyncDispose]()
    })
  })

  it('logs no fault of its own in all this', () => {
    expect(ground.logged.filter((line) => line.level === 'error').map((line) => line.message)).toEqual([
      'a sandbox could not be started',
      'a sandbox was lost',
      'a sandbox was lost',
    ])
  })
})

it.runIf(postgres)('two processes that start on one PostgreSQL migrate it once', async () => {
  const url = await postgres!.newDatabase()
  const opened = await Promise.all([1, 2, 3].map(() => openDatabase({ url, folder: '', log: silent })))
  for (const database of opened) await database[Symbol.asyncDispose]()
})
