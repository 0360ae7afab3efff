import { afterAll, beforeAll, expect, test } from 'vitest'
import { Cluster } from '../../cluster.ts'
import { throughProxy } from './proxy-links.ts'

let cluster: Cluster
const base = '/api/v1/namespaces/default'

beforeAll(async () => {
  cluster = await Cluster.open({ nodes: 2, clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 } })
  await cluster.advance(2000)
  const image = 'registry.k8s.io/e2e-test-images/agnhost:2.56'
  const env = [
    { name: 'SERVE_PORT_80', value: '<a href="/page">x</a>' },
    { name: 'SERVE_TLS_PORT_443', value: 'by tls' },
  ]
  const containers = [{ name: 'web', image, args: ['porter'], env, ports: [{ name: 'dest', containerPort: 80 }] }]
  await create('pods', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', labels: { app: 'web' } }, spec: { containers } })
  const ports = [
    { name: 'plain', port: 8000, targetPort: 'dest' },
    { name: 'tls', port: 8443, targetPort: 443 },
  ]
  await create('services', { apiVersion: 'v1', kind: 'Service', metadata: { name: 'front' }, spec: { selector: { app: 'web' }, ports } })
  await cluster.advance(10_000)
})
afterAll(() => cluster[Symbol.asyncDispose]())

test('a pod is asked at its first port, at any other, and over TLS; links of its pages lead through the API server', async () => {
  expect(await get(`${base}/pods/web/proxy/`)).toEqual([200, `<a href="${base}/pods/web/proxy/page">x</a>`])
  expect(await get(`${base}/pods/web:80/proxy/`)).toEqual([200, `<a href="${base}/pods/web:80/proxy/page">x</a>`])
  expect(await get(`${base}/pods/https:web:443/proxy/any/path?q=1`)).toEqual([200, 'by tls'])
})

test('a service is asked by its port, by name or number', async () => {
  expect((await get(`${base}/services/front:plain/proxy/`))[1]).toContain('/services/front:plain/proxy/page')
  expect(await get(`${base}/services/https:front:8443/proxy/`)).toEqual([200, 'by tls'])
})

test('what cannot be reached is a 503 with the reason, an unknown port of a service too', async () => {
  const [status, body] = await get(`${base}/pods/web:81/proxy/`)
  expect([status, (body as { message: string }).message]).toEqual([
    503,
    expect.stringMatching(/^error trying to reach service: dial tcp 10\.244\.\d+\.\d+:81: connect: connection refused$/),
  ])
  expect((await get(`${base}/services/front:9/proxy/`))[1]).toMatchObject({ message: 'no service port 9 found for service "front"' })
  expect((await get(`${base}/services/front:none/proxy/`))[1]).toMatchObject({
    message: 'no endpoints available for service "front:none"',
  })
})

test('without a slash at the end the client is sent to where relative links work', async () => {
  expect((await get(`${base}/pods/web/proxy`))[0]).toBe(301)
})

test("a node's kubelet answers", async () => {
  const worker = '/api/v1/nodes/labernetes-worker/proxy'
  expect(await get(`${worker}/healthz`)).toEqual([200, 'ok'])
  expect(await get('/api/v1/nodes/labernetes-worker:10250/proxy/healthz')).toEqual([200, 'ok'])
  const pods = JSON.parse((await get(`${worker}/pods`))[1] as string) as { items: { metadata: { name: string } }[] }
  expect(pods.items.map(({ metadata }) => metadata.name)).toContain('web')
  const summary = JSON.parse((await get(`${worker}/stats/summary`))[1] as string)
  expect(summary).toMatchObject({ node: { nodeName: 'labernetes-worker', cpu: { usageNanoCores: expect.any(Number) } } })
  expect((await get(`${worker}/metrics/resource`))[1]).toMatch(
    /container_memory_working_set_bytes\{container="web",namespace="default",pod="web"\} \d+/,
  )
  expect((await get(`${worker}/configz`))[1]).toContain('"kind":"KubeletConfiguration"')
  expect((await get(`${worker}/nothing`))[0]).toBe(404)
})

test.each([
  ['/page', '/p/proxy/page'],
  ['page', 'page'],
  ['http://10.0.0.1:80/x?y#z', '/p/proxy/x?y#z'],
  ['https://elsewhere.example/x', 'https://elsewhere.example/x'],
  ['/p/proxy/x', '/p/proxy/x'],
  ['mailto:a@b.example', 'mailto:a@b.example'],
])('link %s becomes %s', (url, expected) => {
  expect(throughProxy(url, { prefix: '/p/proxy', target: '10.0.0.1:80', host: 'api:6443' })).toBe(expected)
})

async function get(path: string): Promise<[number, unknown]> {
  const { status, body } = await cluster.request({ method: 'GET', path })
  return [status, body]
}

async function create(resource: string, body: unknown): Promise<void> {
  expect((await cluster.request({ method: 'POST', path: `${base}/${resource}`, body })).status).toBe(201)
}
