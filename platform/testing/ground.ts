import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Limits, PlatformContext } from '../context.ts'
import { openDatabase } from '../database.ts'
import { openFileEvidenceStore } from '../evidence-store.ts'
import { newId } from '../id.ts'
import type { Verdict } from '../model.ts'
import { openPlatform, type Platform } from '../platform.ts'
import { user } from '../schema.ts'
import type { Person, Role, Services } from '../services.ts'
import { ScriptedHost } from './scripted-host.ts'

export const minute = 60_000
const limits: Limits = {
  timeToLive: 120 * minute,
  idle: 30 * minute,
  extension: 60 * minute,
  extensions: 2,
  clustersPerPerson: 2,
  clustersPerHost: 5,
  perEngine: { kind: { perPerson: 1, perHost: 2 } },
}

const label = { en: 'Probe', zh: '探针' }
const labs: Services['labs'] = new Map(
  ['gate', 'loop', 'trap'].map((slug) => [
    slug,
    {
      slug,
      minutes: 20,
      maxPoints: 10,
      trials: [],
      tasks: [
        { id: 't1', maxPoints: 6, criteria: [{ id: 'c1', points: 6, label }] },
        { id: 't2', maxPoints: 4, criteria: [{ id: 'c1', points: 4, label }] },
      ],
    },
  ]),
)

/** The platform on a database, with a scripted host and a clock that a test moves. */
export interface Ground extends AsyncDisposable {
  platform: Platform
  context: PlatformContext
  host: ScriptedHost
  logged: { level: string; fields: object; message: string }[]
  pass(ms: number): void
  person(role?: Role, guest?: boolean): Promise<Person>
  /** Stops without ending anything, as a killed process would, and opens the platform again on the same database. */
  restart(): Promise<void>
}

export async function openGround(url: string | undefined): Promise<Ground> {
  await using cleanup = new AsyncDisposableStack()
  const folder = await mkdtemp(path.join(tmpdir(), 'labernetes-platform-'))
  cleanup.defer(() => rm(folder, { recursive: true, force: true }))
  const logged: Ground['logged'] = []
  const write = (level: string) => (fields: object, message: string) => void logged.push({ level, fields, message })
  const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  const database = cleanup.use(await openDatabase({ url, folder: path.join(folder, 'db'), log }))
  const host = new ScriptedHost()
  let time = Date.UTC(2030, 0, 1)
  const context: PlatformContext = {
    queries: database.queries,
    evidence: openFileEvidenceStore(path.join(folder, 'evidence')),
    host,
    hostName: 'here',
    labs,
    limits,
    log,
    now: () => new Date(time),
  }
  const open = () => openPlatform({ ...context, secret: 's'.repeat(32), publicUrl: 'http://127.0.0.1:3000' })
  let people = 0
  const ground = {
    platform: await open(),
    context,
    host,
    logged,
    pass: (ms: number) => void (time += ms),
    async person(role: Role = 'learner', guest = false) {
      const id = newId()
      const name = `Person ${++people}`
      const email = `${id}@example.org`
      await context.queries.insert(user).values({ id, name, email, role, isAnonymous: guest })
      return { id, name, email: guest ? null : email, role, guest }
    },
    async restart() {
      host.sandboxes.clear()
      ground.platform = await open()
    },
  }
  cleanup.defer(() => ground.platform[Symbol.asyncDispose]())
  const owned = cleanup.move()
  return {
    ...ground,
    get platform() {
      return ground.platform
    },
    restart: ground.restart,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** A verdict of the labs of this ground. */
export function verdictOf(t1: number, t2: number): Verdict {
  const task = (id: string, points: number, maxPoints: number) => {
    const state = points === maxPoints ? ('pass' as const) : ('not-yet' as const)
    return { id, state, points, maxPoints, criteria: [{ id: 'c1', state, points, maxPoints, label, why: label }] }
  }
  return { time: 1, points: t1 + t2, maxPoints: 10, tasks: [task('t1', t1, 6), task('t2', t2, 4)] }
}
