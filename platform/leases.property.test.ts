import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setImmediate as moment } from 'node:timers/promises'
import { and, asc, eq, ne, sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { PlatformContext } from './context.ts'
import { type Database, openDatabase } from './database.ts'
import { openFileEvidenceStore } from './evidence-store.ts'
import { newId } from './id.ts'
import type { LeaseState, LeaseView } from './model.ts'
import { openPlatform, type Platform } from './platform.ts'
import { attempt, lease, user } from './schema.ts'
import type { Person } from './services.ts'
import { Machine, MachineHost } from './testing/machine-host.ts'
import { Life, mortalQueries } from './testing/mortal.ts'

const minute = 60_000
const slugs = ['gate', 'loop'] as const
const runs = 40
let folder: string
let database: Database
let number = 0

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'labernetes-leases-'))
  database = await openDatabase({ folder: path.join(folder, 'db'), log: silent })
  // every row of a lease that was ever committed, written by the database itself
  await database.queries.execute(sql`create table lease_log (seq bigserial, lease text, state text, engine text, reason text)`)
  await database.queries.execute(sql`create function log_lease() returns trigger language plpgsql as $$ begin
    insert into lease_log (lease, state, engine, reason) values (new.id, new.state, new.engine, new.reason); return new; end $$`)
  await database.queries.execute(sql`create trigger log_lease after insert or update on lease for each row execute function log_lease()`)
}, 60_000)

afterAll(async () => {
  await database[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

const commands = ['start', 'start', 'start', 'end', 'reset', 'extend', 'hand in', 'idle', 'expire', 'lose', 'look', 'wait'] as const
const command = fc.record({ what: fc.constantFrom(...commands), who: fc.nat(1), lab: fc.nat(1), wait: fc.nat(40) })
/** A process of the platform: how many steps until it is killed, and what people do meanwhile. */
const life = fc.record({ steps: fc.integer({ min: 1, max: 200 }), commands: fc.array(command, { minLength: 1, maxLength: 8 }) })

it('no lease is shown in a state that is not stored, nothing runs without one after the next start, nothing is started twice', async () => {
  await fc.assert(fc.asyncProperty(fc.array(life, { minLength: 1, maxLength: 4 }), fc.integer(), check), {
    numRuns: runs,
    endOnFailure: true,
  })
}, 240_000)

async function check(lives: readonly { steps: number; commands: readonly Command[] }[], seed: number): Promise<void> {
  const ground = await openGround(randomFrom(seed))
  // the last one lives on, so that what is seen at the end is what it made of all that
  for (const [index, { steps, commands: wanted }] of lives.entries())
    await live(ground, new Life(index === lives.length - 1 ? Number.POSITIVE_INFINITY : steps), wanted)
  expect(ground.machine.violations).toEqual([])

  const logged = await database.queries.execute(
    sql`select l.lease, l.state, coalesce(l.engine, '') as engine, l.reason, lease.attempt from lease_log l
        join lease on lease.id = l.lease where lease.host = ${ground.context.hostName} order by l.seq`,
  )
  const log = (logged as unknown as { rows: { attempt: string; state: LeaseState; engine: string; reason: string | null }[] }).rows
  for (const { view, stored } of ground.shown) expect(await stored, 'what was stored when it was shown').toContain(textOf(view))
  for (const id of new Set(log.map((row) => row.attempt))) {
    const states = log.filter((row) => row.attempt === id).map((row) => row.state)
    for (const [index, state] of states.entries())
      if (index > 0 && state !== states[index - 1]) expect(after[states[index - 1]!], `${states.join(' ')}`).toContain(state)
  }

  const rows = await database.queries
    .select({ id: lease.id, state: lease.state, endedAt: attempt.endedAt })
    .from(lease)
    .innerJoin(attempt, eq(attempt.id, lease.attempt))
    .where(eq(lease.host, ground.context.hostName))
  const expected = Object.fromEntries(
    rows.flatMap(({ id, state }) => (state === 'ready' ? [[id, 'up']] : state === 'paused' ? [[id, 'paused']] : [])),
  )
  expect(Object.fromEntries(ground.machine.running)).toEqual(expected)
  for (const row of rows) expect(row.endedAt !== null, `the attempt of a lease that is ${row.state}`).toBe(row.state === 'ended')
  for (const row of rows) expect(['ready', 'paused', 'ended']).toContain(row.state)
}

interface Command {
  what: (typeof commands)[number]
  who: number
  lab: number
  wait: number
}

/** Which states may follow which. */
const after: Record<LeaseState, readonly LeaseState[]> = {
  requested: ['starting', 'ended'],
  starting: ['ready', 'ended'],
  ready: ['starting', 'paused', 'ended'],
  paused: ['starting', 'ended'],
  ended: [],
}

interface Ground {
  context: PlatformContext
  machine: Machine
  people: Person[]
  /** Each lease that somebody was shown, with what had been stored of it by then. */
  shown: { view: LeaseView; stored: Promise<string[]> }[]
  pass(ms: number): void
}

async function openGround(chance: () => number): Promise<Ground> {
  const machine = new Machine(chance)
  const people: Person[] = []
  for (let index = 0; index < 2; index++) {
    const id = newId()
    people.push({ id, name: id, email: `${id}@example.org`, role: 'learner', guest: false })
    await database.queries.insert(user).values({ id, name: id, email: `${id}@example.org` })
  }
  let time = Date.UTC(2030, 0, 1)
  const labs = new Map(slugs.map((slug) => [slug as string, { slug, minutes: 1, maxPoints: 1, trials: [], tasks: [] }]))
  const limits = {
    ...{ timeToLive: 60 * minute, idle: 10 * minute, extension: 30 * minute, extensions: 1 },
    ...{ clustersPerPerson: 2, clustersPerHost: 3, perEngine: {} },
  }
  const context: PlatformContext = {
    ...{ queries: database.queries, host: new MachineHost(machine, new Life(0)), hostName: `host-${++number}`, labs, limits },
    evidence: openFileEvidenceStore(path.join(folder, 'evidence')),
    log: silent,
    now: () => new Date(time),
  }
  return { context, machine, people, shown: [], pass: (ms) => void (time += ms) }
}

/** One process of the platform, from its start to its end by a kill or, if it is not killed, until nothing is under way. */
async function live(ground: Ground, process: Life, wanted: readonly Command[]): Promise<void> {
  const host = new MachineHost(ground.machine, process)
  const context = { ...ground.context, queries: mortalQueries(database.queries, process), host }
  const leaving = new AbortController()
  const opened = openPlatform({ ...context, secret: 's'.repeat(32), publicUrl: 'http://127.0.0.1:3000' })
  const platform = await Promise.race([opened, process.death])
  if (platform) {
    const under: Promise<unknown>[] = []
    for (const each of wanted) {
      for (let moments = each.wait; moments > 0; moments--) await moment()
      // a refusal is an answer; what a dead process was asked is never answered
      under.push(Promise.race([obey(ground, platform, host, each, leaving.signal).catch(refused), process.death]))
    }
    await Promise.all(under)
    if (process.steps === Number.POSITIVE_INFINITY) await settled(ground)
    else for (let moments = wanted.at(-1)?.wait ?? 0; moments > 0 && !process.dead; moments--) await moment()
  }
  leaving.abort()
  process.kill()
}

function refused(error: Error): void {
  if (error.name !== 'PlatformError') throw error
}

async function obey(
  ground: Ground,
  platform: Platform,
  host: MachineHost,
  { what, who, lab }: Command,
  signal: AbortSignal,
): Promise<void> {
  const person = ground.people[who]!
  const slug = slugs[lab]!
  const { attempts } = platform.services
  if (what === 'wait') return
  if (what === 'idle' || what === 'expire') {
    ground.pass((what === 'idle' ? 11 : 61) * minute)
    return platform.keepLeases()
  }
  if (what === 'start') {
    const { id, lease: view } = await attempts.start(person, { lab: slug })
    show(ground, id, view)
    return look(ground, platform, person, id, signal)
  }
  const open = await attempts.open(person, { lab: slug })
  if (!open) return
  show(ground, open.id, open.lease)
  if (what === 'look') return look(ground, platform, person, open.id, signal)
  if (what === 'end') return attempts.end(person, open.id)
  if (what === 'hand in') return void (await attempts.handIn(person, open.id))
  if (what === 'lose') {
    const [row] = await database.queries.select({ id: lease.id }).from(lease).where(eq(lease.attempt, open.id))
    return host.lose(row!.id)
  }
  show(ground, open.id, (await (what === 'reset' ? attempts.reset(person, open.id) : attempts.extend(person, open.id))).lease)
}

function look(ground: Ground, platform: Platform, person: Person, id: string, signal: AbortSignal): void {
  const listener = (event: { type: string; lease?: LeaseView }) => {
    if (event.lease && !signal.aborted) show(ground, id, event.lease)
  }
  platform.services.attempts.events(person, id, listener as never, signal).catch(refused)
}

/** The database takes one query after the other: what is asked for now is answered before anything that is stored later. */
function show(ground: Ground, id: string, view: LeaseView): void {
  const stored = database.queries
    .execute(
      sql`select l.state, coalesce(l.engine, '') as engine, l.reason from lease_log l join lease on lease.id = l.lease where lease.attempt = ${id}`,
    )
    .then((answer) => (answer as unknown as { rows: LeaseView[] }).rows.map(textOf))
  ground.shown.push({ view, stored })
}

function textOf({ state, engine, reason }: Pick<LeaseView, 'state' | 'engine' | 'reason'>): string {
  return JSON.stringify([state, engine, reason])
}

/** Until no lease is on its way and the machine has what the leases say; or until it is clear that it never will. */
async function settled(ground: Ground): Promise<void> {
  let quiet = 0
  for (let tries = 0; tries < 400 && quiet < 8; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    const open = await database.queries
      .select({ id: lease.id, state: lease.state })
      .from(lease)
      .where(and(eq(lease.host, ground.context.hostName), ne(lease.state, 'ended')))
      .orderBy(asc(lease.id))
    const moving = open.some(({ state }) => state === 'requested' || state === 'starting')
    quiet = moving || ground.machine.running.size !== open.length ? 0 : quiet + 1
  }
}

/** Marsaglia's xorshift, from 0 to 1. */
function randomFrom(seed: number): () => number {
  let state = seed || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
