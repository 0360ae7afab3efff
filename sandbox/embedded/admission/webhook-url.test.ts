import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ClusterIdentity } from '../auth/certificates.ts'
import { memoryRecords } from '../auth/records.fixture.ts'
import { ClusterClock } from '../clock.ts'
import { Cluster } from '../cluster.ts'
import { Server } from '../oracle/server.ts'
import type { WebhookReach } from './webhook-connector.ts'

const configurations = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'
const configMaps = '/api/v1/namespaces/default/configmaps'
let parts: AsyncDisposableStack
let port: number
let ca: string
let asked: { url: string | undefined; host: string | undefined }[]

beforeEach(async () => {
  parts = new AsyncDisposableStack()
  asked = []
  const clock = parts.use(new ClusterClock())
  const identity = new ClusterIdentity(memoryRecords(), clock)
  const { certificate, key } = identity.server()
  ca = Buffer.from(identity.caCertificate).toString('base64')
  const server = createServer({ cert: certificate, key }, (request, answer) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      asked.push({ url: request.url, host: request.headers.host })
      const { request: review } = JSON.parse(Buffer.concat(chunks).toString()) as { request: { uid: string; name: string } }
      const response = { uid: review.uid, allowed: review.name !== 'bad', status: { message: 'not this one' }, warnings: ['looked at'] }
      answer.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response }))
    })
  })
  parts.defer(() => {
    server.close()
    server.closeAllConnections()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})

afterEach(async () => await parts.disposeAsync())

async function clusterWith(reach: WebhookReach | undefined, url: string, more: object = {}): Promise<Server> {
  const cluster = parts.use(await Cluster.open({ nodes: 0, ...(reach ? { webhooks: reach } : {}) }))
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  const server = parts.use(new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` })))
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }]
  const clientConfig = { url, caBundle: ca, ...more }
  const webhook = { name: 'hook.example.com', clientConfig, rules, sideEffects: 'None', admissionReviewVersions: ['v1'] }
  const metadata = { name: 'hook' }
  const body = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingWebhookConfiguration', metadata, webhooks: [webhook] }
  expect((await server.send('POST', configurations, body)).status).toBe(201)
  return server
}

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })
const failed = 'Internal error occurred: failed calling webhook "hook.example.com": failed to call webhook: '

test('a webhook that runs on this machine is asked by its url', async () => {
  const server = await clusterWith('machine', `https://127.0.0.1:${port}/admit/`)
  expect((await server.send('POST', configMaps, configMap('good'))).status).toBe(201)
  const refused = await server.send('POST', configMaps, configMap('bad'))
  expect(refused.body).toMatchObject({ message: 'admission webhook "hook.example.com" denied the request: not this one' })
  expect(asked[0]).toEqual({ url: '/admit?timeout=10s', host: `127.0.0.1:${port}` })
}, 60_000)

test.each([
  [
    'whose certificate nobody vouches for',
    () => `https://127.0.0.1:${port}/`,
    { caBundle: '' },
    'tls: failed to verify certificate: x509: certificate signed by unknown authority',
  ],
  ['that is not there', () => 'https://127.0.0.1:1/x', {}, 'dial tcp 127.0.0.1:1: connect: connection refused'],
])(
  'a webhook by url %s fails the request',
  async (_, url, more, why) => {
    const server = await clusterWith('machine', url(), more)
    const { body } = await server.send('POST', configMaps, configMap('good'))
    expect(body).toMatchObject({ message: `${failed}Post "${url()}?timeout=10s": ${why}` })
  },
  60_000,
)

test('a cluster that is not allowed out finds no server of this machine', async () => {
  const server = await clusterWith(undefined, `https://127.0.0.1:${port}/admit`)
  const { status, body } = await server.send('POST', configMaps, configMap('good'))
  expect(status).toBe(500)
  expect(body).toMatchObject({ message: expect.stringContaining(failed) as unknown })
  expect(asked).toEqual([])
}, 60_000)
