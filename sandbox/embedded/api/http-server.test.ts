import { request } from 'node:https'
import { afterEach, expect, it } from 'vitest'
import { parse } from 'yaml'
import { Cluster } from '../cluster.ts'
import { auditEvents } from './audit.ts'

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
async function start() {
  const cluster = await Cluster.open({ nodes: 1, clock: { rate: 0 } })
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
