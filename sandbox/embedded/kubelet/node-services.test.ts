import { expect, test } from 'vitest'
import { nodeCluster } from './testing/node-cluster.ts'

const worker = 'labernetes-worker'

test('a stopped kubelet: its containers run on, its node is given up, its pods are driven away and gone when it is back', async () => {
  const { cluster, shell, create, pod, condition, taints } = await nodeCluster(3)
  const toleration = { operator: 'Exists' as const, effect: 'NoExecute', tolerationSeconds: 30 }
  await create('web', { nodeName: worker, tolerations: [{ key: 'node.kubernetes.io/unreachable', ...toleration }] })
  await create('stays', { nodeName: worker })
  await cluster.advance(20_000)
  const before = pod('stays')?.status?.containerStatuses?.[0]?.containerID
  const ip = pod('stays')?.status?.podIP

  expect(await shell(worker, 'systemctl is-active kubelet; systemctl stop kubelet; systemctl is-active kubelet')).toEqual({
    text: 'active\ninactive\n',
    code: 3,
  })
  await cluster.advance(30_000)
  expect(condition(worker, 'Ready')?.status).toBe('True')
  await cluster.advance(25_000)
  expect(condition(worker, 'Ready')).toMatchObject({
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.',
  })
  expect(taints(worker)).toEqual(['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'])
  expect(pod('stays')?.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('False')
  await cluster.advance(40_000)
  expect(pod('web')?.metadata.deletionTimestamp).toBeDefined()
  expect(pod('web')?.status?.phase).toBe('Running')
  expect((await shell('labernetes-worker2', `curl -s -o /dev/null -w '%{http_code}' http://${ip}`)).text).toBe('200')

  const logs = cluster.nodeApi.logs('default', 'stays', {}, new AbortController().signal)
  const address = '172.18.0.3:10250'
  await expect(logs).rejects.toThrow(
    `Get "https://${address}/containerLogs/default/stays/c": dial tcp ${address}: connect: connection refused`,
  )

  await shell(worker, 'systemctl start kubelet')
  await cluster.advance(10_000)
  expect(condition(worker, 'Ready')).toMatchObject({ status: 'True', reason: 'KubeletReady' })
  expect(taints(worker)).toEqual([])
  expect(pod('web')).toBeUndefined()
  expect(pod('stays')?.status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0, containerID: before })
})

test('what somebody else says of a pod is set right by its kubelet', async () => {
  const { cluster, create, pod } = await nodeCluster(2)
  await create('web', { nodeName: worker })
  await cluster.advance(20_000)
  const ready = () => pod('web')?.status?.conditions?.find(({ type }) => type === 'Ready')?.status
  expect(ready()).toBe('True')
  // as the node controller does where a node is not ready
  const body = { status: { conditions: [{ type: 'Ready', status: 'False' }] } }
  const contentType = 'application/strategic-merge-patch+json'
  await cluster.request({ method: 'PATCH', path: '/api/v1/namespaces/default/pods/web/status', body, contentType })
  expect(ready()).toBe('False')
  await cluster.advance(10_000)
  expect(ready()).toBe('True')
})

test('what happened while a kubelet was stopped it finds out when it starts: containers that ended, pods that are no more', async () => {
  const { cluster, shell, create, pod } = await nodeCluster(2)
  await create('ends', { nodeName: worker, containers: [{ name: 'c', image: 'busybox:1.36', command: ['sleep', '60'] }] })
  await create('forced', { nodeName: worker })
  await cluster.advance(10_000)
  await shell(worker, 'systemctl stop kubelet')
  await cluster.request({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/forced?gracePeriodSeconds=0' })
  await create('comes', { nodeName: worker })
  await cluster.advance(90_000)
  expect(pod('ends')?.status?.containerStatuses?.[0]?.restartCount).toBe(0)
  expect(pod('comes')?.status?.phase).toBe('Pending')
  await using fork = await cluster.fork()
  await fork.advance(30_000)
  const inFork = await fork.request({ method: 'GET', path: '/api/v1/namespaces/default/pods/comes' })
  expect(inFork.body).toMatchObject({ status: { phase: 'Pending' } })
  await shell(worker, 'systemctl restart kubelet')
  await cluster.advance(20_000)
  expect(pod('ends')?.status?.containerStatuses?.[0]).toMatchObject({ restartCount: 1, state: { running: {} } })
  expect(pod('comes')?.status?.phase).toBe('Running')
})

test('a node that is cut off from the others is given up, and catches up when the cable is back', async () => {
  const { cluster, shell, create, pod, condition } = await nodeCluster(2)
  await create('web', { nodeName: worker })
  await create('gone', { nodeName: worker })
  await cluster.advance(10_000)
  await shell(worker, 'ip link set eth0 down')
  await cluster.advance(100_000)
  expect(condition(worker, 'Ready')).toMatchObject({ status: 'Unknown', reason: 'NodeStatusUnknown' })
  await cluster.request({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/gone' })
  await cluster.advance(20_000)
  expect(pod('gone')).toBeDefined()
  expect((await shell(worker, 'journalctl -u kubelet --no-pager | grep -c "Failed to update lease"')).text).toBe('1\n')
  await shell(worker, 'ip link set eth0 up; ip route add default via 172.18.0.1')
  await cluster.advance(30_000)
  expect(condition(worker, 'Ready')?.status).toBe('True')
  expect(pod('gone')).toBeUndefined()
  expect(pod('web')?.status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 })
})

test('a kubelet whose configuration names a file that is not there does not start, and says so', async () => {
  const { cluster, shell, condition } = await nodeCluster(2)
  await shell(worker, 'sed -i s/ca.crt/nope.crt/ /var/lib/kubelet/config.yaml; systemctl restart kubelet')
  await cluster.advance(70_000)
  expect(condition(worker, 'Ready')?.status).toBe('Unknown')
  const { text, code } = await shell(worker, 'systemctl status kubelet')
  expect(code).toBe(3)
  expect(text).toContain('Active: activating (auto-restart) (Result: exit-code) since')
  expect(text).toContain(
    '"command failed" err="failed to construct kubelet dependencies: unable to load client CA file /etc/kubernetes/pki/nope.crt: open /etc/kubernetes/pki/nope.crt: no such file or directory"',
  )
  await shell(worker, 'sed -i s/nope.crt/ca.crt/ /var/lib/kubelet/config.yaml')
  await cluster.advance(15_000)
  expect(condition(worker, 'Ready')?.status).toBe('True')
})

test('a kubelet reads where the API server is once, when it begins', async () => {
  const { cluster, shell, condition } = await nodeCluster(2)
  await cluster.advance(20_000)
  const ready = () => condition(worker, 'Ready')?.status
  const moved = await shell(worker, 'sed -i s/:6443/:6444/ /etc/kubernetes/kubelet.conf && grep -c :6444 /etc/kubernetes/kubelet.conf')
  expect(moved.text).toBe('1\n')
  await cluster.advance(60_000)
  expect(ready()).toBe('True')
  await shell(worker, 'systemctl restart kubelet')
  await cluster.advance(60_000)
  expect(ready()).toBe('Unknown')
  expect((await shell(worker, 'journalctl -u kubelet | grep -o "6444: connect: connection refused" | head -1')).text).not.toBe('')
  await shell(worker, 'sed -i s/:6444/:6443/ /etc/kubernetes/kubelet.conf')
  await cluster.advance(60_000)
  expect(ready()).toBe('Unknown')
  await shell(worker, 'systemctl restart kubelet')
  await cluster.advance(10_000)
  expect(ready()).toBe('True')
})

test('without its runtime a node is not ready; containers run on', async () => {
  const { cluster, shell, create, pod, condition } = await nodeCluster(2)
  await create('web', { nodeName: worker })
  await cluster.advance(10_000)
  await shell(worker, 'systemctl stop containerd')
  await cluster.advance(60_000)
  expect(condition(worker, 'Ready')).toMatchObject({ status: 'False', reason: 'KubeletNotReady' })
  expect(condition(worker, 'Ready')?.message).toContain('container runtime is down')
  await shell(worker, 'systemctl start containerd')
  await cluster.advance(15_000)
  expect(condition(worker, 'Ready')?.status).toBe('True')
  expect(pod('web')?.status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 })
})

test("the journal tells of images that are not there and containers that crash, in the kubelet's words", async () => {
  const { cluster, shell, create, pod } = await nodeCluster(1)
  await create('typo', { image: 'nginx:nope' })
  await create('crash', { containers: [{ name: 'c', image: 'busybox:1.36', command: ['false'] }] })
  await cluster.advance(30_000)
  const node = 'labernetes-control-plane'
  const { text } = await shell(node, 'journalctl -u kubelet --no-pager --since "1 min ago"')
  expect(text).toMatch(/^Jan 01 00:00:\d\d labernetes-control-plane kubelet\[651\]: E0101 00:00:\d\d\.\d{6} {5}651 /m)
  expect(text).toContain('kuberuntime_image.go:43] "Failed to pull image" err="')
  const back = `back-off 10s restarting failed container=c pod=crash_default(${pod('crash')?.metadata.uid})`
  expect(text).toContain(
    `"Error syncing pod, skipping" err="failed to \\"StartContainer\\" for \\"c\\" with CrashLoopBackOff: \\"${back}\\"" pod="default/crash"`,
  )
  expect((await shell(node, 'journalctl -u containerd -o cat')).text).toContain('level=info msg="PullImage \\"nginx:nope\\""')
  expect((await shell(node, 'journalctl -u kubelet --since -1s --until -1h')).text).toBe('-- No entries --\n')
})
