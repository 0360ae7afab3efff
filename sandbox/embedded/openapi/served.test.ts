import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { Server } from '../oracle/server.ts'

const path = '/openapi/v2'
const protobuf = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'

test('the old document comes as JSON or protobuf, and in no other form', async () => {
  await using cluster = await Cluster.open({ nodes: 0 })
  const address = await cluster.listen({ host: '127.0.0.1', port: 0 })
  using server = new Server(cluster.kubeconfig({ server: `https://127.0.0.1:${'port' in address ? address.port : 0}` }))
  const ask = (accept: string, more = {}) => server.send('GET', path, undefined, undefined, { accept, ...more })
  expect((await ask('application/json')).body).toMatchObject({ swagger: '2.0', info: { title: 'Kubernetes', version: '1.34' } })
  expect((await ask(`${protobuf},application/json`)).status).toBe(200)
  expect(await ask('text/html')).toEqual({ status: 406, body: '' })
  expect((await ask('application/yaml')).status).toBe(406)
}, 60_000)
