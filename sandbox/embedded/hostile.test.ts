import { request } from 'node:https'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { Cluster } from './cluster.ts'

const errors: unknown[] = []
let many = 0
let cluster: Cluster
let port: number
let tls: { key: string; cert: string; ca: string }

beforeAll(async () => {
  cluster = await Cluster.open({ nodes: 1, report: (where, error) => errors.push([where, error]) })
  port = ((await cluster.listen({ host: '127.0.0.1', port: 0 })) as { port: number }).port
  const config = parse(cluster.kubeconfig({ server: `https://127.0.0.1:${port}` })) as {
    clusters: { cluster: Record<string, string> }[]
    users: { user: Record<string, string> }[]
  }
  const decode = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString()
  const [user] = config.users
  tls = {
    key: decode(user?.user['client-key-data']),
    cert: decode(user?.user['client-certificate-data']),
    ca: decode(config.clusters[0]?.cluster['certificate-authority-data']),
  }
})
afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

interface Answer {
  status: number
  text: string
  type: string
}

/** One request over TLS, as any client may send it. */
function send(method: string, path: string, body?: string | Uint8Array, contentType = 'application/json'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers, ...tls }, (incoming) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          text: Buffer.concat(chunks).toString(),
          type: incoming.headers['content-type'] ?? '',
        }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const configMaps = '/api/v1/namespaces/default/configmaps'
const patchTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json']
const bodyTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']

function expectStatus(answer: Answer, code: number, reason?: string): void {
  expect(answer.status).toBe(code)
  expect(JSON.parse(answer.text)).toMatchObject({
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    ...(reason ? { reason } : {}),
  })
}

test('a body of more than 3 MiB is too large', async () => {
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'huge' }, data: { a: 'x'.repeat(4 * 2 ** 20) } })
  expectStatus(await send('POST', configMaps, body), 413, 'RequestEntityTooLarge')
})

test.each([
  ['JSON that is nested too deep', `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`, 'application/json'],
  ['a list that is nested too deep', `{"apiVersion":"v1","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'application/json'],
  ['half an object', '{"apiVersion":"v1","kind":"ConfigMap"', 'application/json'],
  ['no object', '[1,2,3]', 'application/json'],
  ['YAML that is none', 'a: b: c: [', 'application/yaml'],
  ['YAML whose aliases multiply', aliases(), 'application/yaml'],
  ['what is no protobuf', Uint8Array.from([0x6b, 0x38, 0x73, 0, 0xff, 0xff, 0xff, 0xff, 0xff]), 'application/vnd.kubernetes.protobuf'],
  ['protobuf without its first bytes', 'nothing', 'application/vnd.kubernetes.protobuf'],
])('%s is a bad request', async (_what, body, type) => {
  expectStatus(await send('POST', configMaps, body, type), 400, 'BadRequest')
})

test.each([
  [
    'JSON',
    JSON.stringify({ data: Object.fromEntries(Array.from({ length: 70_000 }, (_, index) => [`k${index}`, ''])) }),
    'application/json',
  ],
  ['YAML', `data:\n${'  a: b\n'.repeat(70_000)}`.replace(/a:/g, () => `k${many++}:`), 'application/yaml'],
  ['a list of empty objects', `{"data":[${'{},'.repeat(500_000)}{}]}`, 'application/json'],
])('%s of more fields and items than anything has is too large', async (_what, body, type) => {
  const answer = await send('POST', configMaps, body, type)
  expectStatus(answer, 413, 'RequestEntityTooLarge')
  expect(answer.text).toContain('at most 60000 are allowed in one request to this cluster')
})

test('an object that etcd would not take is refused in its words', async () => {
  const fields = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`a-key-of-some-length-${index}`, 'v']))
  const answer = await send('POST', configMaps, JSON.stringify({ metadata: { name: 'beyond-etcd' }, data: fields }))
  expect(answer.status).toBe(500)
  expect(answer.text).toMatch(/etcdserver: request is too large|trying to send message larger than max \(\d+ vs\. 2097152\)/)
})

test('copies of copies in a patch have an end', async () => {
  const metadata = { name: 'copied' }
  await send('POST', configMaps, JSON.stringify({ metadata, data: { a: 'x'.repeat(1_000) } }))
  const copy = Array.from({ length: 5_000 }, (_, index) => ({ op: 'copy', from: '/data/a', path: `/data/b${index}` }))
  const answer = await send('PATCH', `${configMaps}/copied`, JSON.stringify(copy), 'application/json-patch+json')
  expect(answer.status).toBe(422)
  // what the API server makes of whatever its library says of a patch
  expect(answer.text).toContain('the server rejected our request due to an error in our request')
})

test('nobody reaches the prototype of this process', async () => {
  await send('POST', configMaps, JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'target' }, data: { a: '1' } }))
  const patch = '{"__proto__":{"polluted":"yes"},"metadata":{"labels":{"__proto__":{"polluted":"yes"}}},"data":{"constructor":"x"}}'
  for (const type of patchTypes.slice(1)) expectStatus(await send('PATCH', `${configMaps}/target`, patch, type), 400)
  const operations = '[{"op":"add","path":"/__proto__/polluted","value":"yes"},{"op":"add","path":"/data/constructor","value":"x"}]'
  await send('PATCH', `${configMaps}/target`, operations, patchTypes[0])
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
})

test.each([
  'labelSelector=%3D',
  'labelSelector=a%20in',
  'labelSelector=a%20in%20(b',
  'labelSelector=!!a',
  'labelSelector=a%3D%3D%3Db',
  `labelSelector=${'a'.repeat(70)}`,
  'labelSelector=%00',
  'fieldSelector=a',
  'fieldSelector=spec.none%3Dx',
  'fieldSelector=%3D%3D',
  'limit=many',
  'continue=garbage',
  'resourceVersion=soon',
  'resourceVersionMatch=Roughly&resourceVersion=1',
  'watch=true&sendInitialEvents=true&resourceVersionMatch=Exact',
  'watch=true&timeoutSeconds=x',
])('a list by %s is refused with a Status', async (query) => {
  const answer = await send('GET', `/api/v1/pods?${query}`)
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(answer.status).toBeLessThan(500)
  expect(JSON.parse(answer.text)).toMatchObject({ kind: 'Status', status: 'Failure' })
})

test('whatever is asked for by whatever method, the answer is no failure of the server', async () => {
  const methods = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD')
  const segment = fc.constantFrom(
    'api',
    'apis',
    'v1',
    'namespaces',
    'default',
    'pods',
    'configmaps',
    'apps',
    '%2e%2e',
    '%zz',
    'a%00b',
    '',
    'log',
    'status',
    'proxy',
  )
  const path = fc.array(segment, { maxLength: 7 }).map((parts) => `/${parts.join('/')}`)
  const type = fc.constantFrom(...bodyTypes, ...patchTypes, 'application/apply-patch+yaml', 'text/plain', '')
  const body = fc.oneof(fc.json(), fc.string(), fc.uint8Array({ maxLength: 200 }))
  await fc.assert(
    fc.asyncProperty(methods, path, type, body, async (method, url, contentType, content) => {
      // A watch or deletion of everything is no mistake.
      fc.pre(method !== 'DELETE' || url.split('/').length > 5)
      const answer = await send(method, url, ['GET', 'HEAD'].includes(method) ? undefined : content, contentType)
      // a real server, too, calls it a failure of its own that nothing follows this word
      const isBare = /^\/+(api\/[^/]*|apis\/[^/]*\/[^/]*)\/proxy\/*$/.test(url)
      expect(answer.status).toBeLessThan(isBare ? 501 : 500)
    }),
    { numRuns: 150, examples: [['GET', '/api/api/proxy', 'text/plain', '']] },
  )
})

test('a pattern that backtracks forever and amounts beyond measure are refused in time', async () => {
  const schema = {
    type: 'object',
    properties: { spec: { type: 'object', properties: { text: { type: 'string', pattern: '^(a+)+$' } } } },
  }
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'bombs.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'bombs', singular: 'bomb', kind: 'Bomb', listKind: 'BombList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  }
  expect((await send('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', JSON.stringify(definition))).status).toBe(201)
  const bombs = '/apis/example.com/v1/namespaces/default/bombs'
  await expect.poll(async () => (await send('GET', bombs)).status).toBe(200)
  const bomb = { apiVersion: 'example.com/v1', kind: 'Bomb', metadata: { name: 'tick' }, spec: { text: `${'a'.repeat(60)}!` } }
  expectStatus(await send('POST', bombs, JSON.stringify(bomb)), 422, 'Invalid')
  const containers = [{ name: 'a', image: 'nginx', resources: { requests: { cpu: '1e999999999', memory: '1e-999999999' } } }]
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'vast' }, spec: { containers } }
  expect((await send('POST', '/api/v1/namespaces/default/pods?dryRun=All', JSON.stringify(pod))).status).toBeLessThan(500)
})

test('ten thousand objects are listed, whole and in pages', async () => {
  await cluster.request({
    method: 'POST',
    path: '/api/v1/namespaces',
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'many' } },
  })
  const path = '/api/v1/namespaces/many/configmaps'
  for (let index = 0; index < 10_000; index += 500) {
    const made = Array.from({ length: 500 }, (_, offset) => {
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `c${index + offset}` }, data: { a: 'b' } }
      return cluster.request({ method: 'POST', path, body })
    })
    await Promise.all(made)
  }
  // A controller adds one of its own to each namespace.
  await expect.poll(async () => (await send('GET', `${path}/kube-root-ca.crt`)).status, { timeout: 20_000 }).toBe(200)
  const all = JSON.parse((await send('GET', path)).text) as { items: unknown[] }
  expect(all.items).toHaveLength(10_001)
  const page = JSON.parse((await send('GET', `${path}?limit=500`)).text) as { items: unknown[]; metadata: { remainingItemCount: number } }
  expect(page.items).toHaveLength(500)
  expect(page.metadata.remainingItemCount).toBe(all.items.length - 500)
})

test('three hundred watches hear of a change, and a shell that never rests holds up nobody', async () => {
  const containers = [{ name: 'busy', image: 'busybox:1.36', command: ['sh', '-c', 'while true; do :; done'] }]
  await send(
    'POST',
    '/api/v1/namespaces/default/pods',
    JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'busy' }, spec: { containers } }),
  )
  const ready = async () => {
    const { text } = await send('GET', '/api/v1/namespaces/default/pods/busy')
    return (JSON.parse(text) as { status: { phase: string } }).status.phase
  }
  await expect.poll(ready, { timeout: 20_000 }).toBe('Running')
  const ended = new AbortController()
  let heard = 0
  const selector = { group: '', version: 'v1', resource: 'configmaps', namespace: 'default', name: 'news' }
  const watches = Array.from({ length: 300 }, () => cluster.watch(selector, () => heard++, ended.signal))
  await send('POST', configMaps, JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'news' } }))
  await expect.poll(() => heard, { timeout: 20_000 }).toBe(300)
  ended.abort()
  await Promise.all(watches)
  expect((await send('DELETE', '/api/v1/namespaces/default/pods/busy?gracePeriodSeconds=0')).status).toBe(200)
})

/** Nine levels of ten references each to the level before. */
function aliases(): string {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const item = level === 0 ? '"lol"' : `*l${level - 1}`
    return `l${level}: &l${level} [${Array(10).fill(item).join(',')}]`
  })
  return ['apiVersion: v1', 'kind: ConfigMap', ...levels].join('\n')
}
