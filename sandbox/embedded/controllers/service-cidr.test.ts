import { expect, onTestFinished, test } from 'vitest'
import { Cluster } from '../cluster.ts'

test('a second ServiceCIDR gives addresses, and stays until the last of them is gone', async () => {
  const cluster = await Cluster.open({ nodes: 1, clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 } })
  onTestFinished(() => cluster[Symbol.asyncDispose]())
  const call = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => cluster.request({ method, path, body })
  const cidrs = '/apis/networking.k8s.io/v1/servicecidrs'
  const services = '/api/v1/namespaces/default/services'
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'far' },
    spec: { clusterIP: '203.0.113.10', ports: [{ port: 80 }] },
  }

  expect(await call('POST', services, service)).toMatchObject({
    status: 422,
    body: { message: expect.stringContaining('the provided network does not match the current range') },
  })
  const range = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'more' }, spec: { cidrs: ['203.0.113.0/24'] } }
  expect(await call('POST', cidrs, range)).toMatchObject({ status: 201 })
  await cluster.advance(1000)
  const ready = (await call('GET', `${cidrs}/more`)).body
  expect(ready).toMatchObject({
    metadata: { finalizers: ['networking.k8s.io/service-cidr-finalizer'] },
    status: { conditions: [{ type: 'Ready', status: 'True', message: 'Kubernetes Service CIDR is ready' }] },
  })
  expect(await call('POST', services, service)).toMatchObject({ status: 201 })
  await cluster.advance(1000)

  await call('DELETE', `${cidrs}/more`)
  await cluster.advance(30_000)
  expect((await call('GET', `${cidrs}/more`)).body).toMatchObject({ status: { conditions: [{ status: 'False', reason: 'Terminating' }] } })
  await call('DELETE', `${services}/far`)
  await cluster.advance(30_000)
  expect((await call('GET', `${cidrs}/more`)).status).toBe(404)
})

test.each([
  [
    'servicecidrs',
    'a',
    { cidrs: ['10.9.8.7/24'] },
    'spec.cidrs[0]: Invalid value: "10.9.8.7/24": must not have bits set beyond the prefix length',
  ],
  ['servicecidrs', 'a', { cidrs: [] }, 'spec.cidrs: Required value: at least one CIDR required'],
  [
    'ipaddresses',
    'FE80::1',
    { parentRef: { resource: 'x', name: 'y' } },
    'metadata.name: Invalid value: "FE80::1": must be in canonical form ("fe80::1")',
  ],
  ['ipaddresses', 'fe80::1', {}, 'spec.parentRef: Required value'],
])('%s %s %j is refused', async (plural, name, spec, message) => {
  const cluster = await Cluster.open({ nodes: 1, clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 } })
  onTestFinished(() => cluster[Symbol.asyncDispose]())
  const kind = plural === 'servicecidrs' ? 'ServiceCIDR' : 'IPAddress'
  const body = { apiVersion: 'networking.k8s.io/v1', kind, metadata: { name }, spec }
  const answer = await cluster.request({ method: 'POST', path: `/apis/networking.k8s.io/v1/${plural}`, body })
  expect((answer.body as { message: string }).message).toContain(message)
})
