import { expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { ProbeCounts, probeMetrics } from './probe-metrics.ts'

test('a kubelet counts what the probes of its containers come to, and forgets them with their Pod', async () => {
  const errors: unknown[] = []
  const clock = { start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 }
  await using cluster = await Cluster.open({ nodes: 1, clock, report: (where, error) => errors.push([where, error]) })
  await cluster.advance(2000)
  const exec = (command: string) => ({ exec: { command: [command] }, periodSeconds: 2, failureThreshold: 100 })
  const probes = { readinessProbe: exec('true'), livenessProbe: exec('false') }
  const containers = [{ name: 'main', image: 'busybox:1.36', command: ['sleep', '1d'], ...probes }]
  const spec = { containers, terminationGracePeriodSeconds: 0 }
  const pods = '/api/v1/namespaces/default/pods'
  const { body } = await cluster.request({
    method: 'POST',
    path: pods,
    body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec },
  })
  const { uid } = (body as { metadata: { uid: string } }).metadata
  await cluster.advance(20_000)
  const figures = async () => {
    const answer = await cluster.request({ method: 'GET', path: '/api/v1/nodes/labernetes-control-plane/proxy/metrics/probes' })
    return String(answer.body).split('\n')
  }
  const counted = (lines: string[], type: string, result: string) => {
    const labels = `container="main",namespace="default",pod="web",pod_uid="${uid}",probe_type="${type}",result="${result}"`
    const [line = ''] = lines.filter((one) => one.startsWith(`prober_probe_total{${labels}} `))
    return Number(line.split(' ').at(-1))
  }

  const before = await figures()
  expect(counted(before, 'Liveness', 'failed')).toBeGreaterThan(5)
  expect(counted(before, 'Readiness', 'successful')).toBeGreaterThan(5)
  const readiness = 'prober_probe_duration_seconds_bucket{container="main",namespace="default",pod="web",probe_type="Readiness",le="+Inf"}'
  expect(before).toContain(`${readiness} ${counted(before, 'Readiness', 'successful')}`)
  expect(before.filter((line) => line.includes('pod="web"') && /duration.*Liveness/.test(line))).toEqual([])
  await cluster.advance(10_000)
  expect(counted(await figures(), 'Liveness', 'failed')).toBe(counted(before, 'Liveness', 'failed') + 5)

  await cluster.request({ method: 'DELETE', path: `${pods}/web` })
  await cluster.advance(5000)
  expect((await figures()).filter((line) => line.includes('pod="web"'))).toEqual([])
  expect(errors).toEqual([])
})

test('figures stand as a real kubelet writes them', () => {
  const counts = new ProbeCounts()
  for (const ms of [4, 30, 30, 20_000]) counts.success(ms)
  counts.failed = 1
  const labels = {
    container: 'etcd',
    namespace: 'kube-system',
    pod: 'etcd-real-control-plane',
    pod_uid: 'a5c0',
    type: 'readiness',
  } as const
  const shown = 'container="etcd",namespace="kube-system",pod="etcd-real-control-plane"'
  const bucket = (bound: string, count: number) =>
    `prober_probe_duration_seconds_bucket{${shown},probe_type="Readiness",le="${bound}"} ${count}\n`
  const bounds: [string, number][] = [
    ['0.005', 1],
    ['0.01', 1],
    ['0.025', 1],
    ['0.05', 3],
    ['0.1', 3],
    ['0.25', 3],
    ['0.5', 3],
    ['1', 3],
    ['2.5', 3],
    ['5', 3],
    ['10', 3],
    ['+Inf', 4],
  ]
  expect(probeMetrics([{ labels, counts }], 1_795_334_467_360)).toBe(
    '# HELP prober_probe_duration_seconds [ALPHA] Duration in seconds for a probe response.\n' +
      '# TYPE prober_probe_duration_seconds histogram\n' +
      bounds.map(([bound, count]) => bucket(bound, count)).join('') +
      `prober_probe_duration_seconds_sum{${shown},probe_type="Readiness"} 20.064\n` +
      `prober_probe_duration_seconds_count{${shown},probe_type="Readiness"} 4\n` +
      '# HELP prober_probe_total [BETA] Cumulative number of a liveness, readiness or startup probe for a container by result.\n' +
      '# TYPE prober_probe_total counter\n' +
      `prober_probe_total{${shown},pod_uid="a5c0",probe_type="Readiness",result="failed"} 1\n` +
      `prober_probe_total{${shown},pod_uid="a5c0",probe_type="Readiness",result="successful"} 4\n` +
      '# HELP process_start_time_seconds [ALPHA] Start time of the process since unix epoch in seconds.\n' +
      '# TYPE process_start_time_seconds gauge\n' +
      'process_start_time_seconds 1.79533446736e+09\n',
  )
})
