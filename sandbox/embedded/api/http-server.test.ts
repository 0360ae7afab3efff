import { request } from 'node:https'
import { afterEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { Cluster } from '../cluster.ts'
import { auditEvents } from './audit.ts'
import type { ClusterLimits } from './limits.ts'

const clusters: Cluster[] = []
afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster[Symbol.asyncDispose]()
})

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: { message?: string; reason?: string } & Record<string, unknown>
}

/** A cluster that is asked over TLS, by its administrator or somebody else. */
async function start(limits: Partial<ClusterLimits> = {}) {
  const cluster = await Cluster.open({ nodes: 1, clock: { rate: 0 }, limits })
  clusters.push(cluster)
  const { port } = (await cluster.listen({ host: '127.0.0.1', port: 0 })) as { port: number }
  const asUser = (user?: { username: string; groups: string[] }) => {
    const config = parse(cluster.kubeconfig({ server: '', ...(user ? { user } : {}) })) as { users: { user: Record<string, string> }[] }
    const pem = (name: string) => Buffer.from(config.users[0]?.user[name] ?? '', 'base64')
    const credentials = { cert: pem('client-certificate-data'), key: pem('client-key-data') }
    return (method: string, path: string, body?: unknown) =>
      new Promise<Answer>((resolve, reject) => {
        const headers = { 'content-type': 'application/json', 'user-agent': 'test/1' }
        const outgoing = request(
          { port, host: '127.0.0.1', method, path, headers, rejectUnauthorized: false, ...credentials },
          (incoming) => {
            const chunks: Buffer[] = []
            incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
            incoming.on('end', () => {
              resolve({
                status: incoming.statusCode ?? 0,
                headers: incoming.headers,
                body: JSON.parse(Buffer.concat(chunks).toString()) as Answer['body'],
              })
            })
          },
        )
        outgoing.on('error', reject)
        outgoing.end(body === undefined ? undefined : JSON.stringify(body))
      })
  }
  return { cluster, asUser }
}

const configMaps = '/api/v1/namespaces/default/configmaps'

it('notes who changed what and who was refused, and that lies in the snapshot too', async () => {
  const { cluster, asUser } = await start()
  await asUser()('POST', configMaps, { metadata: { name: 'noted' } })
  await asUser()('GET', `${configMaps}/noted`)
  await asUser({ username: 'jane', groups: [] })('GET', '/api/v1/nodes')
  const events = cluster.auditEvents()
  expect(events).toMatchObject([
    {
      level: 'Metadata',
      verb: 'create',
      user: { username: 'kubernetes-admin' },
      userAgent: 'test/1',
      objectRef: { resource: 'configmaps', namespace: 'default', name: 'noted', apiVersion: 'v1' },
      responseStatus: { code: 201 },
    },
    { verb: 'list', user: { username: 'jane' }, responseStatus: { code: 403, reason: 'Forbidden' } },
  ])
  expect(auditEvents(cluster.snapshot().runtime as Record<string, unknown>)).toEqual(events)
})

it('names the flow schema and the priority level of a request', async () => {
  const { cluster, asUser } = await start()
  const uidOf = async (kind: string, name: string) => {
    const { body } = await cluster.request({ method: 'GET', path: `/apis/flowcontrol.apiserver.k8s.io/v1/${kind}/${name}` })
    return (body as { metadata: { uid: string } }).metadata.uid
  }
  const headersOf = async (schema: string, level: string) => ({
    'x-kubernetes-pf-flowschema-uid': await uidOf('flowschemas', schema),
    'x-kubernetes-pf-prioritylevel-uid': await uidOf('prioritylevelconfigurations', level),
  })
  expect((await asUser({ username: 'jane', groups: ['system:masters'] })('GET', configMaps)).headers).toMatchObject(
    await headersOf('exempt', 'exempt'),
  )
  expect((await asUser({ username: 'jane', groups: [] })('GET', configMaps)).headers).toMatchObject(
    await headersOf('global-default', 'global-default'),
  )
})

describe('a cluster that is full', () => {
  it('takes no more objects, but lets go of some', async () => {
    const { cluster, asUser } = await start({ objects: 400 })
    const ask = asUser()
    const create = (name: string) => ask('POST', configMaps, { metadata: { name } })
    const filled = async (name: string) =>
      (await cluster.request({ method: 'POST', path: configMaps, body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } } }))
        .status !== 201
    let count = 0
    while (!(await filled(`many-${count}`))) count++
    const refused = await create('too-many')
    expect(refused).toMatchObject({ status: 403, body: { reason: 'Forbidden' } })
    expect(refused.body.message).toMatch(/^configmaps "too-many" is forbidden: the cluster is full: it holds 400 objects, and at most 400/)
    // more than one: the cluster's own controllers wait for room as well
    for (let one = 0; one < 50; one++) expect((await ask('DELETE', `${configMaps}/many-${one}`)).status).toBe(200)
    expect((await create('one-more')).status).toBe(201)
    expect(cluster.auditEvents().length).toBeGreaterThan(0)
  })

  it('lets nothing grow beyond its bytes, but shrink', async () => {
    const { asUser } = await start({ bytes: 2 ** 20 })
    const ask = asUser()
    const data = (size: number) => ({ metadata: { name: 'big' }, data: { text: 'x'.repeat(size) } })
    expect((await ask('POST', configMaps, data(500_000))).status).toBe(201)
    const refused = await ask('PUT', `${configMaps}/big`, data(1_000_000))
    expect(refused).toMatchObject({ status: 403 })
    expect(refused.body.message).toContain('and at most 1 MiB are allowed')
    expect((await ask('PUT', `${configMaps}/big`, data(10))).status).toBe(200)
  })

  it('opens no more watches', async () => {
    const { asUser } = await start({ watches: 0 })
    const answer = await asUser()('GET', `${configMaps}?watch=true`)
    expect(answer).toMatchObject({ status: 429, body: { reason: 'TooManyRequests' }, headers: { 'retry-after': '1' } })
  })
})
