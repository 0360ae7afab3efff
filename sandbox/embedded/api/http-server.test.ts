import { once } from 'node:events'
import { request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { ClusterClock } from '../clock.ts'
import { Cluster } from '../cluster.ts'
import { fairShare } from '../machinery/fair-share.ts'
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
  const connect = async () => {
    const connection = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(connection, 'secureConnect')
    return connection
  }
  return { cluster, asUser, connect }
}

const configMaps = '/api/v1/namespaces/default/configmaps'

it('calls a manager of fields that gives no name after its program', async () => {
  const { asUser } = await start()
  const metadataOf = (answer: Answer) => answer.body['metadata'] as { managedFields: { manager: string }[] }
  const unnamed = await asUser()('POST', configMaps, { metadata: { name: 'unnamed' }, data: { a: 'b' } })
  expect(metadataOf(unnamed).managedFields).toMatchObject([{ manager: 'test' }])
  const named = await asUser()('POST', `${configMaps}?fieldManager=helm`, { metadata: { name: 'named' }, data: { a: 'b' } })
  expect(metadataOf(named).managedFields).toMatchObject([{ manager: 'helm' }])
})

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

it('tells of thousands of errors, each of them, and notes the beginning', async () => {
  const { cluster, asUser } = await start()
  const keys = Array.from({ length: 4_000 }, (_, index) => `key-${index}/"é`)
  const data = Object.fromEntries(keys.map((key) => [key, '']))
  for (const path of [configMaps, `${configMaps}?pretty=true`]) {
    const { status, body } = await asUser()('POST', path, { metadata: { name: 'wrong' }, data })
    const { message = '', details } = body as { message?: string; details?: { causes: { field: string; message: string }[] } }
    expect(status).toBe(422)
    expect(Object.keys(body)).toEqual(['kind', 'apiVersion', 'metadata', 'status', 'message', 'reason', 'details', 'code'])
    expect(details?.causes.map(({ field }) => field).sort()).toEqual(keys.map((key) => `data[${key}]`).sort())
    const lines = details?.causes.map((cause) => `${cause.field}: ${cause.message}`) ?? []
    expect(message).toBe(`ConfigMap "wrong" is invalid: [${lines.join(', ')}]`)
    const noted = cluster.auditEvents().at(-1)
    expect(noted?.annotations['audit.k8s.io/truncated']).toBe('true')
    expect(noted?.responseStatus.message).toBe(message.slice(0, 4_096))
  }
})

it('takes turns with what is large and comes from within, too', async () => {
  const { cluster } = await start()
  using turn = vi.spyOn(ClusterClock.prototype, 'turn')
  const turnsFor = async (count: number) => {
    const before = turn.mock.calls.length
    const data = Object.fromEntries(Array.from({ length: count }, (_, index) => [`key-${index}`, 'some value']))
    const { status } = await cluster.request({ method: 'POST', path: configMaps, body: { metadata: { name: `m${count}` }, data } })
    expect(status).toBe(201)
    return turn.mock.calls.length - before
  }
  expect(await turnsFor(5_000)).toBeGreaterThan((await turnsFor(5)) + 5)
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

it.each([
  ['GET / HTTP/1.1\r\nhost: it\r\n\r\n', 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'],
  ['OPTIONS * HTTP/1.1\r\n\r\n', 'HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n'],
  ['DELETE / HTTP/1.1\r\n\r\n', ''],
  ['SSH-2.0-client\r\n', ''],
])('answers a client that speaks no TLS but %j with %j and ends', async (said, answer) => {
  const { cluster } = await start()
  const { port } = (await cluster.listen({ host: '127.0.0.1', port: 0 })) as { port: number }
  const connection = connectPlain({ port, host: '127.0.0.1' })
  connection.write(said.slice(0, 3))
  await once(connection, 'connect')
  connection.write(said.slice(3))
  expect(Buffer.concat(await connection.toArray()).toString()).toBe(answer)
})

it('takes a large request of a client that has a large answer before this process knows that it is written', async () => {
  // as it is in a process with much to do: requests wait for their turn, and clients are faster
  const share = { turn: () => new Promise<void>((resolve) => void setImmediate(resolve)), [Symbol.dispose]: () => {} }
  vi.spyOn(fairShare, 'join').mockReturnValueOnce(share)
  const busy = setInterval(() => {
    const until = performance.now() + 15
    while (performance.now() < until);
  }, 1)
  const { cluster } = await start()
  const { port } = (await cluster.listen({ host: '127.0.0.1', port: 0 })) as { port: number }
  const object = (name: string, size: number) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { text: 'x'.repeat(size) },
  })
  await cluster.request({ method: 'POST', path: configMaps, body: object('large', 900_000) })
  const { users } = parse(cluster.kubeconfig({ server: '' })) as { users: { user: Record<string, string> }[] }
  const workerData = { port, configMaps, user: users[0]?.user, body: JSON.stringify(object('another', 300_000)), rounds: 40 }
  const client = new Worker(busyClient, { eval: true, workerData })
  try {
    const [seen] = (await once(client, 'message')) as [number[]]
    expect(seen).toEqual(Array.from({ length: 40 }, () => [200, 201]).flat())
  } finally {
    clearInterval(busy)
    await client.terminate()
  }
})

it('keeps no room for what somebody was to send who has gone while waiting', async () => {
  const gates: (() => void)[] = []
  let held = false
  const turn = () => (held ? new Promise<void>((resolve) => void gates.push(resolve)) : Promise.resolve())
  vi.spyOn(fairShare, 'join').mockReturnValueOnce({ turn, [Symbol.dispose]: () => {} })
  const { asUser, connect } = await start({ transit: 3 * 2 ** 20 })
  const connection = await connect()
  held = true
  connection.write(`POST ${configMaps} HTTP/1.1\r\nhost: it\r\ncontent-type: application/json\r\ncontent-length: 3000000\r\n\r\n`)
  await vi.waitUntil(() => gates.length > 0, 30_000)
  connection.destroy()
  await once(connection, 'close')
  // its end must have come to the server before its turn does
  await new Promise((resolve) => setTimeout(resolve, 100))
  held = false
  for (const go of gates) go()
  const body = { metadata: { name: 'next' }, data: { text: 'x'.repeat(500_000) } }
  expect((await asUser()('POST', configMaps, body)).status).toBe(201)
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

/** On one connection, from a thread of its own: gets a large object and sends another at once, again and again. */
const busyClient = `
const { Agent, request } = require('node:https')
const { parentPort, workerData } = require('node:worker_threads')
const { port, configMaps, user, body, rounds } = workerData
const pem = (name) => Buffer.from(user[name], 'base64')
const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false, cert: pem('client-certificate-data'), key: pem('client-key-data') })
const ask = (method, path, body) =>
  new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...(body ? { 'content-length': Buffer.byteLength(body) } : {}) }
    const outgoing = request({ agent, port, host: '127.0.0.1', method, path, headers }, (incoming) => {
      incoming.resume()
      incoming.on('end', () => resolve(incoming.statusCode))
      incoming.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
const all = async () => {
  const seen = []
  for (let round = 0; round < rounds; round++) {
    try {
      seen.push(await ask('GET', configMaps + '/large'), await ask('POST', configMaps + '?dryRun=All', body))
    } catch (error) {
      seen.push(error.message)
    }
  }
  parentPort.postMessage(seen)
}
all()
`
