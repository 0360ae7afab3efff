import { afterEach, expect, it } from 'vitest'
import { ClusterIdentity } from '../auth/certificates.ts'
import { memoryRecords } from '../auth/records.fixture.ts'
import { Cluster } from '../cluster.ts'
import type { APIService } from '../schema/types/apiregistration.v1.ts'

const clusters: Cluster[] = []
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster[Symbol.asyncDispose]()
})

/** A cluster whose wardle.example.com is served by a pod behind the Service `sample-api`. */
async function start() {
  const cluster = await Cluster.open({ nodes: 1, clock: { rate: 0 } })
  clusters.push(cluster)
  // The default ServiceAccount is made by then.
  await cluster.clock.advance(1000)
  const identity = new ClusterIdentity(memoryRecords(), cluster.clock)
  const { certificate, key } = identity.server()
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const ask = async (method: 'GET' | 'POST', path: string, body?: unknown) =>
    (await cluster.request({ method, path, body: body as never })) as { status: number; body: never }
  const core = '/api/v1/namespaces/default'
  await ask('POST', `${core}/secrets`, { metadata: { name: 'keys' }, data: { 'tls.crt': base64(certificate), 'tls.key': base64(key) } })
  const container = {
    name: 'server',
    image: 'registry.k8s.io/e2e-test-images/sample-apiserver:1.29.2',
    args: ['--tls-cert-file=/keys/tls.crt', '--tls-private-key-file=/keys/tls.key', '--secure-port=6443'],
    volumeMounts: [{ name: 'keys', mountPath: '/keys' }],
    readinessProbe: { httpGet: { scheme: 'HTTPS', port: 6443, path: '/readyz' }, periodSeconds: 1 },
  }
  const register = () =>
    ask('POST', '/apis/apiregistration.k8s.io/v1/apiservices', {
      metadata: { name: 'v1alpha1.wardle.example.com' },
      spec: {
        group: 'wardle.example.com',
        version: 'v1alpha1',
        service: { namespace: 'default', name: 'sample' },
        insecureSkipTLSVerify: true,
        groupPriorityMinimum: 2000,
        versionPriority: 200,
      },
    })
  const deploy = async () => {
    await ask('POST', `${core}/services`, {
      metadata: { name: 'sample' },
      spec: { selector: { app: 'sample' }, ports: [{ port: 443, targetPort: 6443 }] },
    })
    const volumes = [{ name: 'keys', secret: { secretName: 'keys' } }]
    await ask('POST', `${core}/pods`, {
      metadata: { name: 'sample', labels: { app: 'sample' } },
      spec: { containers: [container], volumes },
    })
    await cluster.clock.advance(60_000)
  }
  const available = async () => {
    const { body } = await ask('GET', '/apis/apiregistration.k8s.io/v1/apiservices/v1alpha1.wardle.example.com')
    return (body as APIService).status?.conditions?.[0]
  }
  return { cluster, ask, register, deploy, available }
}

it('an API service without a Service is unavailable, says why, and answers 503', async () => {
  const { cluster, ask, register, available } = await start()
  await register()
  await cluster.clock.advance(1000)
  expect(await available()).toMatchObject({
    status: 'False',
    reason: 'ServiceNotFound',
    message: 'service/sample in "default" is not present',
  })
  expect(await ask('GET', '/apis/wardle.example.com/v1alpha1/namespaces/default/flunders')).toMatchObject({ status: 503 })
})

it('a server in a pod answers for its group, and discovery tells of it', async () => {
  const { cluster, ask, register, deploy, available } = await start()
  await register()
  await deploy()
  await cluster.clock.advance(31_000)
  expect(await available()).toMatchObject({ status: 'True', message: 'all checks passed' })
  const flunders = '/apis/wardle.example.com/v1alpha1/namespaces/default/flunders'
  const flunder = { apiVersion: 'wardle.example.com/v1alpha1', kind: 'Flunder', metadata: { name: 'one' }, spec: { reference: 'two' } }
  expect(await ask('POST', flunders, flunder)).toMatchObject({ status: 201, body: { spec: { reference: 'two' } } })
  expect(await ask('GET', flunders)).toMatchObject({ status: 200, body: { kind: 'FlunderList', items: [{ metadata: { name: 'one' } }] } })
  const groups = (await ask('GET', '/apis')).body as { groups: { name: string }[] }
  expect(groups.groups.map(({ name }) => name)).toContain('wardle.example.com')
  const openApi = (await ask('GET', '/openapi/v3')).body as { paths: object }
  expect(Object.keys(openApi.paths)).toContain('apis/wardle.example.com/v1alpha1')
  const { paths, definitions } = (await ask('GET', '/openapi/v2')).body as Record<'paths' | 'definitions', Record<string, unknown>>
  expect(paths).toHaveProperty(['/apis/wardle.example.com/v1alpha1/namespaces/{namespace}/flunders'])
  expect(definitions).toHaveProperty(['com.example.wardle.v1alpha1.Flunder', 'properties', 'spec'])
  expect(Object.keys(definitions).filter((name) => name.includes('_v2'))).toEqual([])
})
