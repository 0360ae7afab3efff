import { createServer } from 'node:https'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { MemoryCache } from '../auth/cache.fixture.ts'
import { ClusterIdentity } from '../auth/certificates.ts'
import { Authorizer } from '../auth/rbac.ts'
import { memoryRecords } from '../auth/records.fixture.ts'
import { ClusterClock } from '../clock.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import { connectionPair } from '../network/connection.ts'
import { duplexOf } from '../network/http-bridge.ts'
import { type Network, NetworkError } from '../network/network.ts'
import { AdmissionChain, type AdmissionRequest } from './admission.ts'
import { Reinvocation } from './reinvocation.ts'
import { webhookConnector } from './webhook-connector.ts'
import { admissionWebhooks } from './webhooks.ts'

const configurations = (resource: string) => ({ group: 'admissionregistration.k8s.io', version: 'v1', resource })
let cache: MemoryCache
let clock: ClusterClock
let ca: string
/** What the webhook's server answers with, beside the uid. */
let response: Record<string, unknown>
let asked: { kind: string; request: { operation: string; object: KubeObject; userInfo: { username: string } } }[]
let network: Network

beforeEach(() => {
  cache = new MemoryCache()
  clock = new ClusterClock()
  asked = []
  response = { allowed: true }
  const identity = new ClusterIdentity(memoryRecords(), clock)
  const { certificate, key } = identity.server()
  ca = Buffer.from(identity.caCertificate).toString('base64')
  const server = createServer({ cert: certificate, key }, (request, answer) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const review = JSON.parse(Buffer.concat(chunks).toString()) as (typeof asked)[number] & { request: { uid: string } }
      asked.push(review)
      const body = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: review.request.uid, ...response } }
      answer.end(JSON.stringify(body))
    })
  })
  server.on('tlsClientError', () => {})
  const connect = async (ip: string, port: number) => {
    if (port !== 443) throw new NetworkError('ECONNREFUSED', 'refused')
    const [near, far] = connectionPair(clock, { ip: '172.18.0.2', port: 40_000 }, { ip, port })
    server.emit('connection', duplexOf(far))
    return near
  }
  network = { node: () => ({ connect }) } as unknown as Network
  const metadata = { name: 'kubernetes', namespace: 'default' }
  cache.put(resources.services, { apiVersion: 'v1', kind: 'Service', metadata, spec: { clusterIP: '10.96.0.9' } } as KubeObject)
  onTestFinished(() => clock[Symbol.dispose]())
})

/** Registers a webhook for new ConfigMaps; its server has the certificate of kubernetes.default.svc. */
function register(kind: 'mutating' | 'validating', more: object = {}, service: object = {}, caBundle: string | undefined = ca): void {
  const clientConfig = { service: { name: 'kubernetes', namespace: 'default', path: '/admit', ...service }, caBundle }
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }]
  const webhook = { name: 'hook.example.com', clientConfig, rules, sideEffects: 'None', admissionReviewVersions: ['v1'], ...more }
  const configuration = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'X', metadata: { name: kind }, webhooks: [webhook] }
  cache.put(configurations(`${kind}webhookconfigurations`), configuration as KubeObject)
}

async function create(): Promise<KubeObject> {
  const connector = webhookConnector({ cache, clock }, () => network, 'control-plane')
  const chain = new AdmissionChain(
    admissionWebhooks({ cache, random: () => 0.5, resources: { all: () => [] }, authorizer: new Authorizer(cache) }, connector),
  )
  const request: AdmissionRequest = {
    operation: 'CREATE',
    resource: resources.configMaps,
    kind: { group: '', version: 'v1', kind: 'ConfigMap' },
    subresource: '',
    namespace: 'default',
    name: 'settings',
    object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'default' } },
    oldObject: undefined,
    user: { username: 'jane', groups: [] },
    dryRun: false,
    options: {},
    warn: () => {},
    annotate: () => {},
    read: (value) => value,
    readAs: (_info, value) => value,
    reinvocation: new Reinvocation(),
  }
  await chain.admit('mutate', request)
  await chain.admit('validate', request)
  return request.object as KubeObject
}

test('a mutating webhook changes the object by its patch', async () => {
  register('mutating')
  const patch = Buffer.from('[{"op":"add","path":"/metadata/labels","value":{"by":"hook"}}]').toString('base64')
  response = { allowed: true, patchType: 'JSONPatch', patch }
  expect((await create()).metadata.labels).toEqual({ by: 'hook' })
  expect(asked).toMatchObject([{ kind: 'AdmissionReview', request: { operation: 'CREATE', userInfo: { username: 'jane' } } }])
})

test('a validating webhook refuses with its message', async () => {
  register('validating')
  response = { allowed: false, status: { message: 'not on a Friday' } }
  await expect(create()).rejects.toThrow('admission webhook "hook.example.com" denied the request: not on a Friday')
})

test.each([
  ['has no Service', { name: 'none' }, undefined, 'service "none" not found'],
  ['does not listen', { port: 444 }, undefined, 'dial tcp 10.96.0.9:444: connect: connection refused'],
  ['is not vouched for', {}, '', 'x509: certificate signed by unknown authority'],
])('a webhook that %s fails the request, unless its policy is to ignore that', async (_what, service, caBundle, why) => {
  register('validating', { failurePolicy: 'Fail' }, service, caBundle)
  await expect(create()).rejects.toThrow(
    /^Internal error occurred: failed calling webhook "hook.example.com": failed to call webhook: Post "https:/,
  )
  await expect(create()).rejects.toThrow(why)
  register('validating', { failurePolicy: 'Ignore' }, service, caBundle)
  expect((await create()).metadata.name).toBe('settings')
  expect(asked).toEqual([])
})

test('a webhook that does not answer in time is given up', async () => {
  network = { node: () => ({ connect: (_ip: string, _port: number, signal: AbortSignal) => aborted(signal) }) } as unknown as Network
  register('validating', { timeoutSeconds: 3 })
  clock.setRate(0)
  const refused = expect(create()).rejects.toThrow('?timeout=3s": context deadline exceeded')
  await clock.advance(3000)
  await refused
})

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
}
