import { expect, test } from 'vitest'
import type { Cluster } from '../cluster.ts'
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
  const sidecar = { name: 's', image, command: ['sleep', '10000'], restartPolicy: 'Always', resources: { limits } }
  const first = { name: 'f', image, command: ['true'], resources: { limits: { 'ephemeral-storage': '25Mi' } } }
  const free = { name: 'c', image, command: writes('/x') }
  await create('beside', { initContainers: [sidecar], containers: [free] })
  await create('before', { initContainers: [sidecar, first], containers: [{ ...free, resources: { limits } }] })
  await create('after', { initContainers: [first, sidecar], containers: [{ ...free, command: writes('/x').with(2, 'sleep 10000') }] })
  await cluster.advance(100_000)
  const total = (sum: string) => `Pod ephemeral local storage usage exceeds the total limit of containers ${sum}. `
  expect(pod('beside')?.status).toMatchObject({ reason: 'Evicted', message: total('10Mi') })
  // 25Mi of the first container and the sidecar's that runs beside it: enough for the pod, too much for the one that writes.
  expect(pod('before')?.status?.message).toBe('Container c exceeded its local ephemeral storage limit "10Mi". ')
  expect(pod('after')?.status?.phase).toBe('Running')
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

/** Puts lines into a node's kubelet configuration under a key, and starts its kubelet again. */
const configure = (key: string, lines: string) =>
  `sed -i 's/^${key}:/${key}:\\n${lines}/' /var/lib/kubelet/config.yaml; systemctl restart kubelet`

test('a node short of processes has PID pressure, and ends those first that matter less and then those that have most', async () => {
  const { cluster, shell, create, pod, condition, taints } = await nodeCluster(2)
  const many = ['sh', '-c', 'for i in $(seq 40); do sleep 100000 & done; wait']
  await create('few', { nodeName: worker, containers: [{ name: 'c', image, command: ['sleep', '100000'] }] })
  await create('many', { nodeName: worker, containers: [{ name: 'c', image, command: many }] })
  await cluster.advance(20_000)
  const { maxpid, curproc } = (await stats(cluster)).rlimit
  const free = maxpid - curproc
  await shell(worker, configure('evictionHard', `  pid.available: "${free + 20}"`))
  await cluster.advance(12_000)
  expect(condition(worker, 'PIDPressure')).toMatchObject({
    status: 'True',
    reason: 'KubeletHasInsufficientPID',
    message: 'kubelet has insufficient PID available',
  })
  await cluster.advance(5000)
  expect(taints(worker)).toContain('node.kubernetes.io/pid-pressure:NoSchedule')
  expect(pod('many')?.status).toMatchObject({ phase: 'Failed', reason: 'Evicted' })
  const message = pod('many')?.status?.message ?? ''
  expect(message).toBe(`The node was low on resource: pids. Threshold quantity: ${free + 20}, available: ${free}. `)
  expect(eventsOf(cluster, worker)).toContain('EvictionThresholdMet: Attempting to reclaim pids')
  expect(eventsOf(cluster, worker)).toContain(`NodeHasInsufficientPID: Node ${worker} status is now: NodeHasInsufficientPID`)
  await cluster.advance(20_000)
  expect(pod('few')?.status?.phase).toBe('Running')
  await create('late', { nodeName: worker })
  await cluster.advance(3000)
  expect(pod('late')?.status?.message).toBe('Pod was rejected: The node had condition: [PIDPressure]. ')
})

test('a node short of files has disk pressure: images that nothing runs from go first, then the Pod with most files', async () => {
  const { cluster, shell, create, pod, condition } = await nodeCluster(2)
  const many = ['sh', '-c', 'mkdir /d; for i in $(seq 300); do : > /d/$i; done; sleep 100000']
  await create('tidy', { nodeName: worker, containers: [{ name: 'c', image, command: ['sleep', '100000'] }] })
  await create('messy', { nodeName: worker, containers: [{ name: 'c', image, command: many }] })
  await shell(worker, 'crictl pull docker.io/library/redis:7')
  await cluster.advance(30_000)
  expect((await shell(worker, 'crictl images')).text).toContain('redis')
  const free = (await stats(cluster)).fs.inodesFree
  await shell(worker, `sed -i '/nodefs.inodesFree/d' /var/lib/kubelet/config.yaml`)
  await shell(worker, configure('evictionHard', `  nodefs.inodesFree: "${free + 100}"`))
  await cluster.advance(12_000)
  expect(condition(worker, 'DiskPressure')).toMatchObject({ status: 'True', reason: 'KubeletHasDiskPressure' })
  expect((await shell(worker, 'crictl images')).text).not.toContain('redis')
  expect(pod('messy')?.status).toMatchObject({ phase: 'Failed', reason: 'Evicted' })
  expect(pod('messy')?.status?.message).toMatch(
    new RegExp(`^The node was low on resource: inodes\\. Threshold quantity: ${free + 100}, available: \\d+k?\\. $`),
  )
  expect(eventsOf(cluster, worker)).toContain('EvictionThresholdMet: Attempting to reclaim inodes')
  await cluster.advance(20_000)
  expect(pod('tidy')?.status?.phase).toBe('Running')
})

test('a soft threshold is waited for, and then gives no more time than the configuration allows', async () => {
  const { cluster, shell, create, pod, condition } = await nodeCluster(2)
  const command = ['sh', '-c', "trap 'echo asked' TERM; while true; do sleep 1; done"]
  await create('slow', { nodeName: worker, terminationGracePeriodSeconds: 60, containers: [{ name: 'c', image, command }] })
  await cluster.advance(20_000)
  const refused = await shell(
    worker,
    `echo 'evictionSoft: {memory.available: 7900Mi}' >> /var/lib/kubelet/config.yaml; systemctl restart kubelet`,
  )
  expect(refused.code).toBe(0)
  expect((await shell(worker, 'journalctl -u kubelet -n 8')).text).toContain(
    'failed to run Kubelet: failed to create kubelet: grace period must be specified for the soft eviction threshold memory.available',
  )
  const more = 'evictionSoftGracePeriod: {memory.available: 1m30s}\\nevictionMaxPodGracePeriod: 5'
  await shell(worker, `printf '${more}\\n' >> /var/lib/kubelet/config.yaml; systemctl restart kubelet`)
  await cluster.advance(15_000)
  expect(condition(worker, 'MemoryPressure')?.status).toBe('True')
  await cluster.advance(60_000)
  expect(pod('slow')?.status?.phase).toBe('Running')
  expect(pod('slow')?.metadata.deletionTimestamp).toBeUndefined()
  await cluster.advance(30_000)
  expect(pod('slow')?.status).toMatchObject({ phase: 'Failed', reason: 'Evicted' })
  expect(pod('slow')?.status?.message).toMatch(/^The node was low on resource: memory\. Threshold quantity: 7900Mi, available: /)
  const ended = pod('slow')?.status?.containerStatuses?.[0]?.state?.terminated
  expect(ended?.exitCode).toBe(137)
})

test('images above the high mark are removed down to the low one, the longest unused first, and the kubelet says where that is not enough', async () => {
  const { cluster, shell } = await nodeCluster(2)
  await shell(worker, 'crictl pull docker.io/library/redis:7')
  await cluster.advance(20_000)
  expect((await shell(worker, 'crictl images')).text).toContain('redis')
  await shell(
    worker,
    `sed -i 's/^imageGCHighThresholdPercent: 100/imageGCHighThresholdPercent: 10\\nimageGCLowThresholdPercent: 5/' /var/lib/kubelet/config.yaml; systemctl restart kubelet`,
  )
  await cluster.advance(15_000)
  expect((await shell(worker, 'crictl images')).text).not.toContain('redis')
  const journal = (await shell(worker, 'journalctl -u kubelet')).text
  expect(journal).toContain(
    '"Disk usage on image filesystem is over the high threshold, trying to free bytes down to the low threshold" usage=',
  )
  await cluster.advance(320_000)
  const events = eventsOf(cluster, worker)
  expect(events.find((text) => text.startsWith('FreeDiskSpaceFailed: '))).toMatch(
    /^FreeDiskSpaceFailed: Failed to garbage collect required amount of images\. Attempted to free \d+ bytes, but only found \d+ bytes eligible to free\.$/,
  )
  expect(events.some((text) => text.startsWith('ImageGCFailed: Failed to garbage collect'))).toBe(true)
})

interface Stats {
  fs: { inodesFree: number }
  rlimit: { maxpid: number; curproc: number }
}

async function stats(cluster: Cluster): Promise<Stats> {
  const answer = await cluster.request({ method: 'GET', path: `/api/v1/nodes/${worker}/proxy/stats/summary` })
  return (JSON.parse(answer.body as string) as { node: Stats }).node
}

function eventsOf(cluster: Cluster, node: string): string[] {
  const events = cluster.context.cache.list<Event>(resources.events).filter(({ involvedObject }) => involvedObject.name === node)
  return events.map(({ reason, message }) => `${reason}: ${message}`)
}
