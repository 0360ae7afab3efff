import { expect, test } from 'vitest'
import { resources } from '../machinery/object.ts'
import type { Event } from '../schema/types/core.v1.ts'
import { nodeCluster } from './testing/node-cluster.ts'

const worker = 'labernetes-worker'
const image = 'busybox:1.36'
const writes = (path: string) => ['sh', '-c', `dd if=/dev/zero of=${path} bs=1M count=30; sleep 10000`]

test('a Pod that writes more than it may is evicted: above its ephemeral-storage limit, or that of an emptyDir', async () => {
  const { cluster, create, pod } = await nodeCluster(1)
  const limits = { 'ephemeral-storage': '10Mi' }
  await create('eph', { containers: [{ name: 'c', image, command: writes('/x'), resources: { limits } }] })
  const volumes = [{ name: 'v', emptyDir: { sizeLimit: '10Mi' } }]
  const mounted = { name: 'c', image, command: writes('/v/x'), volumeMounts: [{ name: 'v', mountPath: '/v' }] }
  await create('dir', { volumes, containers: [mounted] })
  await create('fits', { volumes: [{ name: 'v', emptyDir: { sizeLimit: '40Mi' } }], containers: [mounted] })
  await cluster.advance(100_000)
  expect(pod('eph')?.status).toMatchObject({
    phase: 'Failed',
    reason: 'Evicted',
    message: 'Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ',
  })
  expect(pod('eph')?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(137)
  expect(pod('eph')?.status?.conditions?.some(({ type }) => type === 'DisruptionTarget')).toBe(false)
  expect(pod('dir')?.status).toMatchObject({ reason: 'Evicted', message: 'Usage of EmptyDir volume "v" exceeds the limit "10Mi". ' })
  expect(pod('fits')?.status?.phase).toBe('Running')
})

test('a node short of memory says so, takes no more Pods that ask for none, and ends those first that use more than they asked for', async () => {
  const { cluster, shell, create, pod, condition, taints } = await nodeCluster(2)
  const resourcesOf = (memory: string) => ({ requests: { memory } })
  await create('modest', { nodeName: worker, containers: [{ name: 'c', image: 'nginx:1.27', resources: resourcesOf('500Mi') }] })
  await create('greedy', { nodeName: worker, containers: [{ name: 'c', image: 'nginx:1.27' }] })
  await cluster.advance(20_000)
  await shell(
    worker,
    `sed -i 's/^evictionHard:/evictionHard:\\n  memory.available: 7700Mi/' /var/lib/kubelet/config.yaml; systemctl restart kubelet`,
  )
  await cluster.advance(12_000)
  expect(condition(worker, 'MemoryPressure')).toMatchObject({ status: 'True', reason: 'KubeletHasInsufficientMemory' })
  await cluster.advance(5000)
  expect(taints(worker)).toContain('node.kubernetes.io/memory-pressure:NoSchedule')
  expect(pod('greedy')?.status).toMatchObject({ phase: 'Failed', reason: 'Evicted' })
  expect(pod('greedy')?.status?.message).toMatch(
    /^The node was low on resource: memory\. Threshold quantity: 7700Mi, available: \d+Ki\. Container c was using \d+(Ki|Mi), request is 0, has larger consumption of memory\. $/,
  )
  expect(pod('greedy')?.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason).toBe('TerminationByKubelet')
  const events = cluster.context.cache.list<Event>(resources.events).filter(({ involvedObject }) => involvedObject.name === worker)
  expect(events.map(({ reason, message }) => `${reason}: ${message}`)).toEqual(
    expect.arrayContaining([
      'EvictionThresholdMet: Attempting to reclaim memory',
      `NodeHasInsufficientMemory: Node ${worker} status is now: NodeHasInsufficientMemory`,
    ]),
  )
  await create('late', { nodeName: worker })
  await cluster.advance(3000)
  expect(pod('late')?.status).toMatchObject({
    phase: 'Failed',
    reason: 'Evicted',
    message: 'Pod was rejected: The node had condition: [MemoryPressure]. ',
  })
  await shell(worker, `sed -i '/memory.available/d' /var/lib/kubelet/config.yaml; systemctl restart kubelet`)
  await cluster.advance(20_000)
  expect(condition(worker, 'MemoryPressure')?.status).toBe('False')
  expect(taints(worker)).toEqual([])
})
