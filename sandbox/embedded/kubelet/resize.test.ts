import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import type { Pod } from '../schema/types/core.v1.ts'

/** In-place resize, by what a real kind cluster of 1.34.4 does and says. */
const path = '/api/v1/namespaces/default/pods/web'
const resources = (cpu: string, memory: string, cpuLimit: string, memoryLimit: string) => ({
  requests: { cpu, memory },
  limits: { cpu: cpuLimit, memory: memoryLimit },
})

async function opened(): Promise<Cluster> {
  const cluster = await Cluster.open({ nodes: 1, clock: { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 } })
  await cluster.advance(2000)
  const resizePolicy = [
    { resourceName: 'cpu', restartPolicy: 'NotRequired' },
    { resourceName: 'memory', restartPolicy: 'RestartContainer' },
  ]
  const containers = [{ name: 'a', image: 'labapp', resizePolicy, resources: resources('50m', '20Mi', '100m', '40Mi') }]
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec: { containers, terminationGracePeriodSeconds: 1 } }
  await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body })
  await cluster.advance(10_000)
  return cluster
}

async function resize(cluster: Cluster, wanted: unknown): Promise<{ status: number; message?: string }> {
  const body = { spec: { containers: [{ name: 'a', resources: wanted }] } }
  const answer = await cluster.request({
    method: 'PATCH',
    path: `${path}/resize`,
    contentType: 'application/strategic-merge-patch+json',
    body,
  })
  await cluster.advance(5000)
  return { status: answer.status, message: (answer.body as { message?: string }).message }
}

async function seen(cluster: Cluster) {
  const { status } = (await cluster.request({ method: 'GET', path })).body as Pod
  const [container] = status?.containerStatuses ?? []
  const resizing = status?.conditions?.filter(({ type }) => type.startsWith('PodResize'))
  return {
    resources: container?.resources,
    allocated: container?.allocatedResources,
    restarts: container?.restartCount,
    resizing: resizing?.map(({ type, reason, message }) => [type, reason, message]),
  }
}

async function events(cluster: Cluster, reason: string): Promise<string[]> {
  const { body } = await cluster.request({ method: 'GET', path: `/api/v1/namespaces/default/events?fieldSelector=reason=${reason}` })
  return (body as { items: { message: string }[] }).items.map(({ message }) => message)
}

test('CPU grows in place, memory by its policy with a restart; each is told by an event', async () => {
  await using cluster = await opened()
  expect((await resize(cluster, { requests: { cpu: '60m' }, limits: { cpu: '120m' } })).status).toBe(200)
  expect(await seen(cluster)).toEqual({
    resources: resources('60m', '20Mi', '120m', '40Mi'),
    allocated: { cpu: '60m', memory: '20Mi' },
    restarts: 0,
    resizing: [],
  })
  expect(await events(cluster, 'ResizeCompleted')).toEqual([
    'Pod resize completed: {"containers":[{"name":"a","resources":{"limits":{"cpu":"120m","memory":"40Mi"},"requests":{"cpu":"60m","memory":"20Mi"}}}]}',
  ])
  await resize(cluster, { requests: { memory: '25Mi' }, limits: { memory: '50Mi' } })
  expect(await seen(cluster)).toMatchObject({ resources: resources('60m', '25Mi', '120m', '50Mi'), restarts: 1, resizing: [] })
  expect(await events(cluster, 'Killing')).toEqual(['Container a resize requires restart'])
})

test('what no node has is infeasible, what others hold is deferred until they go', async () => {
  await using cluster = await opened()
  await resize(cluster, { requests: { cpu: '100' }, limits: { cpu: '100' } })
  expect((await seen(cluster)).resizing).toEqual([
    ['PodResizePending', 'Infeasible', "Node didn't have enough capacity: cpu, requested: 100000, capacity: 4000"],
  ])
  const containers = [{ name: 'big', image: 'busybox', command: ['sleep', '1000'], resources: { requests: { cpu: '2' } } }]
  const body = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'big' },
    spec: { containers, terminationGracePeriodSeconds: 1, nodeName: 'labernetes-control-plane' },
  }
  await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body })
  await cluster.advance(5000)
  await resize(cluster, { requests: { cpu: '1900m' }, limits: { cpu: '1900m' } })
  expect(await seen(cluster)).toMatchObject({
    resources: resources('50m', '20Mi', '100m', '40Mi'),
    resizing: [
      [
        'PodResizePending',
        'Deferred',
        expect.stringMatching(/^Node didn't have enough resource: cpu, requested: 1900, used: \d+, capacity: 4000$/),
      ],
    ],
  })
  await cluster.request({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/big' })
  await cluster.advance(5000)
  expect(await seen(cluster)).toMatchObject({ allocated: { cpu: '1900m' }, resizing: [] })
})

test('the API refuses another quality of service and resources taken away', async () => {
  await using cluster = await opened()
  const same = await resize(cluster, { requests: { cpu: '100m', memory: '40Mi' } })
  expect(same).toEqual({
    status: 422,
    message: 'Pod "web" is invalid: spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
  })
  const gone = await resize(cluster, { limits: { cpu: null } })
  expect(gone).toMatchObject({
    status: 422,
    message: expect.stringContaining('spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed'),
  })
})
