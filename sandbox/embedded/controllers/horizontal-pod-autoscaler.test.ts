import { expect, it } from 'vitest'
import { resources } from '../machinery/object.ts'
import type { Deployment } from '../schema/types/apps.v1.ts'
import type { HorizontalPodAutoscaler } from '../schema/types/autoscaling.v2.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { startHorizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts'
import { setPodCondition } from './pod.ts'
import { MemoryCluster } from './testing/memory.ts'

async function start(load: { cpu: number | undefined }) {
  const cluster = new MemoryCluster()
  const usage = () => (load.cpu === undefined ? undefined : [{ name: 'c', memoryBytes: 0, cpuNanoCores: load.cpu * 1e6 }])
  startHorizontalPodAutoscaler(cluster, usage)
  const selector = { matchLabels: { app: 'web' } }
  const template = { metadata: { labels: { app: 'web' } } }
  const target: Deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'lab' },
    spec: { replicas: 2, selector, template },
  }
  await cluster.client.create(resources.deployments, target)
  for (const name of ['a', 'b']) {
    const containers = [{ name: 'c', resources: { requests: { cpu: '100m' } } }]
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'lab', labels: { app: 'web' } },
      spec: { containers },
      status: { phase: 'Running', startTime: '2029-12-31T00:00:00Z' },
    }
    setPodCondition(pod, { type: 'Ready', status: 'True' }, 0)
    await cluster.client.create(resources.pods, pod)
  }
  const scaler: HorizontalPodAutoscaler = {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', namespace: 'lab' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 1,
      maxReplicas: 5,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
    },
  }
  await cluster.client.create(resources.horizontalPodAutoscalers, scaler)
  const replicas = () => cluster.cache.get<Deployment>(resources.deployments, 'web', 'lab')?.spec?.replicas
  const condition = (type: string) =>
    cluster.cache
      .get<HorizontalPodAutoscaler>(resources.horizontalPodAutoscalers, 'web', 'lab')
      ?.status?.conditions?.find((one) => one.type === type)
  return { cluster, replicas, condition }
}

it('adds Pods at once when they are busier than the target, as far as it may', async () => {
  const load = { cpu: 100 }
  const { cluster, replicas, condition } = await start(load)
  await cluster.settle(14_000)
  expect(replicas()).toBe(2)
  await cluster.settle(1000)
  expect(replicas()).toBe(4)
  expect(cluster.messages('SuccessfulRescale')).toEqual([
    'New size: 4; reason: cpu resource utilization (percentage of request) above target',
  ])
  load.cpu = 500
  await cluster.settle(30_000)
  expect(replicas()).toBe(5)
  expect(condition('ScalingLimited')).toMatchObject({ status: 'True', reason: 'TooManyReplicas' })
})

it('takes Pods away only after the load has been low for five minutes', async () => {
  const load = { cpu: 50 }
  const { cluster, replicas, condition } = await start(load)
  await cluster.settle(30_000)
  expect(replicas()).toBe(2)
  load.cpu = 5
  await cluster.settle(60_000)
  expect(replicas()).toBe(2)
  expect(condition('AbleToScale')?.reason).toBe('ScaleDownStabilized')
  await cluster.settle(300_000)
  expect(replicas()).toBe(1)
  expect(cluster.messages('SuccessfulRescale')).toEqual(['New size: 1; reason: All metrics below target'])
})

it('says why it cannot tell how many Pods are needed', async () => {
  const { cluster, replicas, condition } = await start({ cpu: undefined })
  await cluster.settle(15_000)
  const message = 'failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API'
  expect(condition('ScalingActive')).toMatchObject({
    status: 'False',
    reason: 'FailedGetResourceMetric',
    message: `the HPA was unable to compute the replica count: ${message}`,
  })
  expect(cluster.messages('FailedGetResourceMetric')[0]).toBe(message)
  expect(cluster.messages('FailedComputeMetricsReplicas')[0]).toBe(
    `invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: ${message}`,
  )
  expect(replicas()).toBe(2)
})
