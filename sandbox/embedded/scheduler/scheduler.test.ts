import { describe, expect, it } from 'vitest'
import { MemoryCluster } from '../controllers/testing/memory.ts'
import { resources } from '../machinery/object.ts'
import type { Node, NodeSpec, Pod, PodSpec } from '../schema/types/core.v1.ts'
import { startScheduler } from './index.ts'

type Requests = Record<string, string>

async function start(...nodes: Node[]) {
  const cluster = new MemoryCluster()
  startScheduler(cluster)
  for (const one of nodes) await cluster.client.create(resources.nodes, one)
  const nodeOf = (name: string) => cluster.cache.get<Pod>(resources.pods, name, 'lab')?.spec?.nodeName
  const condition = (name: string) =>
    cluster.cache.get<Pod>(resources.pods, name, 'lab')?.status?.conditions?.find(({ type }) => type === 'PodScheduled')
  const create = async (...pods: Pod[]) => {
    for (const pod of pods) await cluster.client.create(resources.pods, pod)
    await cluster.settle()
  }
  return { cluster, nodeOf, condition, create }
}

function node(
  name: string,
  spec: NodeSpec = {},
  labels: Record<string, string> = {},
  allocatable: Requests = { cpu: '2', memory: '4Gi', pods: '110' },
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
    status: { allocatable },
  }
}

function pod(name: string, spec: Partial<PodSpec> = {}, requests: Requests = {}, labels: Record<string, string> = { app: name }): Pod {
  const containers = [{ name: 'c', image: 'busybox:1.36', resources: { requests } }]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'lab', labels },
    spec: { schedulerName: 'default-scheduler', containers, ...spec },
  }
}

const near = (app: string, key = 'kubernetes.io/hostname') => ({ labelSelector: { matchLabels: { app } }, topologyKey: key })

describe('the scheduler', () => {
  it('binds a Pod and says so', async () => {
    const { cluster, nodeOf, create } = await start(node('a'))
    await create(pod('p'))
    expect(nodeOf('p')).toBe('a')
    expect(cluster.messages('Scheduled')).toEqual(['Successfully assigned lab/p to a'])
  })

  const refusals: { name: string; nodes: Node[]; pod: Pod; message: string }[] = [
    {
      name: 'resources that no node has',
      nodes: [node('a'), node('b')],
      pod: pod('p', {}, { cpu: '100', memory: '900Gi' }),
      message:
        '0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory. no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    },
    {
      name: 'a taint, a cordon and a label, each on its node',
      nodes: [
        node('a', { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] }, { disk: 'ssd' }),
        node('b', { unschedulable: true }, { disk: 'ssd' }),
        node('c'),
      ],
      pod: pod('p', { nodeSelector: { disk: 'ssd' } }),
      message:
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
    },
    {
      name: 'a claim that does not exist',
      nodes: [node('a')],
      pod: pod('p', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'nope' } }] }),
      message: '0/1 nodes are available: persistentvolumeclaim "nope" not found. not found',
    },
    { name: 'a cluster without nodes', nodes: [], pod: pod('p'), message: 'no nodes available to schedule pods' },
  ]
  it.each(refusals)('says what keeps a Pod waiting: $name', async ({ nodes, pod: refused, message }) => {
    const { cluster, condition, create } = await start(...nodes)
    await create(refused)
    expect(cluster.messages('FailedScheduling')).toEqual([message])
    expect(condition('p')).toMatchObject({ status: 'False', reason: 'Unschedulable', message })
  })

  it('tries again when something that stood in the way is gone, not before', async () => {
    const { cluster, nodeOf, create } = await start(node('a', { unschedulable: true }))
    await create(pod('p'))
    await cluster.settle(60_000)
    expect(cluster.messages('FailedScheduling')).toHaveLength(1)
    await cluster.change<Node>(resources.nodes, 'a', '', (copy) => {
      copy.spec = {}
    })
    await cluster.settle()
    expect(nodeOf('p')).toBe('a')
  })

  it('leaves gated Pods and Pods of other schedulers alone', async () => {
    const { nodeOf, create } = await start(node('a'))
    await create(pod('gated', { schedulingGates: [{ name: 'x' }] }), pod('other', { schedulerName: 'mine' }))
    expect([nodeOf('gated'), nodeOf('other')]).toEqual([undefined, undefined])
  })

  it('keeps Pods apart and together as their affinity says', async () => {
    const { nodeOf, condition, create } = await start(node('a'), node('b'))
    const apart = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near('one')] } } }
    const together = { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near('x')] } } }
    await create(pod('one-1', apart, {}, { app: 'one' }), pod('one-2', apart, {}, { app: 'one' }), pod('one-3', apart, {}, { app: 'one' }))
    expect(new Set([nodeOf('one-1'), nodeOf('one-2')])).toEqual(new Set(['a', 'b']))
    expect(condition('one-3')?.message).toMatch(/^0\/2 nodes are available: 2 node\(s\) didn't match pod anti-affinity rules\. /)
    await create(pod('x'), pod('with-x', together))
    expect(nodeOf('with-x')).toBe(nodeOf('x'))
  })

  it('spreads Pods over topologies', async () => {
    const { nodeOf, create } = await start(node('a', {}, { zone: '1' }), node('b', {}, { zone: '1' }), node('c', {}, { zone: '2' }))
    const spread = [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 's' } } }]
    for (let index = 0; index < 4; index++) await create(pod(`s-${index}`, { topologySpreadConstraints: spread }, {}, { app: 's' }))
    const zones = [0, 1, 2, 3].map((index) => (nodeOf(`s-${index}`) === 'c' ? '2' : '1'))
    expect(zones.filter((zone) => zone === '2')).toHaveLength(2)
  })

  it('prefers the emptier node', async () => {
    const { nodeOf, create } = await start(node('a'), node('b'))
    await create(pod('big', { nodeSelector: { 'kubernetes.io/hostname': 'a' } }, { cpu: '1500m', memory: '3Gi' }))
    await create(pod('p', {}, { cpu: '100m', memory: '100Mi' }))
    expect(nodeOf('p')).toBe('b')
  })

  it('makes room for a Pod of higher priority by deleting the least important Pods that suffice', async () => {
    const { cluster, nodeOf, create } = await start(node('a'))
    await create(pod('low', { priority: 1 }, { cpu: '1' }), pod('middle', { priority: 5 }, { cpu: '1' }))
    await create(pod('high', { priority: 10 }, { cpu: '1' }))
    const low = cluster.cache.get<Pod>(resources.pods, 'low', 'lab')
    expect(low?.metadata.deletionTimestamp).toBeDefined()
    expect(low?.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')).toMatchObject({
      reason: 'PreemptionByScheduler',
      message: 'default-scheduler: preempting to accommodate a higher priority pod',
    })
    expect(cluster.cache.get<Pod>(resources.pods, 'middle', 'lab')?.metadata.deletionTimestamp).toBeUndefined()
    expect(cluster.cache.get<Pod>(resources.pods, 'high', 'lab')?.status?.nominatedNodeName).toBe('a')
    expect(cluster.messages('FailedScheduling')).toEqual(['0/1 nodes are available: 1 Insufficient cpu.'])
    await cluster.client.delete(resources.pods, 'low', 'lab', { gracePeriodSeconds: 0 })
    await cluster.settle(2000)
    expect(nodeOf('high')).toBe('a')
  })

  describe('volumes', () => {
    const claim = (name: string, mode: string, volumeName: string) => ({
      apiVersion: 'v1' as const,
      kind: 'PersistentVolumeClaim' as const,
      metadata: { name, namespace: 'lab', annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
      spec: { accessModes: [mode], volumeName },
      status: { phase: 'Bound' },
    })
    const volume = (name: string, labels: Record<string, string> = {}, driver?: string) => ({
      apiVersion: 'v1' as const,
      kind: 'PersistentVolume' as const,
      metadata: { name, labels },
      spec: { ...(driver && { csi: { driver, volumeHandle: name } }) },
    })
    const using = (name: string, claimName: string) => pod(name, { volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] })

    it('that one Pod may use are refused to a second until the first is gone', async () => {
      const { cluster, nodeOf, condition, create } = await start(node('a'), node('b'))
      await cluster.client.create(resources.persistentVolumes, volume('v'))
      await cluster.client.create(resources.persistentVolumeClaims, claim('data', 'ReadWriteOncePod', 'v'))
      await create(using('first', 'data'))
      await create(using('second', 'data'))
      expect(condition('second')?.message).toMatch(
        /^0\/2 nodes are available: 2 node\(s\) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use/,
      )
      await cluster.client.delete(resources.pods, 'first', 'lab', { gracePeriodSeconds: 0 })
      await cluster.settle(20_000)
      expect(nodeOf('second')).toBeDefined()
    })

    it('keep a Pod in their zone', async () => {
      const zone = 'topology.kubernetes.io/zone'
      const { cluster, nodeOf, create } = await start(node('a', {}, { [zone]: 'one' }), node('b', {}, { [zone]: 'two' }))
      await cluster.client.create(resources.persistentVolumes, volume('v', { [zone]: 'two' }))
      await cluster.client.create(resources.persistentVolumeClaims, claim('data', 'ReadWriteOnce', 'v'))
      await create(using('p', 'data'))
      expect(nodeOf('p')).toBe('b')
    })

    it('of a driver are no more on a node than it takes', async () => {
      const { cluster, condition, create } = await start(node('a'))
      const drivers = [{ name: 'disks.example.com', nodeID: 'a', topologyKeys: [], allocatable: { count: 1 } }]
      await cluster.client.create(resources.csiNodes, {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'CSINode',
        metadata: { name: 'a' },
        spec: { drivers },
      } as never)
      for (const name of ['one', 'two']) {
        await cluster.client.create(resources.persistentVolumes, volume(`v-${name}`, {}, 'disks.example.com'))
        await cluster.client.create(resources.persistentVolumeClaims, claim(name, 'ReadWriteOnce', `v-${name}`))
        await create(using(name, name))
      }
      expect(condition('two')?.message).toMatch(/^0\/1 nodes are available: 1 node\(s\) exceed max volume count/)
    })
  })
})
