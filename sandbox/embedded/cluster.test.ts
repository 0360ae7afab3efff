import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { WatchEvent } from '../engine.ts'
import { Cluster } from './cluster.ts'

const errors: unknown[] = []
const options = {
  nodes: 1,
  clock: { start: Date.parse('2026-01-01T00:00:00Z'), rate: 0 },
  report: (where: string, error: unknown) => errors.push([where, error]),
}
let cluster: Cluster

beforeAll(async () => {
  cluster = await Cluster.open(options)
  await cluster.advance(1000)
})
afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

const configMaps = '/api/v1/namespaces/default/configmaps'
const configMap = (name: string, data: Record<string, string> = {}) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })

interface Answer {
  status: number
  body: { metadata: Record<string, unknown>; message?: string; items?: { metadata: { name: string } }[]; [field: string]: unknown }
}

async function call(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  contentType?: string,
): Promise<Answer> {
  return (await cluster.request({
    method,
    path,
    ...(body === undefined ? {} : { body }),
    ...(contentType ? { contentType } : {}),
  })) as Answer
}

test('an object that is there is refused by the words of the API server', async () => {
  expect((await call('POST', configMaps, configMap('twice'))).status).toBe(201)
  const again = await call('POST', configMaps, configMap('twice'))
  expect(again).toMatchObject({ status: 409, body: { reason: 'AlreadyExists', message: 'configmaps "twice" already exists' } })
})

test('an update of an old version is a conflict, one that changes nothing keeps the version', async () => {
  const made = await call('POST', configMaps, configMap('versions', { a: '1' }))
  const same = await call('PUT', `${configMaps}/versions`, made.body)
  expect(same.body.metadata['resourceVersion']).toBe(made.body.metadata['resourceVersion'])
  const changed = await call('PATCH', `${configMaps}/versions`, { data: { a: '2' } })
  expect(changed.body.metadata['resourceVersion']).not.toBe(made.body.metadata['resourceVersion'])
  const old = await call('PUT', `${configMaps}/versions`, { ...made.body, data: { a: '3' } })
  expect(old.status).toBe(409)
  expect(old.body.message).toContain('the object has been modified; please apply your changes to the latest version and try again')
})

test('a dry run answers and stores nothing', async () => {
  expect((await call('POST', `${configMaps}?dryRun=All`, configMap('dry'))).status).toBe(201)
  expect((await call('GET', `${configMaps}/dry`)).status).toBe(404)
})

test('pages of a list are of one revision', async () => {
  for (const name of ['page-a', 'page-b', 'page-c'])
    await call('POST', configMaps, { ...configMap(name), metadata: { name, labels: { page: 'yes' } } })
  const first = await call('GET', `${configMaps}?labelSelector=page&limit=2`)
  await call('DELETE', `${configMaps}/page-c`)
  const second = await call('GET', `${configMaps}?labelSelector=page&limit=2&continue=${first.body.metadata['continue']}`)
  expect([...(first.body.items ?? []), ...(second.body.items ?? [])].map(({ metadata }) => metadata.name)).toEqual([
    'page-a',
    'page-b',
    'page-c',
  ])
  expect(second.body.metadata['resourceVersion']).toBe(first.body.metadata['resourceVersion'])
})

test('a finalizer keeps a deleted object until it is taken', async () => {
  await call('POST', configMaps, { ...configMap('held'), metadata: { name: 'held', finalizers: ['example.com/wait'] } })
  const deleted = await call('DELETE', `${configMaps}/held`)
  expect(deleted.body.metadata['deletionTimestamp']).toBeDefined()
  await call('PATCH', `${configMaps}/held`, { metadata: { finalizers: null } })
  expect((await call('GET', `${configMaps}/held`)).status).toBe(404)
})

test('an applied field belongs to its manager, and another must force', async () => {
  const apply = (manager: string, force: boolean, value: string) =>
    call(
      'PATCH',
      `${configMaps}/applied?fieldManager=${manager}&force=${force}`,
      configMap('applied', { a: value }),
      'application/apply-patch+yaml',
    )
  expect((await apply('one', false, '1')).status).toBe(201)
  const conflict = await apply('two', false, '2')
  expect(conflict.status).toBe(409)
  expect(conflict.body.message).toBe('Apply failed with 1 conflict: conflict with "one": .data.a')
  expect((await apply('two', true, '2')).status).toBe(200)
})

test('an unknown field is refused when validation is strict', async () => {
  const wrong = { ...configMap('strict'), dta: {} }
  const refused = await call('POST', `${configMaps}?fieldValidation=Strict`, wrong)
  expect(refused.status).toBe(400)
  expect(refused.body.message).toBe(
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dta"',
  )
})

test('a user without rights is told so in the words of RBAC', async () => {
  const answer = await cluster.request({ method: 'GET', path: configMaps, as: { username: 'bob', groups: [] } })
  expect(answer).toMatchObject({
    status: 403,
    body: { message: 'configmaps is forbidden: User "bob" cannot list resource "configmaps" in API group "" in the namespace "default"' },
  })
})

test('a watch tells what is there and then what changes for its selection', async () => {
  const ended = new AbortController()
  const events: WatchEvent[] = []
  const watching = cluster.watch(
    { group: '', version: 'v1', resource: 'configmaps', namespace: 'default', labelSelector: 'w=1' },
    (event) => events.push(event),
    ended.signal,
  )
  await call('POST', configMaps, { ...configMap('watched'), metadata: { name: 'watched', labels: { w: '1' } } })
  await call('PATCH', `${configMaps}/watched`, { metadata: { labels: { w: '2' } } })
  await call('PATCH', `${configMaps}/watched`, { metadata: { labels: { w: '1' } } })
  await cluster.advance(1)
  ended.abort()
  await watching
  expect(events.map(({ type }) => type)).toEqual(['ADDED', 'DELETED', 'ADDED'])
})

test('a Deployment in a fork runs on fast time and leaves the cluster alone', async () => {
  const fork = await cluster.fork()
  const labels = { app: 'web' }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'web', image: 'nginx:1.27' }] } }
  const body = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { replicas: 2, selector: { matchLabels: labels }, template },
  }
  expect((await fork.request({ method: 'POST', path: '/apis/apps/v1/namespaces/default/deployments', body })).status).toBe(201)
  await fork.advance(60_000)
  const { body: deployment } = await fork.request({ method: 'GET', path: '/apis/apps/v1/namespaces/default/deployments/web' })
  expect(deployment).toMatchObject({ status: { readyReplicas: 2 } })
  expect((await call('GET', '/apis/apps/v1/namespaces/default/deployments/web')).status).toBe(404)
  await fork[Symbol.asyncDispose]()
})

test('a cluster opened again from its directory goes on where it was', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'labernetes-cluster-'))
  try {
    const first = await Cluster.open({ ...options, dir })
    await first.request({ method: 'POST', path: configMaps, body: configMap('kept', { a: '1' }) })
    const { resourceVersion } = first.snapshot()
    await first[Symbol.asyncDispose]()
    const second = await Cluster.open({ ...options, dir })
    expect((await second.request({ method: 'GET', path: `${configMaps}/kept` })).body).toMatchObject({ data: { a: '1' } })
    expect(Number(second.snapshot().resourceVersion)).toBeGreaterThanOrEqual(Number(resourceVersion))
    await second[Symbol.asyncDispose]()
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test('a cluster opened from a snapshot holds the same objects', async () => {
  await using copy = await Cluster.fromSnapshot(JSON.parse(JSON.stringify(cluster.snapshot())))
  const namespaces = await copy.request({ method: 'GET', path: '/api/v1/namespaces' })
  expect(namespaces.body).toMatchObject({ kind: 'NamespaceList' })
  expect((namespaces.body as Answer['body']).items?.map(({ metadata }) => metadata.name)).toEqual([
    'default',
    'kube-node-lease',
    'kube-public',
    'kube-system',
    'local-path-storage',
  ])
})

test('its kubeconfig opens the API over TLS', async () => {
  const path = join(await mkdtemp(join(tmpdir(), 'labernetes-socket-')), 'api.sock')
  await cluster.listen({ path })
  const config = parse(cluster.kubeconfig({ server: 'https://127.0.0.1:6443' })) as {
    clusters: { cluster: Record<string, string> }[]
    users: { user: Record<string, string> }[]
  }
  const decoded = (text: string | undefined) => Buffer.from(text ?? '', 'base64')
  const user = config.users[0]?.user
  const answer = await new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    const ca = decoded(config.clusters[0]?.cluster['certificate-authority-data'])
    const cert = decoded(user?.['client-certificate-data'])
    const key = decoded(user?.['client-key-data'])
    const asked = request({ socketPath: path, path: '/api/v1/namespaces/default', ca, cert, key, servername: 'kubernetes' }, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode, text }))
    })
    asked.on('error', reject)
    asked.end()
  })
  expect(answer.status).toBe(200)
  expect(JSON.parse(answer.text)).toMatchObject({ kind: 'Namespace', metadata: { name: 'default' } })
})

test('evictions stop where a budget is used up, and where two budgets claim a pod', async () => {
  const labels = { app: 'kept' }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'registry.k8s.io/pause:3.10' }] } }
  const deployment = { metadata: { name: 'kept' }, spec: { replicas: 2, selector: { matchLabels: labels }, template } }
  await call('POST', '/apis/apps/v1/namespaces/default/deployments', { apiVersion: 'apps/v1', kind: 'Deployment', ...deployment })
  const budget = (name: string) => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name },
    spec: { minAvailable: 1, selector: { matchLabels: labels } },
  })
  const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
  await call('POST', budgets, budget('kept'))
  await cluster.advance(5000)
  const pods = async () => (await call('GET', '/api/v1/namespaces/default/pods?labelSelector=app%3Dkept')).body.items ?? []
  const [first, second] = (await pods()).map(({ metadata }) => metadata.name)
  const evict = (name: string | undefined) =>
    call('POST', `/api/v1/namespaces/default/pods/${name}/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } })
  expect((await evict(first)).status).toBe(201)
  const refused = await evict(second)
  expect(refused).toMatchObject({ status: 429, body: { message: "Cannot evict pod as it would violate the pod's disruption budget." } })
  await call('POST', budgets, budget('second'))
  await cluster.advance(60_000)
  expect((await evict(second)).status).toBe(500)
})
