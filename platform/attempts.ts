import { and, desc, eq, isNull, ne, or } from 'drizzle-orm'
import { type Action, authorise } from './authorise.ts'
import type { PlatformContext } from './context.ts'
import type { Queries } from './database.ts'
import { PlatformError } from './errors.ts'
import { storeHandIn } from './hand-in.ts'
import { hintsOf } from './hints.ts'
import { newId } from './id.ts'
import { type Lease, leaseView } from './leases.ts'
import type { EngineChoice, SandboxEvent, TerminalView } from './model.ts'
import { checkName } from './names.ts'
import type { SandboxRuns } from './sandbox-runs.ts'
import { attempt, hintUse, lease, submission, terminal } from './schema.ts'
import type { AttemptService, AttemptView, Person } from './services.ts'
import { issueTicket } from './tickets.ts'

type Attempt = typeof attempt.$inferSelect
type What = { lab: string } | { lesson: string }

/** One learner working on one lab, on a cluster of their own. */
export function createAttempts(context: PlatformContext, runs: SandboxRuns): AttemptService {
  const { queries, host, labs, limits, now } = context

  async function find(person: Person, id: string, action: Action): Promise<{ row: Attempt; lease: Lease }> {
    const [found] = await queries.select().from(attempt).innerJoin(lease, eq(lease.attempt, attempt.id)).where(eq(attempt.id, id))
    if (!found) throw new PlatformError('not-found')
    authorise(person, action, { owner: found.attempt.owner })
    return { row: found.attempt, lease: found.lease }
  }

  async function findOpen(by: Queries, person: Person, what: What): Promise<{ row: Attempt; lease: Lease } | null> {
    const subject = 'lab' in what ? eq(attempt.lab, what.lab) : eq(attempt.lesson, what.lesson)
    const [found] = await by
      .select()
      .from(attempt)
      .innerJoin(lease, eq(lease.attempt, attempt.id))
      .where(and(eq(attempt.owner, person.id), subject, isNull(attempt.endedAt)))
      .orderBy(desc(attempt.startedAt))
    return found ? { row: found.attempt, lease: found.lease } : null
  }

  async function view(row: Attempt, lease: Lease): Promise<AttemptView> {
    return {
      id: row.id,
      lab: row.lab,
      lesson: row.lesson,
      owner: row.owner,
      lease: leaseView(lease),
      verdict: row.verdict,
      hints: await hintsOf(queries, row.id),
      terminals: await openTerminals(lease.id),
      nodes: lease.nodes,
      startedAt: row.startedAt.toISOString(),
      submission: await submissionOf(row.id),
    }
  }

  async function submissionOf(attemptId: string): Promise<string | null> {
    const [found] = await queries.select({ id: submission.id }).from(submission).where(eq(submission.attempt, attemptId))
    return found?.id ?? null
  }

  async function refreshed(id: string): Promise<AttemptView> {
    const [found] = await queries.select().from(attempt).innerJoin(lease, eq(lease.attempt, attempt.id)).where(eq(attempt.id, id))
    if (!found) throw new PlatformError('not-found')
    return view(found.attempt, found.lease)
  }

  function openTerminals(leaseId: string): Promise<TerminalView[]> {
    return queries
      .select({ id: terminal.id, title: terminal.title, node: terminal.node })
      .from(terminal)
      .where(and(eq(terminal.lease, leaseId), isNull(terminal.closedAt)))
      .orderBy(terminal.openedAt, terminal.id)
  }

  /** Room for one more, for the person and on this host. Counts within the transaction that takes the place. */
  async function checkRoom(change: Queries, person: Person, engine: string | null): Promise<void> {
    const rows = await change
      .select({ owner: attempt.owner, host: lease.host, engine: lease.engine })
      .from(lease)
      .innerJoin(attempt, eq(lease.attempt, attempt.id))
      .where(and(or(eq(attempt.owner, person.id), eq(lease.host, context.hostName)), ne(lease.state, 'ended')))
    const own = rows.filter((row) => row.owner === person.id)
    const here = rows.filter((row) => row.host === context.hostName)
    const ofEngine = engine === null ? undefined : limits.perEngine[engine]
    const alike = (row: { engine: string | null }) => row.engine === engine
    if (own.length >= limits.clustersPerPerson || (ofEngine && own.filter(alike).length >= ofEngine.perPerson))
      throw new PlatformError('too-many-clusters')
    if (here.length >= limits.clustersPerHost || (ofEngine && here.filter(alike).length >= ofEngine.perHost))
      throw new PlatformError('full')
  }

  async function choicesFor(what: What): Promise<EngineChoice[]> {
    if ('lab' in what && !labs.has(what.lab)) throw new PlatformError('not-found')
    checkName('lab' in what ? what.lab : what.lesson)
    return host.engineChoices({ lab: 'lab' in what ? what.lab : null, lesson: 'lesson' in what ? what.lesson : null })
  }

  /** The engine that is asked for, or the first that can; null when none can, which the host tells with its reasons. */
  async function choose(what: What, asked: string | undefined): Promise<string | null> {
    const able = (await choicesFor(what)).filter(({ missing }) => missing === null)
    if (asked !== undefined && !able.some(({ engine }) => engine === asked)) throw new PlatformError('bad-request')
    return asked ?? able[0]?.engine ?? null
  }

  return {
    async start(person, { engine: asked, ...what }) {
      authorise(person, 'attempt.start', { owner: person.id })
      const engine = await choose(what, asked)
      const started = await queries.transaction(async (change) => {
        const open = await findOpen(change, person, what)
        if (open) return { ...open, isNew: false }
        await checkRoom(change, person, engine)
        const [row] = await change
          .insert(attempt)
          .values({
            id: newId(),
            owner: person.id,
            lab: 'lab' in what ? what.lab : null,
            lesson: 'lesson' in what ? what.lesson : null,
            startedAt: now(),
          })
          .onConflictDoNothing()
          .returning()
        if (row) return { row, lease: await runs.leases.request(change, newId(), row.id, engine), isNew: true }
        // Another request of the same person was faster by a moment.
        const other = await findOpen(change, person, what)
        if (!other) throw new PlatformError('over')
        return { ...other, isNew: false }
      })
      if (started.isNew) runs.start(started.lease)
      return view(started.row, started.lease)
    },

    async engines(person, what) {
      authorise(person, 'attempt.start', { owner: person.id })
      return choicesFor(what)
    },

    async open(person, what) {
      authorise(person, 'attempt.start', { owner: person.id })
      const found = await findOpen(queries, person, what)
      return found ? view(found.row, found.lease) : null
    },

    async get(person, id) {
      const { row, lease } = await find(person, id, 'attempt.read')
      return view(row, lease)
    },

    async reset(person, id) {
      const { lease } = await find(person, id, 'attempt.change')
      await runs.wake(lease.id)
      await runs.reset(lease.id)
      return refreshed(id)
    },

    async extend(person, id) {
      const { lease } = await find(person, id, 'attempt.change')
      await runs.extend(lease.id)
      return refreshed(id)
    },

    async end(person, id) {
      const { lease } = await find(person, id, 'attempt.change')
      await runs.end(lease.id, 'ended')
    },

    async handIn(person, id) {
      const { row, lease } = await find(person, id, 'attempt.hand-in')
      if (!row.lab) throw new PlatformError('bad-request')
      if (row.endedAt) throw new PlatformError((await submissionOf(id)) ? 'handed-in' : 'over')
      await runs.wake(lease.id)
      const done = await runs.whileReady(lease.id, () => storeHandIn(context, runs.leases, row, lease.id))
      await runs.ended(done.lease)
      return { submission: done.submission }
    },

    async hint(person, id, task) {
      const { row } = await find(person, id, 'attempt.change')
      if (!row.lab || !labs.get(row.lab)?.tasks.some((candidate) => candidate.id === task)) throw new PlatformError('not-found')
      if (row.endedAt) throw new PlatformError('over')
      return queries.transaction(async (change) => {
        await change.select({ id: attempt.id }).from(attempt).where(eq(attempt.id, id)).for('update')
        const shown = ((await hintsOf(change, id))[task] ?? 0) + 1
        await change.insert(hintUse).values({ attempt: id, task, number: shown, at: now() })
        return { shown }
      })
    },

    async skipAhead(person, id, seconds) {
      const { lease } = await find(person, id, 'attempt.change')
      if (seconds !== null && !(seconds > 0 && seconds <= 3600)) throw new PlatformError('bad-request')
      return runs.skipAhead(lease.id, seconds)
    },

    async stopSkipping(person, id) {
      const { lease } = await find(person, id, 'attempt.change')
      runs.stopSkipping(lease.id)
    },

    async tryNow(person, id) {
      const { row, lease } = await find(person, id, 'attempt.change')
      if (!row.lab) throw new PlatformError('bad-request')
      await runs.whileReady(lease.id, () => host.tryNow(lease.id))
    },

    async openTerminal(person, id, node) {
      const { lease } = await find(person, id, 'terminal.open')
      const ready = await runs.wake(lease.id)
      if (node !== null && !ready.nodes.includes(node)) throw new PlatformError('not-found')
      const opened = await host.openTerminal(lease.id, node)
      await runs.refreshTerminals(lease.id)
      return { id: opened.id }
    },

    async closeTerminal(person, id, terminalId) {
      const { lease } = await find(person, id, 'terminal.open')
      await checkTerminal(lease.id, terminalId)
      await host.closeTerminal(lease.id, terminalId)
      await runs.refreshTerminals(lease.id)
    },

    async terminalTicket(person, id, terminalId) {
      const { row, lease } = await find(person, id, 'terminal.watch')
      await checkTerminal(lease.id, terminalId)
      const mode = row.owner === person.id ? 'write' : 'watch'
      return { ticket: await issueTicket(context, { person: person.id, attempt: id, terminal: terminalId, mode }) }
    },

    async clusterView(person, id) {
      const { lease } = await find(person, id, 'attempt.read')
      if (lease.state !== 'ready') throw new PlatformError(lease.state === 'ended' ? 'over' : 'not-ready')
      return host.clusterView(lease.id)
    },

    async events(person, id, listener, signal) {
      const { row, lease } = await find(person, id, 'attempt.read')
      const membership = runs.live.join(lease.id, listener, signal)
      const present = await refreshed(id)
      const events: SandboxEvent[] = [{ type: 'lease', lease: present.lease }]
      if (present.verdict) events.push({ type: 'verdict', verdict: present.verdict })
      events.push({ type: 'terminals', terminals: present.terminals })
      membership.begin(events)
      if (present.lease.state === 'ready') runs.live.showCluster(lease.id, listener, signal)
      // Whoever comes back to a paused cluster wants it running.
      if (present.lease.state === 'paused' && row.owner === person.id) await runs.wake(lease.id)
      if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    },
  }

  async function checkTerminal(leaseId: string, terminalId: string): Promise<void> {
    if (!(await openTerminals(leaseId)).some((view) => view.id === terminalId)) throw new PlatformError('not-found')
  }
}
