import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { resources } from '../machinery/object.ts'
import { quietCluster } from '../oracle/quiet-cluster.ts'
import { Server } from '../oracle/server.ts'
import type { Pod } from '../schema/types/core.v1.ts'

/** Answers as a real 1.34 API server was seen to give them. */
const maps = '/api/v1/namespaces/default/configmaps'
const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests'

async function withMaps(count: number) {
  const quiet = await quietCluster()
  for (let i = 0; i < count; i++) {
    await quiet.server.send('POST', maps, { metadata: { name: `m${i}`, labels: { odd: String(i % 2) } } })
  }
  return quiet
}

test('a full page of what is selected goes on as long as anything is left to look at', async () => {
  await using quiet = await withMaps(5)
  const page = (query: string) => quiet.server.send('GET', `${maps}?${query}`) as Promise<{ body: { metadata: Record<string, unknown> } }>
  const first = (await page('limit=2&labelSelector=odd%3D1')).body
  expect(first.metadata).toEqual({ resourceVersion: expect.any(String), continue: expect.any(String) })
  const { body } = await page(`limit=2&labelSelector=odd%3D1&continue=${first.metadata['continue']}`)
  expect(body).toMatchObject({ items: [], metadata: { resourceVersion: first.metadata['resourceVersion'] } })
  expect((await page('limit=3&labelSelector=odd%3D0')).body.metadata).toEqual({ resourceVersion: expect.any(String) })
})

test('a watch without initial events and without a version begins now', async () => {
  await using cluster = await Cluster.open({ nodes: 0, only: 'api' })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  using server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
  await server.send('POST', maps, { metadata: { name: 'before' } })
  const query = 'watch=true&timeoutSeconds=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan'
  expect((await server.fetch(`${maps}?${query}`)).body.toString()).toBe('')
})

test('what was decided of a certificate request is not taken back', async () => {
  await using quiet = await quietCluster()
  const pem = '-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n'
  const spec = { signerName: 'example.com/mine', usages: ['client auth'], request: Buffer.from(pem).toString('base64') }
  await quiet.server.send('POST', requests, { metadata: { name: 'one' }, spec })
  const set = async (place: string, ...types: string[]) => {
    const conditions = types.map((type) => ({ type, status: 'True', reason: 'Test' }))
    const patch = { status: { conditions } }
    const { status, body } = await quiet.server.send('PATCH', `${requests}/one/${place}`, patch, 'application/merge-patch+json')
    return status === 200 ? 200 : (body as { message: string }).message.replace(/^.* is invalid: /, '')
  }
  expect(await set('status', 'Approved')).toBe('status.conditions: Forbidden: updates may not add a condition of type "Approved"')
  expect(await set('approval', 'Approved')).toBe(200)
  expect(await set('approval', 'Denied')).toBe('status.conditions: Forbidden: updates may not remove a condition of type "Approved"')
  expect(await set('approval', 'Approved', 'Denied')).toBe(
    'status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
  )
})

test('a review of rules says nothing of what was asked, impersonation without a user is refused in plain words', async () => {
  await using quiet = await quietCluster()
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace: 'default' } }
  const { body } = await quiet.server.send('POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', review)
  expect(body).toMatchObject({ metadata: {}, spec: {}, status: { incomplete: false } })
  expect((body as { spec: object }).spec).toEqual({})
  const answer = await quiet.server.send('GET', maps, undefined, undefined, { 'impersonate-group': 'x' })
  expect(answer).toEqual({
    status: 500,
    body: `Internal Server Error: "${maps}": requested [{Group  x    }] without impersonating a user\n`,
  })
  expect((await quiet.server.send('GET', '/openid/v1/jwks')).status).toBe(406)
})

test("a write to a pod's status changes nothing else", async () => {
  await using cluster = await Cluster.open({ nodes: 0, only: 'api' })
  const { client, cache } = cluster.context
  const inDefault = { namespace: 'default', name: 'a' }
  await client.create(resources.serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { ...inDefault, name: 'default' } })
  const limits = { cpu: '1' }
  const spec = { containers: [{ name: 'main', image: 'nginx', resources: { limits } }] }
  const { spec: made } = await client.create<Pod>(resources.pods, { apiVersion: 'v1', kind: 'Pod', metadata: inDefault, spec })
  const statuses = [{ podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] }, { conditions: [] }]
  for (const status of statuses) {
    await client.patch(resources.pods, 'a', { status }, 'merge', { namespace: 'default', subresource: 'status' })
    await client.patch(resources.pods, 'a', { spec: { nodeName: 'b' }, status }, 'merge', { namespace: 'default', subresource: 'status' })
  }
  const pod = cache.get<Pod>(resources.pods, 'a', 'default')
  expect(pod?.spec).toEqual(made)
  expect(pod?.status).toMatchObject({ phase: 'Pending', podIP: '10.0.0.1' })
  const typo = client.patch(resources.pods, 'a', { spec: { containers: 'main' } }, 'merge', { namespace: 'default', subresource: 'status' })
  await expect(typo).rejects.toMatchObject({ code: 422 })
})
