import { afterEach, expect, it } from 'vitest'
import { resources } from '../machinery/object.ts'
import type { Job, JobSpec } from '../schema/types/batch.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { startJob } from './job.ts'
import { MemoryCluster } from './testing/memory.ts'

/** The Job controller against Pods whose fate the test decides. */
const trackingFinalizer = 'batch.kubernetes.io/job-tracking'
let running: Disposable | undefined

afterEach(() => running?.[Symbol.dispose]())

async function started(spec: Partial<JobSpec>): Promise<MemoryCluster> {
  const cluster = new MemoryCluster()
  running = startJob(cluster)
  const job: Job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'work', namespace: 'lab' },
    spec: {
      completions: 3,
      parallelism: 3,
      completionMode: 'Indexed',
      backoffLimit: 6,
      selector: { matchLabels: { job: 'work' } },
      template: { metadata: { labels: { job: 'work' } }, spec: { restartPolicy: 'Never', containers: [{ name: 'main' }] } },
      ...spec,
    },
  }
  await cluster.client.create(resources.jobs, job)
  await cluster.settle(2000)
  return cluster
}

function jobOf(cluster: MemoryCluster): Job | undefined {
  return cluster.cache.get<Job>(resources.jobs, 'work', 'lab')
}

function conditions(cluster: MemoryCluster): string[] {
  return (jobOf(cluster)?.status?.conditions ?? []).map(({ type, reason }) => `${type}: ${reason}`)
}

function indexOf(pod: Pod): number {
  return Number(pod.metadata.annotations?.['batch.kubernetes.io/job-completion-index'])
}

function activePods(cluster: MemoryCluster): Pod[] {
  return cluster.cache
    .list<Pod>(resources.pods, 'lab')
    .filter(({ status, metadata }) => status?.phase === 'Pending' && !metadata.deletionTimestamp)
    .sort((a, b) => indexOf(a) - indexOf(b))
}

/** Ends the active Pod of an index. */
async function end(cluster: MemoryCluster, index: number, exitCode: number, disrupted = false): Promise<void> {
  const pod = activePods(cluster).find((one) => indexOf(one) === index)
  const finishedAt = new Date(cluster.clock.now()).toISOString()
  await cluster.change<Pod>(
    resources.pods,
    pod?.metadata.name ?? '',
    'lab',
    (one) => {
      const state = { terminated: { exitCode, finishedAt } }
      one.status = {
        phase: exitCode === 0 ? 'Succeeded' : 'Failed',
        containerStatuses: [{ name: 'main', state, restartCount: 0, ready: false, image: '', imageID: '' }],
        ...(disrupted && { conditions: [{ type: 'DisruptionTarget', status: 'True' }] }),
      }
    },
    'status',
  )
  await cluster.settle(2000)
}

it('gives up an index after its own limit, goes on with the others, and fails when all have ended', async () => {
  const cluster = await started({ backoffLimitPerIndex: 1 })
  await end(cluster, 1, 1)
  expect(activePods(cluster).map(indexOf)).toEqual([0, 2])
  await cluster.settle(12_000)
  const again = activePods(cluster).find((pod) => indexOf(pod) === 1)
  expect(again?.metadata.annotations?.['batch.kubernetes.io/job-index-failure-count']).toBe('1')
  await end(cluster, 1, 1)
  await end(cluster, 0, 0)
  await end(cluster, 2, 0)
  expect(conditions(cluster)).toEqual(['FailureTarget: FailedIndexes', 'Failed: FailedIndexes'])
  expect(jobOf(cluster)?.status).toMatchObject({ completedIndexes: '0,2', failedIndexes: '1', succeeded: 2, failed: 2 })
})

it('ends at once when more indexes have failed than may', async () => {
  const cluster = await started({ backoffLimitPerIndex: 0, maxFailedIndexes: 0 })
  await end(cluster, 2, 1)
  await cluster.settle(2000)
  expect(conditions(cluster)[0]).toBe('FailureTarget: MaxFailedIndexesExceeded')
  expect(activePods(cluster)).toEqual([])
})

it('does what the first rule of its failure policy that matches says', async () => {
  const rules = [
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    { action: 'FailIndex', onExitCodes: { operator: 'In', values: [3] } },
    { action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [42] } },
  ]
  const cluster = await started({ backoffLimitPerIndex: 5, podFailurePolicy: { rules } })
  await end(cluster, 0, 137, true)
  expect(jobOf(cluster)?.status?.failed ?? 0).toBe(0)
  await cluster.settle(12_000)
  const replaced = activePods(cluster).find((pod) => indexOf(pod) === 0)
  expect(replaced?.metadata.annotations).toMatchObject({
    'batch.kubernetes.io/job-index-failure-count': '0',
    'batch.kubernetes.io/job-index-ignored-failure-count': '1',
  })
  await end(cluster, 1, 3)
  expect(jobOf(cluster)?.status).toMatchObject({ failedIndexes: '1', failed: 1 })
  const { name } = activePods(cluster).find((pod) => indexOf(pod) === 2)?.metadata ?? {}
  await end(cluster, 2, 42)
  expect(jobOf(cluster)?.status?.conditions?.[0]).toMatchObject({
    type: 'FailureTarget',
    reason: 'PodFailurePolicy',
    message: `Container main for pod lab/${name} failed with exit code 42 matching FailJob rule at index 2`,
  })
})

it('succeeds by its success policy while other indexes still run, which do not count as failures', async () => {
  const cluster = await started({ successPolicy: { rules: [{ succeededIndexes: '0-1', succeededCount: 1 }] } })
  await end(cluster, 1, 0)
  await cluster.settle(2000)
  expect(conditions(cluster)).toEqual(['SuccessCriteriaMet: SuccessPolicy', 'Complete: SuccessPolicy'])
  expect(jobOf(cluster)?.status).toMatchObject({ completedIndexes: '1', succeeded: 1 })
  expect(jobOf(cluster)?.status?.failed ?? 0).toBe(0)
})

it('leaves a Job alone that another controller manages', async () => {
  const cluster = await started({ managedBy: 'example.com/other' })
  expect(activePods(cluster)).toEqual([])
  expect(jobOf(cluster)?.status).toBeUndefined()
})

it('waits for a Pod to have ended before it is replaced, where only failed ones are', async () => {
  for (const [policy, count] of [
    ['Failed', 2],
    ['TerminatingOrFailed', 3],
  ] as const) {
    const cluster = await started({ podReplacementPolicy: policy, completionMode: 'NonIndexed' })
    const [pod] = activePods(cluster)
    await cluster.change<Pod>(resources.pods, pod?.metadata.name ?? '', 'lab', (one) => {
      one.spec = { ...(one.spec ?? { containers: [] }), nodeName: 'node' }
      one.metadata.finalizers = [trackingFinalizer]
    })
    await cluster.client.delete(resources.pods, pod?.metadata.name ?? '', 'lab')
    await cluster.settle(15_000)
    expect(activePods(cluster), policy).toHaveLength(count)
    running?.[Symbol.dispose]()
  }
})
