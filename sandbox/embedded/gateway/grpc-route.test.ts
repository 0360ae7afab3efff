import { afterAll, beforeAll, expect, test } from 'vitest'
import { GrpcChannel, type GrpcResult, grpcCodes } from '../network/grpc.ts'
import { GatewayWorld } from './testing.ts'
import type { Gateway, Route } from './types.ts'

let world: GatewayWorld
let address: string

const server = (name: string, more = '') => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: ${name}}}
spec: {containers: [{name: c, image: 'registry.k8s.io/e2e-test-images/agnhost:2.53', args: [grpc-health-checking${more}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${name}}, ports: [{port: 5000, appProtocol: kubernetes.io/h2c}]}
---`

beforeAll(async () => {
  world = await GatewayWorld.open()
  await world.apply(`${server('one')}${server('two', ', --service=two')}
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: calls}
spec: {gatewayClassName: labernetes, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: health}
spec:
  parentRefs: [{name: calls}]
  hostnames: [health.example.com]
  rules:
    - matches: [{method: {service: grpc.health.v1.Health, method: Check}, headers: [{name: version, value: two}]}]
      backendRefs: [{name: two, port: 5000}]
    - matches: [{method: {service: grpc.health.v1.Health}}]
      filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: seen-by, value: gateway}]}}]
      backendRefs: [{name: one, port: 5000}]
    - matches: [{method: {service: gone.Service}}]
      backendRefs: [{name: nowhere, port: 5000}]
`)
  await world.cluster.advance(30_000)
  const gateway = await world.object<Gateway>('/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/calls')
  address = gateway.status?.addresses?.[0]?.value ?? ''
}, 60_000)

afterAll(async () => {
  await world[Symbol.asyncDispose]()
  expect(world.errors).toEqual([])
})

/** A call from a machine beside the nodes. */
async function call(path: string, host = 'health.example.com'): Promise<string> {
  const { clock } = world.cluster.context
  const made = async (): Promise<GrpcResult> => {
    const connection = await world.cluster.outside().connect(address, 80)
    using channel = await GrpcChannel.open(clock, connection)
    return await channel.call(path, new Uint8Array(), { authority: host, userAgent: 'test' })
  }
  let result: GrpcResult | undefined
  void made().then((value) => {
    result = value
  })
  for (let step = 0; result === undefined && step < 200; step++) await world.cluster.advance(100)
  return `${grpcCodes[result?.code ?? 2]} ${Buffer.from(result?.reply ?? []).toString('hex')} ${result?.message ?? 'no answer'}`.trim()
}

test('calls over HTTP/2 go where their service, method and authority say, and come back with their status', async () => {
  // HealthCheckResponse{status: SERVING}
  expect(await call('/grpc.health.v1.Health/Check')).toBe('OK 0801')
  expect(await call('/grpc.health.v1.Health/Watch')).toMatch(/^Unimplemented/)
  expect(await call('/shop.Cart/Add')).toBe('Unimplemented  no route matches')
  expect(await call('/grpc.health.v1.Health/Check', 'other.example.com')).toBe('Unimplemented  no route matches')
  expect(await call('/gone.Service/Do')).toBe('Unavailable  the route has no backend')
})

test('its conditions are those of the specification', async () => {
  const { status } = await world.object<Route>('/apis/gateway.networking.k8s.io/v1/namespaces/default/grpcroutes/health')
  const told = status?.parents[0]?.conditions.map(({ type, status: state, reason }) => `${type}=${state} ${reason}`)
  expect(told).toEqual(['Accepted=True Accepted', 'ResolvedRefs=False BackendNotFound'])
})

test('without a Pod a call is unavailable', async () => {
  await world.delete('/api/v1/namespaces/default/pods/one')
  expect(await call('/grpc.health.v1.Health/Check')).toBe('Unavailable  no healthy upstream')
  await world.apply(server('one'))
  expect(await call('/grpc.health.v1.Health/Check')).toBe('OK 0801')
})
