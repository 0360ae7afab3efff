import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Verdict } from '../check/kit.ts'
import type { Deployment } from '../check/objects.ts'
import type { Sandbox } from '../engine.ts'
import { loadLabs } from '../supervisor/labs.ts'
import { runScript } from '../supervisor/script.ts'
import { type Report, Supervisor } from '../supervisor/supervisor.ts'
import { KindEngine } from './engine.ts'
import { labappImages } from './images.ts'
import { findGround } from './testing.ts'
import { kindToolboxes } from './toolbox/toolbox.ts'

const root = join(import.meta.dirname, '..', '..')
const ground = await findGround(join(root, '.cache'))
const missing = 'missing' in ground ? ground.missing : ''
const shop = { method: 'GET', path: '/apis/apps/v1/namespaces/default/deployments/shop' } as const

describe.skipIf(missing)(`trials on a kind cluster${missing ? ` (${missing})` : ''}`, { timeout: 400_000 }, () => {
  const { nodeImages } = ground as Exclude<typeof ground, { missing: string }>
  let folder: string
  let engine: KindEngine
  let supervisor: Supervisor
  /** The same sandbox as the supervisor has. */
  let sandbox: Sandbox
  const reports: Report[] = []
  const faults: string[] = []
  const verdict = () => reports.findLast((report) => report.type === 'verdict')?.verdict as Verdict
  const stateOf = (task: string) => verdict().tasks.find(({ id }) => id === task)?.state
  const trials = () => reports.flatMap((report) => (report.type === 'trial' ? [report.what?.en ?? null] : []))
  const deployment = async () => (await sandbox.api(shop)).body as Deployment

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kind-trials-'))
    engine = await KindEngine.start({
      dir: join(folder, 'kind'),
      cache: join(root, '.cache'),
      nodeImages,
      images: labappImages,
      subnets: '10.204.0.0/16',
      toolboxes: kindToolboxes({ egress: 'none', image: {} }),
      templates: 0,
      onFault: (fault) => faults.push(fault),
    })
    const create = engine.create.bind(engine)
    engine.create = async (...order) => {
      sandbox = await create(...order)
      return sandbox
    }
    supervisor = new Supervisor({
      engines: [engine],
      labs: await loadLabs(join(root, 'labs')),
      dir: join(folder, 'attempts'),
      version: '0',
      onFault: (where, error) => faults.push(`${where}: ${error}`),
    })
  })

  afterAll(async () => {
    await supervisor[Symbol.asyncDispose]()
    await engine.removeAll()
    await rm(folder, { recursive: true, force: true })
  }, 120_000)

  test('are announced, seen and undone', async () => {
    await supervisor.start({ lease: 'trial', lab: 'readiness-gate' }, (report) => reports.push(report), new AbortController().signal)
    const solution = await readFile(join(root, 'labs', 'readiness-gate', 'solution.sh'), 'utf8')
    const [probe = ''] = /^kubectl patch[^']*'[^']*'\n/.exec(solution) ?? []
    expect(await runScript(sandbox, `${probe}kubectl rollout status deployment/shop --timeout=170s`, { timeout: 180_000 })).toMatchObject({
      exitCode: 0,
    })
    await expect.poll(() => stateOf('t1'), { timeout: 20_000 }).toBe('pass')
    expect([stateOf('t2'), trials()]).toEqual(['waiting', []])
    const before = await deployment()
    await supervisor.tryNow('trial')
    expect(trials()).toEqual(['shop is rolled out anew and its endpoints are watched.', null])
    expect(stateOf('t2')).toBe('pass')
    const after = await deployment()
    expect(after.spec).toEqual(before.spec)
    expect(after.metadata.generation).toBe((before.metadata.generation as number) + 2)
    expect(readdirSync(join(folder, 'attempts', 'trial')).filter((name) => name.endsWith('.trial'))).toEqual([])
  })

  test('go into the submission as they were seen on the cluster itself', async () => {
    const { pieces } = await supervisor.handIn('trial')
    const evidence = JSON.parse(Buffer.from(pieces.find(({ kind }) => kind === 'evidence')?.bytes ?? []).toString())
    expect(evidence).toMatchObject({ triedOn: 'cluster', provoked: { rollout: { ok: true, seen: { early: [], finished: true } } } })
    await supervisor.end('trial')
    expect(existsSync(join(folder, 'attempts', 'trial'))).toBe(false)
    expect(faults).toEqual([])
  })
})
