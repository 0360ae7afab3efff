import { Agent, request } from 'node:https'
import { connect, type TLSSocket } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { ClusterLimits } from './api/limits.ts'
import { Cluster } from './cluster.ts'

/** Clusters share a process: what one of them does must not be another's trouble. */
const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

async function start(limits: Partial<ClusterLimits> = {}) {
  const faults: string[] = []
  const cluster = await Cluster.open({ nodes: 1, limits, report: (where, error) => faults.push(`${where}: ${error}`) })
  const { port } = (await cluster.listen({ host: '127.0.0.1', port: 0 })) as { port: number }
  const config = parse(cluster.kubeconfig({ server: '' })) as { users: { user: Record<string, string> }[] }
  const pem = (name: string) => Buffer.from(config.users[0]?.user[name] ?? '', 'base64')
  const tls = { port, host: '127.0.0.1', rejectUnauthorized: false, cert: pem('client-certificate-data'), key: pem('client-key-data') }
  const agent = new Agent({ keepAlive: true, ...tls })
  opened.push(cluster, { [Symbol.asyncDispose]: async () => agent.destroy() })
  const send = (method: string, path: string, body?: unknown, type = 'application/json') =>
    new Promise<Answer>((resolve, reject) => {
      const outgoing = request({ agent, ...tls, method, path, headers: { 'content-type': type } }, (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: Buffer.concat(chunks).toString() }),
        )
      })
      outgoing.on('error', reject)
      outgoing.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body))
    })
  /** A connection that says this much and reads nothing. */
  const mute = (text: string) =>
    new Promise<TLSSocket>((resolve, reject) => {
      const socket = connect(tls, () => {
        socket.pause()
        socket.write(text, () => resolve(socket))
      })
      socket.on('error', reject)
      opened.push({ [Symbol.asyncDispose]: async () => void socket.destroy() })
    })
  return { cluster, faults, send, mute }
}

const configMaps = '/api/v1/namespaces/default/configmaps'
const named = (name: string, size = 1) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { text: 'x'.repeat(size) } })

test('a flood of objects, watchers that do not read or vanish, huge and malformed bodies leave a neighbour correct', async () => {
  const noisy = await start()
  const quiet = await start()
  const end = new AbortController()
  let made = 0
  const flood = async (worker: number) => {
    while (!end.signal.aborted) {
      const name = `noise-${worker}-${made++}`
      expect((await noisy.send('POST', configMaps, named(name, made % 10 === 0 ? 200_000 : 100))).status).toBe(201)
      expect((await noisy.send('POST', configMaps, '{"apiVersion":')).status).toBe(400)
      expect(
        (await noisy.send('POST', configMaps, `{"metadata":{"name":"deep"},"data":${'['.repeat(2_000)}${']'.repeat(2_000)}}`)).status,
      ).toBe(400)
    }
  }
  const watch = `GET ${configMaps}?watch=true HTTP/1.1\r\nhost: x\r\n\r\n`
  for (let index = 0; index < 20; index++) await noisy.mute(watch)
  const vanishing = async () => {
    while (!end.signal.aborted) (await noisy.mute(watch)).destroy()
  }
  const noise = [...Array.from({ length: 12 }, (_, worker) => flood(worker)), vanishing()]
  try {
    for (let round = 0; round < 40; round++) {
      const name = `calm-${round}`
      expect((await quiet.send('POST', configMaps, named(name))).status).toBe(201)
      const read = await quiet.send('GET', `${configMaps}/${name}`)
      expect(JSON.parse(read.text)).toMatchObject({ metadata: { name }, data: { text: 'x' } })
    }
    const listed = JSON.parse((await quiet.send('GET', `${configMaps}?labelSelector=!none`)).text) as {
      items: { metadata: { name: string } }[]
    }
    expect(listed.items.filter(({ metadata }) => metadata.name.startsWith('calm-'))).toHaveLength(40)
  } finally {
    end.abort()
    await Promise.all(noise)
  }
  expect(made).toBeGreaterThan(40)
  expect([...noisy.faults, ...quiet.faults]).toEqual([])
})

test('a neighbour is answered while a pile of lists is still being worked off', async () => {
  const noisy = await start()
  const quiet = await start()
  for (let index = 0; index < 20; index++) await noisy.send('POST', configMaps, named(`large-${index}`, 25_000))
  await quiet.send('POST', configMaps, named('calm'))
  const order: string[] = []
  const pile = () => Array.from({ length: 100 }, () => noisy.send('GET', configMaps).then(() => order.push('noisy')))
  // the connections are made, what follows is the work alone
  await Promise.all(pile())
  order.length = 0
  const working = pile()
  for (let round = 0; round < 5; round++) {
    expect((await quiet.send('GET', `${configMaps}/calm`)).status).toBe(200)
    order.push('quiet')
  }
  await Promise.all(working)
  expect(order.lastIndexOf('quiet')).toBeLessThan(60)
})

test('a cluster where too many requests wait refuses more in the words of the API server', async () => {
  const { send } = await start({ requests: 0 })
  expect(await send('GET', '/api/v1/namespaces')).toMatchObject({
    status: 429,
    headers: { 'retry-after': '1', 'content-type': 'text/plain; charset=utf-8' },
    text: 'Too many requests, please try again later.\n',
  })
})

test('bodies that are announced and do not come take up room until they are given up', async () => {
  const { send, mute } = await start({ transit: 10_000 })
  const head = `POST ${configMaps} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9990\r\n\r\n`
  let tried = 0
  const create = () => send('POST', configMaps, named(`waits-${tried++}`, 100))
  const stalled = await mute(head)
  await expect.poll(async () => (await create()).status).toBe(429)
  const refused = await create()
  expect(JSON.parse(refused.text)).toMatchObject({ kind: 'Status', reason: 'TooManyRequests', code: 429 })
  expect(refused.headers['retry-after']).toBe('1')
  stalled.destroy()
  await expect.poll(async () => (await create()).status).toBe(201)
})

test('one large object written in a loop does not keep all that it was', async () => {
  const { cluster, send } = await start()
  await send('POST', configMaps, named('large'))
  const first = Number(cluster.snapshot().resourceVersion)
  for (let round = 0; round < 60; round++) {
    const body = { data: { text: `${round}`.padEnd(900_000, 'x') } }
    expect((await send('PATCH', `${configMaps}/large`, body, 'application/merge-patch+json')).status).toBe(200)
  }
  const late = JSON.parse((await send('GET', `${configMaps}?watch=true&resourceVersion=${first}&timeoutSeconds=1`)).text) as unknown
  expect(late).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
})
