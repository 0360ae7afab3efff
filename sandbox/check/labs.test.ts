import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { WatchedObject } from '../engine.ts'
import { type Lab, loadLabs } from '../supervisor/labs.ts'
import { judge } from './judge.ts'
import type { CriterionVerdict, Evidence } from './kit.ts'

const folder = join(import.meta.dirname, '../../labs')
const startedAt = Date.parse('2026-03-02T09:00:00Z')
let labs: Map<string, Lab>

beforeAll(async () => {
  labs = await loadLabs(folder)
})

function labOf(slug: string): Lab {
  const lab = labs.get(slug)
  if (!lab) throw new Error(`no lab ${slug}`)
  return lab
}

/** Verdicts of a lab's criteria over evidence, by 't1/name'; fails when a judge throws or names a hint that is not there. */
async function judged(slug: string, seen: Partial<Evidence>): Promise<Record<string, CriterionVerdict>> {
  const faults: unknown[] = []
  const lab = labOf(slug)
  const { verdict } = judge(lab.definition, evidenceOf(seen), (fault) => faults.push(fault))
  expect(faults).toEqual([])
  const { tasks } = await matterOf(lab, 'en')
  for (const task of verdict.tasks)
    for (const { hint } of task.criteria) if (hint !== undefined) expect(tasks[task.id]?.hints.length).toBeGreaterThan(hint)
  return Object.fromEntries(verdict.tasks.flatMap((task) => task.criteria.map((one) => [`${task.id}/${one.id}`, one])))
}

function evidenceOf(seen: Partial<Evidence>): Evidence {
  return { time: startedAt + 300_000, startedAt, objects: {}, changes: {}, commands: {}, network: {}, access: {}, provoked: {}, ...seen }
}

interface Matter {
  title: string
  tasks: Record<string, { title: string; hints: string[] }>
}

async function matterOf(lab: Lab, language: 'en' | 'zh'): Promise<Matter> {
  const page = await readFile(join(lab.folder, `${language}.mdx`), 'utf8')
  return parse(page.split(/^---$/m)[1] ?? '') as Matter
}

let made = 0

function object(kind: string, name: string, rest: Record<string, unknown>, metadata: Record<string, unknown> = {}): WatchedObject {
  return {
    apiVersion: 'v1',
    kind,
    metadata: { name, namespace: 'default', uid: `uid-${++made}`, resourceVersion: String(made), generation: 1, ...metadata },
    ...rest,
  }
}

interface DeploymentParts {
  replicas?: number
  container?: Record<string, unknown>
  status?: Record<string, unknown>
  metadata?: Record<string, unknown>
}

function deployment(name: string, { replicas = 1, container = {}, status = {}, metadata = {} }: DeploymentParts): WatchedObject {
  const containers = [{ name, image: 'labapp:v1', ports: [{ name: 'http', containerPort: 8080 }], ...container }]
  return object(
    'Deployment',
    name,
    { spec: { replicas, template: { spec: { containers } } }, status: { observedGeneration: 1, ...status } },
    metadata,
  )
}

/** `up`: seconds since its container started; `changed`: seconds since its Ready condition did. */
function pod(name: string, { ready = true, restarts = 0, up = 200, changed = 100 } = {}): WatchedObject {
  const ago = (seconds: number) => new Date(startedAt + 300_000 - seconds * 1000).toISOString()
  return object('Pod', name, {
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: ago(changed) }],
      containerStatuses: [{ restartCount: restarts, state: { running: { startedAt: ago(up) } } }],
    },
  })
}

function slice(name: string, ready: readonly boolean[], uid = 'slice'): WatchedObject {
  const endpoints = ready.map((one, index) => ({ addresses: [`10.0.0.${index}`], conditions: { ready: one } }))
  return object('EndpointSlice', name, { endpoints }, { uid })
}

interface ReleaseParts {
  status?: string
  description?: string
  values?: Record<string, unknown>
  tag?: string
  replicas?: number
}

/** A revision as Helm stores it. */
function revision(version: number, parts: ReleaseParts): WatchedObject {
  const { status = 'superseded', description = 'Install complete', values = {}, tag = 'v1', replicas = 1 } = parts
  const container = `{name: web, image: "labapp:${tag}"}`
  const manifest = `---\nkind: Service\n---\nkind: Deployment\nspec: {replicas: ${replicas}, template: {spec: {containers: [${container}]}}}\n`
  const release = { name: 'shop', namespace: 'shop', version, info: { status, description }, config: values, manifest }
  const stored = Buffer.from(gzipSync(JSON.stringify(release)).toString('base64')).toString('base64')
  return object('Secret', `sh.helm.release.v1.shop.v${version}`, { data: { release: stored } }, { namespace: 'shop' })
}

test('there is every lab of the first modules', () => {
  const slugs = 'dependency-trap drift-repair first-release readiness-gate restart-loop stalled-rollout team-readers'.split(' ')
  expect([...labs.keys()]).toEqual(expect.arrayContaining(slugs))
})

test('no judge throws at evidence with nothing in it, and none is satisfied by it', async () => {
  for (const slug of labs.keys()) {
    const verdicts = Object.values(await judged(slug, {}))
    expect(verdicts.filter((one) => one.state === 'pass' || one.points > 0)).toEqual([])
    for (const { expected, observed } of verdicts)
      for (const text of [expected, observed]) expect([slug, text?.en, text?.zh]).toEqual([slug, expect.any(String), expect.any(String)])
  }
})

test('every lab gives ten points, and both pages tell of the same tasks with as many hints', async () => {
  for (const [slug, lab] of labs) {
    const points = lab.definition.tasks.flatMap((task) => task.criteria).reduce((sum, one) => sum + one.points, 0)
    expect([slug, points]).toEqual([slug, 10])
    const [en, zh] = [await matterOf(lab, 'en'), await matterOf(lab, 'zh')]
    const shape = ({ tasks }: Matter) => Object.entries(tasks).map(([id, { hints }]) => [id, hints.length])
    expect(shape(en).map(([id]) => id)).toEqual(lab.definition.tasks.map((task) => task.id))
    expect(shape(zh)).toEqual(shape(en))
  }
})

test('every lab has a solution and at least two wrong answers', async () => {
  for (const lab of labs.values()) {
    expect(await readFile(lab.solution, 'utf8')).not.toBe('')
    expect(lab.wrong.length).toBeGreaterThan(1)
  }
})

describe('readiness-gate', () => {
  const gated = (probe: Record<string, unknown>) => [deployment('shop', { replicas: 3, container: { readinessProbe: probe } })]
  const right = { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 5 }

  test('a slow probe gets the points of its path only', async () => {
    const seen = await judged('readiness-gate', { objects: { deployments: gated({ ...right, periodSeconds: undefined }) } })
    expect(seen['t1/probe']?.points).toBe(2)
    expect(seen['t1/period']).toMatchObject({ state: 'not-yet', observed: { en: 'periodSeconds: 10' } })
    expect(seen['t2/rollout']?.state).toBe('waiting')
  })

  test('an address that was ready too early is named with what it answered', async () => {
    const seen = await judged('readiness-gate', {
      objects: { deployments: gated({ ...right, httpGet: { path: '/healthz', port: 8080 } }) },
      provoked: { rollout: { ok: true, at: 0, seen: { looks: 20, finished: true, early: [{ address: '10.0.0.9', status: 0 }] } } },
    })
    expect(seen['t2/rollout']?.observed?.en).toBe('10.0.0.9 was ready in the slice while /ready answered nothing')
  })

  test('a Pod that boots was not taken out, one that was ready before was', async () => {
    const slices = [slice('shop', [true, true, false])]
    const fresh = [pod('a'), pod('b'), pod('c', { ready: false, up: 10, changed: 10 })]
    const taken = [pod('a'), pod('b'), pod('c', { ready: false, up: 200, changed: 10 })]
    const look = async (pods: WatchedObject[]) =>
      (await judged('readiness-gate', { objects: { deployments: gated(right), slices, pods } }))['t3/out']
    expect((await look(fresh))?.state).toBe('not-yet')
    expect((await look(taken))?.state).toBe('pass')
    expect((await look([...taken.slice(0, 2), pod('c', { ready: false, restarts: 1, changed: 10 })]))?.state).toBe('not-yet')
  })
})

describe('restart-loop', () => {
  const env = [{ name: 'BOOT_S', value: '60' }]
  const liveness = { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 5, failureThreshold: 3 }
  const startup = { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 5, failureThreshold: 24 }
  const api = (container: Record<string, unknown>) => [deployment('api', { container: { env, ...container } })]

  test('a running Pod is watched until its boot and half a minute are over', async () => {
    const deployments = api({ livenessProbe: liveness, startupProbe: startup })
    const look = async (one: WatchedObject) => (await judged('restart-loop', { objects: { deployments, pods: [one] } }))['t2/up']
    expect(await look(pod('api', { up: 70 }))).toMatchObject({ state: 'waiting', observed: { en: 'no restart so far, 20 s to go' } })
    expect((await look(pod('api', { up: 91 })))?.state).toBe('pass')
    expect(await look(pod('api', { up: 8, restarts: 3 }))).toMatchObject({
      state: 'not-yet',
      observed: { en: 'api: 3 restarts, the last 8 s ago' },
    })
  })

  test('a probe that only connects looks right in its numbers and is found out by what happens', async () => {
    const seen = await judged('restart-loop', {
      objects: {
        deployments: api({ livenessProbe: { ...liveness, httpGet: undefined, tcpSocket: { port: 'http' } }, startupProbe: startup }),
      },
      provoked: { boot: { ok: true, at: 0, seen: { servedAfter: 62, restarts: 0, noticedAfter: null } } },
    })
    expect(seen['t1/port']?.state).toBe('pass')
    expect(seen['t3/startup']).toMatchObject({ state: 'pass', observed: { en: '0 + 5 x 24 = 120' } })
    expect(seen['t3/alert']?.state).toBe('not-yet')
  })

  test('a boot that was made shorter is not a boot that was waited for', async () => {
    const deployments = [deployment('api', { container: { env: [{ name: 'BOOT_S', value: '1' }], livenessProbe: liveness } })]
    const seen = await judged('restart-loop', {
      objects: { deployments },
      provoked: { boot: { ok: true, at: 0, seen: { servedAfter: 2, restarts: 0, noticedAfter: 12 } } },
    })
    expect(seen['t2/boots']).toMatchObject({ state: 'not-yet', observed: { en: 'BOOT_S: 1' } })
  })
})

describe('dependency-trap', () => {
  const outage = (seen: Record<string, unknown>) => ({
    outage: {
      ok: true as const,
      at: 0,
      seen: { fronts: 2, restarts: 0, readyEndpoints: 0, backAfter: 4, restartsAfter: 0, sickNoticedAfter: 12, ...seen },
    },
  })
  const probes = {
    livenessProbe: { httpGet: { path: '/healthz', port: 'http' } },
    readinessProbe: { httpGet: { path: '/deep', port: 'http' } },
  }
  const objects = (container: Record<string, unknown>, db = 1) => ({
    deployments: [deployment('front', { replicas: 2, container }), deployment('db', { replicas: db, status: { readyReplicas: db } })],
    pods: [pod('front-a'), pod('front-b')],
    slices: [slice('front', [true, true])],
  })

  test('alive and able kept apart get everything', async () => {
    const seen = await judged('dependency-trap', { objects: objects(probes), provoked: outage({}) })
    expect(Object.values(seen).map((one) => one.state)).toEqual(['pass', 'pass', 'pass', 'pass', 'pass', 'pass'])
  })

  test('without a liveness probe calm is all there is', async () => {
    const { readinessProbe } = probes
    const seen = await judged('dependency-trap', { objects: objects({ readinessProbe }), provoked: outage({ sickNoticedAfter: null }) })
    expect([seen['t1/calm']?.state, seen['t1/sick']?.state]).toEqual(['pass', 'not-yet'])
  })

  test('a provocation that failed is waited for, not held against the learner', async () => {
    const provoked = { outage: { ok: false as const, at: 0, fault: 'the fork went away' } }
    const seen = await judged('dependency-trap', { objects: objects(probes, 0), provoked })
    expect(seen['t1/calm']).toMatchObject({ state: 'waiting', observed: { en: 'it could not be tried: the fork went away' } })
    expect(seen['t3/again']).toMatchObject({ state: 'not-yet', observed: { en: 'db is still at 0' } })
  })
})

describe('stalled-rollout', () => {
  const served = (path: string) =>
    deployment('pay', {
      replicas: 4,
      container: { image: 'labapp:v2', readinessProbe: { httpGet: { path, port: 'http' } } },
      status: { replicas: 4, updatedReplicas: 4, readyReplicas: 4 },
    })
  const changes = (...ready: number[]) => ({
    slices: ready.map((count, index) => ({
      time: startedAt + index * 1000,
      type: 'MODIFIED' as const,
      object: slice(
        'pay',
        Array.from({ length: 5 }, (_, at) => at < count),
      ),
    })),
  })

  test('a gap in the past is told with its time, although all is well now', async () => {
    const seen = await judged('stalled-rollout', { objects: { deployments: [served('/ready')] }, changes: changes(0, 2, 4, 5, 3, 4) })
    expect(seen['t2/serves']?.state).toBe('pass')
    expect(seen['t3/no-gap']).toMatchObject({
      state: 'not-yet',
      observed: { en: 'at 09:00:04 UTC there were 3; reset the lab to try it without a gap' },
    })
  })

  test('what was missing before the first four is the start, not a gap', async () => {
    const seen = await judged('stalled-rollout', { objects: { deployments: [served('/ready')] }, changes: changes(0, 1, 4, 5, 4) })
    expect(seen['t3/no-gap']?.state).toBe('pass')
  })

  test('v1 brought back has lost v2, and its probe counts for nothing', async () => {
    const undone = deployment('pay', {
      replicas: 4,
      container: { readinessProbe: { httpGet: { path: '/ready' } } },
      status: { replicas: 4, updatedReplicas: 4, readyReplicas: 4 },
    })
    const seen = await judged('stalled-rollout', { objects: { deployments: [undone] }, changes: changes(4) })
    expect(Object.values(seen).map((one) => one.points)).toEqual([0, 0, 0, 0])
  })
})

describe('team-readers', () => {
  const role = (...rules: { verbs: string[]; apiGroups: string[]; resources: string[] }[]) => object('ClusterRole', 'pod-reader', { rules })
  const reader = role(
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
  )
  const own = [true, true, true, true]
  const access = (...answers: boolean[]) => ({ red: answers, blue: answers })

  test('a rule that multiplies verbs with resources gives more than was asked, and is told what', async () => {
    const wide = role({ apiGroups: [''], resources: ['pods', 'pods/log'], verbs: ['get', 'list', 'watch'] })
    const seen = await judged('team-readers', { objects: { clusterRoles: [wide] } })
    expect(seen['t1/grants']?.state).toBe('pass')
    expect(seen['t1/no-more']?.observed?.en).toBe('also grants: list pods/log, watch pods/log')
  })

  test('reading the pods of the other team is named', async () => {
    const seen = await judged('team-readers', { objects: { clusterRoles: [reader] }, access: access(...own, true) })
    expect(seen['t2/red']).toMatchObject({ state: 'not-yet', observed: { en: 'red can get pods in blue' } })
    expect(seen['t2/blue']).toMatchObject({ state: 'not-yet', observed: { en: 'blue can get pods in red' } })
  })

  test('two RoleBindings to the ClusterRole are right, a ClusterRoleBinding beside them is not', async () => {
    const roleRef = { kind: 'ClusterRole', name: 'pod-reader' }
    const bindings = ['red', 'blue'].map((namespace) => object('RoleBinding', 'readers', { roleRef }, { namespace }))
    const objects = { clusterRoles: [reader], bindings }
    expect((await judged('team-readers', { objects, access: access(...own) }))['t3/bindings']?.state).toBe('pass')
    const clusterRoleBindings = [object('ClusterRoleBinding', 'everywhere', { roleRef })]
    const seen = await judged('team-readers', { objects: { ...objects, clusterRoleBindings }, access: access(...own) })
    expect(seen['t3/bindings']).toMatchObject({ state: 'not-yet', observed: { en: 'ClusterRoleBinding everywhere' } })
  })
})

describe('first-release', () => {
  const values = { replicas: 2, greeting: 'Welcome to the shop' }
  const first = revision(1, { values, replicas: 2 })
  const live = deployment('shop-web', {
    replicas: 2,
    status: { replicas: 2, updatedReplicas: 2, readyReplicas: 2 },
    metadata: { labels: { 'app.kubernetes.io/instance': 'shop' } },
  })
  const states = async (...releases: WatchedObject[]) =>
    Object.entries(await judged('first-release', { objects: { releases, deployments: [live] } }))
      .filter(([, one]) => one.state === 'pass')
      .map(([name]) => name)

  test('an upgrade that lost the values is a revision with v2 and no more than that', async () => {
    const lost = revision(2, { values: { image: { tag: 'v2' } }, tag: 'v2' })
    const back = revision(3, { values, replicas: 2, status: 'deployed', description: 'Rollback to 1' })
    expect(await states(first, lost, back)).toEqual(['t1/release', 't1/running', 't2/upgrade'])
  })

  test('the same made good later on counts', async () => {
    const lost = revision(2, { values: { image: { tag: 'v2' } }, tag: 'v2' })
    const good = revision(3, { values: { ...values, image: { tag: 'v2' } }, tag: 'v2', replicas: 2 })
    const back = revision(4, { values, replicas: 2, status: 'deployed', description: 'Rollback to 1' })
    expect(await states(first, lost, good, back)).toHaveLength(6)
  })

  test('an upgrade that failed never was one, and a Secret that is no release is passed over', async () => {
    const failed = revision(2, { values: { ...values }, tag: 'v2', replicas: 2, description: 'Upgrade "shop" failed: timed out' })
    const broken = object('Secret', 'sh.helm.release.v1.shop.v9', { data: { release: 'bm90IGd6aXA=' } }, { namespace: 'shop' })
    expect(await states(first, failed, broken)).toEqual(['t1/release', 't1/running'])
  })
})

describe('drift-repair', () => {
  const owner = (manager: string, subresource?: string) => ({
    ...{ manager, operation: subresource ? 'Update' : 'Apply', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
    ...(subresource ? { subresource } : {}),
  })
  const live = (managedFields: unknown[], createdAt = startedAt - 1000) =>
    deployment('shop-web', {
      replicas: 3,
      status: { readyReplicas: 3 },
      metadata: { managedFields, creationTimestamp: new Date(createdAt).toISOString() },
    })
  const second = revision(2, { status: 'deployed', description: 'Rollback to 1', replicas: 3 })
  const look = (one: WatchedObject, ...releases: WatchedObject[]) => judged('drift-repair', { objects: { deployments: [one], releases } })

  test('a field that Helm shares is not its own yet', async () => {
    const seen = await look(live([owner('helm'), owner('kubectl', 'scale')]), second)
    expect([seen['t2/revision']?.state, seen['t2/replicas']?.state]).toEqual(['pass', 'pass'])
    expect(seen['t3/owner']).toMatchObject({ state: 'not-yet', observed: { en: '.spec.replicas: helm, kubectl (scale)' } })
    expect((await look(live([owner('helm')]), second))['t3/owner']?.state).toBe('pass')
  })

  test('three Pods by hand are three Pods that no revision knows of', async () => {
    const seen = await look(live([owner('kubectl', 'scale')]), revision(1, { status: 'deployed', replicas: 3 }))
    expect(seen['t2/replicas']?.observed?.en).toBe('3 of 3 Pods ready, but Helm had no part in it: revision 1 (deployed): Install complete')
  })

  test('a Deployment younger than the lab was installed anew, not repaired', async () => {
    const seen = await look(live([owner('helm')], startedAt + 60_000), second)
    expect(Object.values(seen).some((one) => one.state === 'pass')).toBe(false)
    expect(seen['t2/revision']?.observed?.en).toContain('made at 09:01:00 UTC')
  })
})
