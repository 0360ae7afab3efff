import { afterEach, expect, it } from 'vitest'
import { Cluster } from '../cluster.ts'
import { resources } from '../machinery/object.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'

const open: Cluster[] = []

afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster[Symbol.asyncDispose]()
})

async function start() {
  const errors: string[] = []
  const cluster = await Cluster.open({ nodes: 2, clock: { rate: 0 }, report: (where, error) => errors.push(`${where}: ${error}`) })
  open.push(cluster)
  await cluster.clock.advance(5000)
  const { client, cache } = cluster.context
  const create = async (name: string, nodeName: string, tolerations: object[] = []) => {
    const containers = [{ name: 'c', image: 'busybox:1.36', command: ['sleep', '100000'] }]
    const spec = { nodeName, tolerations, terminationGracePeriodSeconds: 1, containers }
    await client.create<Pod>(
      resources.pods,
      { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec },
      { namespace: 'default' },
    )
  }
  const pod = (name: string) => cache.get<Pod>(resources.pods, name, 'default')
  const node = (name: string) => cache.get<Node>(resources.nodes, name)
  return { cluster, client, create, pod, node, errors }
}

it('finds a silent node not ready, taints it, and after five minutes takes its Pods away', async () => {
  const { cluster, client, create, pod, node, errors } = await start()
  await client.create<Node>(resources.nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'ghost' } })
  await create('p', 'ghost')
  await cluster.clock.advance(60_000)
  expect(node('ghost')?.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
    status: 'Unknown',
    reason: 'NodeStatusNeverUpdated',
    message: 'Kubelet never posted node status.',
  })
  const taints = node('ghost')
    ?.spec?.taints?.filter(({ key }) => key === 'node.kubernetes.io/unreachable')
    .map(({ effect }) => effect)
  expect(taints).toEqual(['NoSchedule', 'NoExecute'])
  await cluster.clock.advance(200_000)
  expect(pod('p')?.metadata.deletionTimestamp).toBeUndefined()
  await cluster.clock.advance(120_000)
  expect(pod('p')?.metadata.deletionTimestamp).toBeDefined()
  expect(pod('p')?.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason).toBe('DeletionByTaintManager')
  await client.delete(resources.nodes, 'ghost')
  await cluster.clock.advance(60_000)
  expect(pod('p')).toBeUndefined()
  expect(errors).toEqual([])
})

it('ends Pods that do not tolerate a NoExecute taint, now or when their time is over', async () => {
  const { cluster, client, create, pod, errors } = await start()
  const name = 'labernetes-worker'
  const toleration = { key: 'k', operator: 'Exists', effect: 'NoExecute' }
  await create('never', name)
  await create('a-while', name, [{ ...toleration, tolerationSeconds: 30 }])
  await create('always', name, [toleration])
  await cluster.clock.advance(10_000)
  const timeAdded = `${new Date(cluster.clock.now()).toISOString().slice(0, 19)}Z`
  await client.patch(resources.nodes, name, { spec: { taints: [{ key: 'k', effect: 'NoExecute', timeAdded }] } }, 'merge')
  await cluster.clock.advance(10_000)
  expect([pod('never'), pod('a-while')?.status?.phase]).toEqual([undefined, 'Running'])
  await cluster.clock.advance(30_000)
  expect([pod('a-while'), pod('always')?.status?.phase]).toEqual([undefined, 'Running'])
  expect(errors).toEqual([])
})

it('mirrors a cordon in a taint', async () => {
  const { cluster, client, node } = await start()
  const taints = () => node('labernetes-worker')?.spec?.taints?.map(({ key }) => key) ?? []
  await client.patch(resources.nodes, 'labernetes-worker', { spec: { unschedulable: true } }, 'merge')
  await cluster.clock.advance(0)
  expect(taints()).toEqual(['node.kubernetes.io/unschedulable'])
  await client.patch(resources.nodes, 'labernetes-worker', { spec: { unschedulable: null } }, 'merge')
  await cluster.clock.advance(0)
  expect(taints()).toEqual([])
})
