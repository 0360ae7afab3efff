import { Server, ServerCredentials } from '@grpc/grpc-js'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { ClusterClock } from '../clock.ts'
import { connectionPair } from '../network/connection.ts'
import { GrpcServer } from '../network/grpc.ts'
import { duplexOf } from '../network/http-bridge.ts'
import { type Connection, NetworkError, type PodNetwork } from '../network/network.ts'
import type { Event } from '../schema/types/core.v1.ts'
import { grpcProbe } from './grpc-probe.ts'
import { nodeCluster } from './testing/node-cluster.ts'

const clock = new ClusterClock({ start: 0, rate: 0 })
afterAll(() => clock[Symbol.dispose]())

const agnhost = 'registry.k8s.io/e2e-test-images/agnhost:2.56'

test('a server is asked for the health of its service over HTTP/2, until it says that it does not serve', async () => {
  const { cluster, create, pod } = await nodeCluster(1)
  const args = ['grpc-health-checking', '--service=shop', '--delay-unhealthy-sec=20']
  const probe = (service: string, periodSeconds: number) => ({ grpc: { port: 5000, service }, periodSeconds, failureThreshold: 1 })
  await create('shop', {
    containers: [{ name: 'c', image: agnhost, args, livenessProbe: probe('shop', 2), readinessProbe: probe('shop', 1) }],
  })
  await create('other', { containers: [{ name: 'c', image: agnhost, args, readinessProbe: probe('library', 1) }] })
  await create('deaf', {
    containers: [{ name: 'c', image: 'nginx:1.27', readinessProbe: { grpc: { port: 80, service: '' }, periodSeconds: 3 } }],
  })
  const ready = (name: string) => pod(name)?.status?.containerStatuses?.[0]?.ready
  for (let step = 0; !ready('shop') && step < 40; step++) await cluster.advance(500)
  expect(ready('shop')).toBe(true)
  await cluster.advance(30_000)
  expect(pod('shop')?.status?.containerStatuses?.[0]?.restartCount).toBeGreaterThan(0)
  const { body } = await cluster.request({ method: 'GET', path: '/api/v1/namespaces/default/events' })
  const said = (name: string) =>
    new Set((body as { items: Event[] }).items.filter(({ involvedObject }) => involvedObject.name === name).map(({ message }) => message))
  expect(said('shop')).toContain('Liveness probe failed: service unhealthy (responded with "NOT_SERVING")')
  expect(said('other')).toContain(
    'Readiness probe failed: error: health rpc probe failed: rpc error: code = NotFound desc = unknown service',
  )
  const address = `${pod('deaf')?.status?.podIP}:80`
  expect(said('deaf')).toContain(
    `Readiness probe failed: timeout: failed to connect service "${address}" within 1s: context deadline exceeded`,
  )
})

test.each([
  [
    'has no health service',
    new GrpcServer(clock, {}),
    'error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service grpc.health.v1.Health',
  ],
  [
    'has other methods of it',
    new GrpcServer(clock, { '/grpc.health.v1.Health/Watch': () => new Promise(() => {}) }),
    'error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown method Check for service grpc.health.v1.Health',
  ],
  [
    'does not answer in time',
    new GrpcServer(clock, { '/grpc.health.v1.Health/Check': () => new Promise(() => {}) }),
    'timeout: health rpc did not complete within 2s',
  ],
])('a server that %s', async (_, server, output) => {
  expect(await probed((connection) => server.accept(connection))).toEqual({ result: 'failure', output })
})

test('a server that is not there yet is dialled again within the time', async () => {
  const serving = new GrpcServer(clock, {
    '/grpc.health.v1.Health/Check': async () => ({ code: 0, message: '', reply: Uint8Array.of(8, 1) }),
  })
  let dials = 0
  const outcome = await probed((connection) => {
    if (++dials === 1) throw new NetworkError('ECONNREFUSED', 'connection refused')
    serving.accept(connection)
  })
  expect([dials, outcome]).toEqual([2, { result: 'success', output: 'service healthy' }])
})

test("a server of gRPC's own library is understood", async () => {
  const server = new Server()
  onTestFinished(() => server.forceShutdown())
  const whole = {
    requestSerialize: Buffer.from,
    requestDeserialize: Buffer.from,
    responseSerialize: Buffer.from,
    responseDeserialize: Buffer.from,
  }
  const check = { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, ...whole }
  server.addService(
    { check },
    {
      check: (_call: unknown, answer: (error: null, reply: Buffer) => void) => answer(null, Buffer.from([8, 2])),
    },
  )
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const output = 'service unhealthy (responded with "NOT_SERVING")'
  expect(await probed((connection) => injector.injectConnection(duplexOf(connection) as never))).toEqual({ result: 'failure', output })
})

/** Probes a port behind which connections are accepted so, while time passes. */
async function probed(accept: (connection: Connection) => void) {
  const network = {
    connect: async () => {
      const [near, far] = connectionPair(clock, { ip: '172.18.0.2', port: 40000 }, { ip: '10.244.0.5', port: 5000 })
      accept(far)
      return near
    },
  } as unknown as PodNetwork
  let outcome: Awaited<ReturnType<typeof grpcProbe>> | undefined
  void grpcProbe({ clock, network, podIP: '10.244.0.5' }, { port: 5000, service: '' }, 2000).then((found) => {
    outcome = found
  })
  for (let step = 0; !outcome && step < 100; step++) await clock.advance(100)
  return outcome
}
