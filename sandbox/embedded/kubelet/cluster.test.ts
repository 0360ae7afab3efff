import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import type { Container, Pod, PodSpec } from '../schema/types/core.v1.ts'

/** The kubelet in a whole cluster, with the containers that learners meet. */
const start = Date.parse('2030-01-01T00:00:00Z')

test('a liveness probe on the wrong port restarts a slow starter again and again; a startup probe lets it boot', async () => {
  const cluster = await opened()
  const port = { name: 'http', containerPort: 8080 }
  const env = [{ name: 'BOOT_S', value: '60' }]
  const livenessProbe = { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 5, failureThreshold: 3 }
  await create(cluster, 'storm', { containers: [{ name: 'api', image: 'labapp', env, ports: [port], livenessProbe }] })
  const startupProbe = { httpGet: { path: '/healthz', port: 'http' }, periodSeconds: 5, failureThreshold: 24 }
  await create(cluster, 'calm', { containers: [{ name: 'api', image: 'labapp', env, ports: [port], livenessProbe, startupProbe }] })
  await cluster.advance(100_000)
  expect((await pod(cluster, 'storm')).status?.containerStatuses?.[0]?.restartCount).toBeGreaterThan(2)
  expect((await pod(cluster, 'calm')).status?.containerStatuses?.[0]).toMatchObject({ restartCount: 0, ready: true, started: true })
})

test('a fork goes on by itself and leaves its origin alone', async () => {
  const cluster = await opened()
  const readinessProbe = { exec: { command: ['cat', '/tmp/ready'] }, periodSeconds: 2, failureThreshold: 1 }
  await create(cluster, 'web', { containers: [{ name: 'web', image: 'labapp', readinessProbe }] })
  await cluster.advance(10_000)
  expect(await isReady(cluster, 'web')).toBe('True')
  await using fork = await cluster.fork()
  await fork.request({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/web?gracePeriodSeconds=1' })
  await fork.advance(5000)
  const gone = await fork.request({ method: 'GET', path: '/api/v1/namespaces/default/pods/web' })
  expect(gone.status).toBe(404)
  await cluster.advance(5000)
  expect(await isReady(cluster, 'web')).toBe('True')
})

test('a cluster that is brought back has its containers running on, and the logs of those that ended', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'kubelet-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const first = await Cluster.open({ nodes: 1, dir, clock: { start, rate: 0 } })
  await first.advance(2000)
  await create(first, 'web', { containers: [{ name: 'web', image: 'nginx:1.27' }] })
  await create(first, 'job', {
    restartPolicy: 'Never',
    containers: [{ name: 'job', image: 'busybox:1.36', command: ['sh', '-c', 'echo done'] }],
  })
  await first.advance(10_000)
  const before = await pod(first, 'web')
  expect((await pod(first, 'job')).status?.phase).toBe('Succeeded')
  await first[Symbol.asyncDispose]()

  await using second = await Cluster.open({ nodes: 1, dir, clock: { start: start + 3_600_000, rate: 0 } })
  await second.advance(60_000)
  expect((await pod(second, 'web')).status?.containerStatuses).toEqual(before.status?.containerStatuses)
  const parts: Uint8Array[] = []
  for await (const part of await second.nodeApi.logs('default', 'job', {}, new AbortController().signal)) parts.push(part)
  expect(Buffer.concat(parts).toString()).toBe('done\n')
})

async function opened(): Promise<Cluster> {
  const errors: unknown[] = []
  const cluster = await Cluster.open({ nodes: 1, clock: { start, rate: 0 }, report: (where, error) => errors.push([where, error]) })
  onTestFinished(async () => {
    await cluster[Symbol.asyncDispose]()
    expect(errors).toEqual([])
  })
  await cluster.advance(30_000)
  return cluster
}

async function create(cluster: Cluster, name: string, spec: Partial<PodSpec> & { containers: Container[] }): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }
  const answer = await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body })
  expect(answer).toMatchObject({ status: 201 })
}

async function pod(cluster: Cluster, name: string): Promise<Pod> {
  return (await cluster.request({ method: 'GET', path: `/api/v1/namespaces/default/pods/${name}` })).body as Pod
}

async function isReady(cluster: Cluster, name: string): Promise<string | undefined> {
  return (await pod(cluster, name)).status?.conditions?.find(({ type }) => type === 'Ready')?.status
}
