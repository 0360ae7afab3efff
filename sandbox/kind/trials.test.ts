import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { afterProvoking, defineLab, pass, verbatim } from '../check/kit.ts'
import { type Deployment, findDeployment } from '../check/objects.ts'
import type { Sandbox } from '../engine.ts'
import type { Lab } from '../supervisor/labs.ts'
import { type Report, Supervisor } from '../supervisor/supervisor.ts'
import { KindEngine } from './engine.ts'
import { findGround } from './testing.ts'
import { kindToolboxes } from './toolbox/toolbox.ts'

const root = join(import.meta.dirname, '..', '..')
const ground = await findGround(join(root, '.cache'))
const missing = 'missing' in ground ? ground.missing : ''
const namespace = 'default'
const web = '/apis/apps/v1/namespaces/default/deployments/web'
const maps = '/api/v1/namespaces/default/configmaps'
const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{ name: web, image: 'busybox:1.36', command: [sleep, '3600'] }]
---
apiVersion: v1
kind: ConfigMap
metadata: { name: kept }
data: { a: '1' }
`
/** Tries whether web can be scaled, and meddles with what it needs not. */
const definition = defineLab({
  slug: 'scaled',
  minutes: 1,
  needs: ['api', 'pods', 'terminal'],
  nodes: 1,
  collect: { deployments: { kind: 'objects', selector: { group: 'apps', version: 'v1', resource: 'deployments', namespace } } },
  provoke: {
    scale: {
      what: verbatim('web is scaled to 2'),
      after: ['deployments'],
      when: ({ objects }) => findDeployment(objects['deployments'], 'web') !== undefined,
      basis: ({ objects }) => findDeployment(objects['deployments'], 'web')?.spec,
      async run({ api, sample }) {
        await api({ method: 'PATCH', path: web, body: { spec: { replicas: 2 } } })
        await api({ method: 'DELETE', path: `${maps}/kept` })
        await api({ method: 'POST', path: maps, body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'left' } } })
        return sample(200, 60_000, async () => ((await api({ method: 'GET', path: web })).body as Deployment).status?.readyReplicas === 2)
      },
    },
  },
  tasks: [
    {
      id: 't1',
      criteria: [
        {
          id: 'scales',
          points: 1,
          label: verbatim('web scales'),
          why: verbatim('It should.'),
          judge: (evidence) => afterProvoking<boolean>(evidence, 'scale', verbatim('2 ready'), (scaled) => pass(verbatim(`${scaled}`))),
        },
      ],
    },
  ],
})
const lab: Lab = { definition, folder: '', manifests, homeFiles: null, startScript: null, solution: '', wrong: [], digest: 'sha256:0' }

describe.skipIf(missing)(`trials on a kind cluster${missing ? ` (${missing})` : ''}`, { timeout: 400_000 }, () => {
  const { nodeImages } = ground as Exclude<typeof ground, { missing: string }>
  let folder: string
  let engine: KindEngine
  let supervisor: Supervisor
  /** As the supervisor has it. */
  let sandbox: Sandbox
  const reports: Report[] = []
  const faults: string[] = []
  const task = () => reports.findLast((report) => report.type === 'verdict')?.verdict.tasks[0]?.criteria[0]
  const trials = () => reports.flatMap((report) => (report.type === 'trial' ? [report.what?.en ?? null] : []))
  /** What a trial may not leave otherwise than it was. */
  const state = async () => {
    const get = async (path: string) => (await sandbox.api({ method: 'GET', path })).body as Deployment & { data?: object }
    return [(await get(web)).spec, (await get(`${maps}/kept`)).data, (await get(`${maps}/left`)).kind]
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kind-trials-'))
    engine = await KindEngine.start({
      dir: join(folder, 'kind'),
      cache: join(root, '.cache'),
      nodeImages,
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
      labs: new Map([['scaled', lab]]),
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
    await supervisor.start({ lease: 'trial', lab: 'scaled' }, (report) => reports.push(report), new AbortController().signal)
    await expect.poll(() => task()?.state, { timeout: 30_000 }).toBe('waiting')
    // it is the learner's own cluster: nothing is tried before they say so
    expect(trials()).toEqual([])
    const before = await state()
    await supervisor.tryNow('trial')
    expect(trials()).toEqual(['web is scaled to 2', null])
    expect(task()).toMatchObject({ state: 'pass', observed: verbatim('true') })
    expect(await state()).toEqual(before)
    expect(before.slice(1)).toEqual([{ a: '1' }, 'Status'])
    expect(readdirSync(join(folder, 'attempts', 'trial')).filter((name) => name.endsWith('.trial'))).toEqual([])
  })

  test('go into the submission as they were seen on the cluster itself', async () => {
    const before = await state()
    const { verdict, pieces } = await supervisor.handIn('trial')
    expect(verdict.points).toBe(1)
    expect(trials()).toHaveLength(4)
    expect(await state()).toEqual(before)
    const evidence = JSON.parse(Buffer.from(pieces.find(({ kind }) => kind === 'evidence')?.bytes ?? []).toString())
    expect(evidence).toMatchObject({ triedOn: 'cluster', provoked: { scale: { ok: true, seen: true } } })
    await supervisor.end('trial')
    expect(existsSync(join(folder, 'attempts', 'trial'))).toBe(false)
    expect(faults).toEqual([])
  })
})
