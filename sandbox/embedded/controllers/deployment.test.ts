import { describe, expect, it } from 'vitest'
import { resources } from '../machinery/object.ts'
import type { Deployment, ReplicaSet } from '../schema/types/apps.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { startDeployment } from './deployment.ts'
import { setPodCondition } from './pod.ts'
import { startReplicaSet } from './replicaset.ts'
import { MemoryCluster } from './testing/memory.ts'

const strategy = (maxSurge: string | number, maxUnavailable: string | number) => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge, maxUnavailable },
})

function deployment(replicas: number, spec: Partial<NonNullable<Deployment['spec']>> = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'lab', annotations: { note: 'kept' } },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'web:1' }] } },
      strategy: strategy('25%', '25%'),
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...spec,
    },
  }
}

async function start() {
  const cluster = new MemoryCluster()
  startDeployment(cluster)
  startReplicaSet(cluster)
  const ready = new Set<string>()
  const makeReady = async (filter: (pod: Pod) => boolean = () => true) => {
    for (const pod of cluster.cache.list<Pod>(resources.pods)) {
      if (ready.has(pod.metadata.uid ?? '') || !filter(pod)) continue
      ready.add(pod.metadata.uid ?? '')
      await cluster.change<Pod>(resources.pods, pod.metadata.name ?? '', 'lab', (copy) => {
        copy.status = { ...copy.status, phase: 'Running' }
        setPodCondition(copy, { type: 'Ready', status: 'True' }, cluster.clock.now())
      })
    }
    await cluster.settle()
  }
  const get = () => cluster.cache.get<Deployment>(resources.deployments, 'web', 'lab') as Deployment
  const sizes = () => {
    const sets = [...cluster.cache.list<ReplicaSet>(resources.replicaSets)]
    const revision = (set: ReplicaSet) => Number(set.metadata.annotations?.['deployment.kubernetes.io/revision'])
    return sets.sort((a, b) => revision(a) - revision(b)).map((set) => set.spec?.replicas)
  }
  const setImage = async (image: string) => {
    await cluster.change<Deployment>(resources.deployments, 'web', 'lab', (copy) => {
      const container = copy.spec?.template.spec?.containers[0]
      if (container) container.image = image
    })
    await cluster.settle()
  }
  const condition = (type: string) => get().status?.conditions?.find((one) => one.type === type)
  return { cluster, makeReady, get, sizes, setImage, condition }
}

describe('a Deployment', () => {
  it('makes a ReplicaSet that makes Pods, and says so', async () => {
    const { cluster, makeReady, get, condition } = await start()
    await cluster.client.create(resources.deployments, deployment(3))
    await cluster.settle()
    const [set] = cluster.cache.list<ReplicaSet>(resources.replicaSets)
    expect(set?.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{8,10}$/)
    expect(set?.metadata.annotations).toMatchObject({
      note: 'kept',
      'deployment.kubernetes.io/revision': '1',
      'deployment.kubernetes.io/desired-replicas': '3',
      'deployment.kubernetes.io/max-replicas': '4',
    })
    expect(get().metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('1')
    expect(cluster.messages('ScalingReplicaSet')).toEqual([`Scaled up replica set ${set?.metadata.name} from 0 to 3`])
    expect(condition('Available')).toMatchObject({ status: 'False', reason: 'MinimumReplicasUnavailable' })
    await makeReady()
    expect(get().status).toMatchObject({ replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3, observedGeneration: 1 })
    expect(condition('Progressing')).toMatchObject({
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `ReplicaSet "${set?.metadata.name}" has successfully progressed.`,
    })
    expect(condition('Available')).toMatchObject({ status: 'True', message: 'Deployment has minimum availability.' })
    expect(cluster.errors).toEqual([])
  })

  it('rolls within maxSurge and maxUnavailable, and stays there while the new Pods are not ready', async () => {
    const { cluster, makeReady, sizes, setImage } = await start()
    await cluster.client.create(resources.deployments, deployment(4))
    await cluster.settle()
    await makeReady()
    await setImage('web:2')
    expect(sizes()).toEqual([3, 2])
    await makeReady()
    for (let round = 0; round < 5; round++) await makeReady()
    expect(sizes()).toEqual([0, 4])
  })

  it('reports a rollout that does not move within its deadline', async () => {
    const { cluster, makeReady, setImage, condition } = await start()
    await cluster.client.create(resources.deployments, deployment(1, { progressDeadlineSeconds: 30 }))
    await cluster.settle()
    await makeReady()
    await setImage('web:broken')
    await cluster.settle(29_000)
    expect(condition('Progressing')?.reason).toBe('ReplicaSetUpdated')
    await cluster.settle(4_000)
    expect(condition('Progressing')).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' })
    expect(condition('Progressing')?.message).toMatch(/^ReplicaSet "web-\w+" has timed out progressing\.$/)
  })

  it('goes back to an earlier ReplicaSet under a new revision', async () => {
    const { cluster, makeReady, setImage, get } = await start()
    await cluster.client.create(resources.deployments, deployment(1))
    await cluster.settle()
    await makeReady()
    await setImage('web:2')
    await makeReady()
    await setImage('web:1')
    await makeReady()
    expect(get().metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3')
    const sets = cluster.cache.list<ReplicaSet>(resources.replicaSets)
    expect(sets).toHaveLength(2)
    const current = sets.find((set) => set.spec?.replicas === 1)
    expect(current?.metadata.annotations?.['deployment.kubernetes.io/revision-history']).toBe('1')
  })

  it('waits with Recreate until the last old Pod is gone', async () => {
    const { cluster, makeReady, setImage, sizes } = await start()
    await cluster.client.create(resources.deployments, deployment(2, { strategy: { type: 'Recreate' } }))
    await cluster.settle()
    for (const pod of cluster.cache.list<Pod>(resources.pods)) {
      await cluster.change<Pod>(resources.pods, pod.metadata.name ?? '', 'lab', (copy) => {
        copy.spec = { ...(copy.spec ?? { containers: [] }), nodeName: 'node' }
      })
    }
    await makeReady()
    await setImage('web:2')
    expect(sizes()).toEqual([0])
    for (const pod of cluster.cache.list<Pod>(resources.pods))
      await cluster.client.delete(resources.pods, pod.metadata.name ?? '', 'lab', { gracePeriodSeconds: 0 })
    await cluster.settle()
    expect(sizes()).toEqual([0, 2])
  })

  it('keeps the shares of a rollout while it is scaled', async () => {
    const { cluster, makeReady, sizes, setImage } = await start()
    await cluster.client.create(resources.deployments, deployment(10, { strategy: strategy(3, 2) }))
    await cluster.settle()
    await makeReady()
    await setImage('web:2')
    expect(sizes()).toEqual([8, 5])
    await cluster.change<Deployment>(resources.deployments, 'web', 'lab', (copy) => {
      if (copy.spec) copy.spec.replicas = 15
    })
    await cluster.settle()
    expect(sizes()).toEqual([11, 7])
  })

  it('does not roll while paused, and keeps the newest revisions only', async () => {
    const { cluster, makeReady, sizes, setImage, condition } = await start()
    await cluster.client.create(resources.deployments, deployment(1, { revisionHistoryLimit: 1 }))
    await cluster.settle()
    await makeReady()
    await cluster.change<Deployment>(resources.deployments, 'web', 'lab', (copy) => {
      if (copy.spec) copy.spec.paused = true
    })
    await setImage('web:2')
    expect(sizes()).toEqual([1])
    expect(condition('Progressing')).toMatchObject({ status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' })
    await cluster.change<Deployment>(resources.deployments, 'web', 'lab', (copy) => {
      if (copy.spec) copy.spec.paused = false
    })
    await cluster.settle()
    await makeReady()
    await setImage('web:3')
    await makeReady()
    await makeReady()
    expect(sizes()).toEqual([0, 1])
  })

  it('takes over the failure of its ReplicaSet', async () => {
    const { cluster, condition } = await start()
    cluster.admit = (resource) => {
      if (resource === resources.pods)
        throw new Error('pods "web-" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2')
    }
    await cluster.client.create(resources.deployments, deployment(2))
    await cluster.settle()
    expect(condition('ReplicaFailure')).toMatchObject({ status: 'True', reason: 'FailedCreate' })
    expect(cluster.messages('FailedCreate')[0]).toMatch(/^Error creating: pods "web-" is forbidden: exceeded quota/)
  })
})
