import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EmbeddedEngine } from '../embedded/engine/engine.ts'
import type { Sandbox, WatchedObject } from '../engine.ts'
import { prepareTools } from '../terminal/tools.ts'
import { provoke } from './ground.ts'
import { Journal } from './journal.ts'
import { verbatim } from './kit.ts'

const web = '/apis/apps/v1/namespaces/default/deployments/web'
const maps = '/api/v1/namespaces/default/configmaps'
const manifests = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: "nginx:1.27" }] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: kept }
data: { a: "1" }
`
let folder: string
let engine: EmbeddedEngine
let sandbox: Sandbox

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-'))
  const { folder: tools } = await prepareTools(join(import.meta.dirname, '../../.cache'))
  engine = await EmbeddedEngine.start({ dir: join(folder, 'sandboxes'), tools, allowNoJail: true, onFault: () => undefined })
  const made = await engine.create({ id: 'journal', nodes: 1, manifests }, () => undefined)
  // an engine that cannot copy a cluster
  sandbox = new Proxy(made, { get: (target, name) => (name === 'fork' ? undefined : bound(target, name)) })
}, 60_000)

afterAll(async () => {
  await engine?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const get = async (path: string) => (await sandbox.api({ method: 'GET', path })).body as WatchedObject & { code?: number }

test('a provocation without a copy puts back what it changed, deleted and created', async () => {
  const before = await get(web)
  const result = await provoke(sandbox, {
    what: verbatim('all sorts of things'),
    after: [],
    when: () => true,
    async run({ api, list }) {
      await api({
        method: 'PATCH',
        path: web,
        body: { metadata: { labels: { more: 'yes' } }, spec: { template: { metadata: { annotations: { again: 'yes' } } } } },
      })
      await api({ method: 'PATCH', path: `${web}/scale`, body: { spec: { replicas: 0 } } })
      await api({ method: 'DELETE', path: '/api/v1/namespaces/default/pods?labelSelector=app%3Dweb' })
      await api({ method: 'DELETE', path: `${maps}/kept` })
      await api({ method: 'POST', path: maps, body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'made' } } })
      await api({ method: 'POST', path: maps, body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'made-' } } })
      const review = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { verb: 'get', resource: 'pods' } },
      }
      await api({ method: 'POST', path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', body: review })
      const [deployment] = await list({ group: 'apps', version: 'v1', resource: 'deployments', namespace: 'default' })
      return deployment?.['spec']
    },
  })
  expect(result).toMatchObject({ ok: true, seen: { replicas: 0, template: { metadata: { annotations: { again: 'yes' } } } } })
  const after = await get(web)
  expect([after['spec'], after.metadata['labels']]).toEqual([before['spec'], before.metadata['labels']])
  expect(await get(`${maps}/kept`)).toMatchObject({ data: { a: '1' } })
  const names = ((await sandbox.api({ method: 'GET', path: maps })).body as { items: WatchedObject[] }).items.map(
    ({ metadata }) => metadata.name,
  )
  expect(names.filter((name) => name.startsWith('made'))).toEqual([])
})

test('what a killed process left changed is put back by the next', async () => {
  const file = join(folder, 'left.trial')
  const killed = new Journal((request) => sandbox.api(request), file)
  await killed.request({ method: 'PATCH', path: web, body: { spec: { replicas: 5 } } })
  expect(await get(web)).toMatchObject({ spec: { replicas: 5 } })
  await Journal.undoLeft((request) => sandbox.api(request), file)
  expect(await get(web)).toMatchObject({ spec: { replicas: 2 } })
  await sandbox.api({ method: 'PATCH', path: web, body: { spec: { replicas: 3 } } })
  await Journal.undoLeft((request) => sandbox.api(request), file)
  expect(await get(web)).toMatchObject({ spec: { replicas: 3 } })
})

test('what cannot be put back is told', async () => {
  const journal = new Journal((request) =>
    request.method === 'PUT' ? Promise.resolve({ status: 403, body: { message: 'not allowed' } }) : sandbox.api(request),
  )
  await journal.request({ method: 'PATCH', path: web, body: { spec: { replicas: 4 } } })
  await expect(journal.undo()).rejects.toThrow(`This could not be undone: ${web}: not allowed`)
})

function bound(target: Sandbox, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name)
  return typeof value === 'function' ? value.bind(target) : value
}
