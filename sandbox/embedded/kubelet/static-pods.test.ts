import { expect, test } from 'vitest'
import { resources } from '../machinery/object.ts'
import type { Event, Pod } from '../schema/types/core.v1.ts'
import { nodeCluster } from './testing/node-cluster.ts'

test("a manifest's pod runs on its node, shows in the API, comes back when it is deleted there, and goes with its file", async () => {
  const { cluster, shell, pod, node } = await nodeCluster(2)
  const web = () => pod('web-labernetes-worker')
  await shell('labernetes-worker', `cat > /etc/kubernetes/manifests/web.yaml <<'EOF'\n${manifest('nginx:1.27')}EOF`)
  await cluster.advance(10_000)
  const first = web()
  expect(first?.status).toMatchObject({ phase: 'Running', containerStatuses: [{ ready: true, restartCount: 0 }] })
  expect(first?.metadata.ownerReferences).toEqual([
    { apiVersion: 'v1', kind: 'Node', name: 'labernetes-worker', uid: node('labernetes-worker')?.metadata.uid, controller: true },
  ])
  const { annotations } = first?.metadata ?? {}
  expect(annotations?.['kubernetes.io/config.source']).toBe('file')
  expect(annotations?.['kubernetes.io/config.mirror']).toBe(annotations?.['kubernetes.io/config.hash'])
  const container = first?.status?.containerStatuses?.[0]?.containerID

  await cluster.request({ method: 'DELETE', path: '/api/v1/namespaces/default/pods/web-labernetes-worker' })
  await cluster.advance(5000)
  expect(web()?.metadata.uid).not.toBe(first?.metadata.uid)
  expect(web()?.metadata.deletionTimestamp).toBeUndefined()
  expect(web()?.status?.containerStatuses?.[0]?.containerID).toBe(container)

  await shell('labernetes-worker', 'sed -i s/1.27/1.28/ /etc/kubernetes/manifests/web.yaml')
  await cluster.advance(20_000)
  expect(web()?.spec?.containers[0]?.image).toBe('nginx:1.28')
  expect(web()?.status?.phase).toBe('Running')
  expect(web()?.metadata.annotations?.['kubernetes.io/config.hash']).not.toBe(annotations?.['kubernetes.io/config.hash'])

  await shell('labernetes-worker', 'mv /etc/kubernetes/manifests/web.yaml /root/')
  await cluster.advance(10_000)
  expect(web()).toBeUndefined()
})

test('without its manifest the scheduler schedules nothing, and goes on when it is back', async () => {
  const { cluster, shell, create, pod } = await nodeCluster(1)
  await shell('labernetes-control-plane', 'mv /etc/kubernetes/manifests/kube-scheduler.yaml /tmp/')
  await cluster.advance(10_000)
  expect(cluster.context.cache.get(resources.pods, 'kube-scheduler-labernetes-control-plane', 'kube-system')).toBeUndefined()
  await create('waits', {})
  await cluster.advance(30_000)
  expect(pod('waits')?.spec?.nodeName).toBeUndefined()
  await using fork = await cluster.fork()
  await fork.advance(10_000)
  expect(fork.context.cache.get<Pod>(resources.pods, 'waits', 'default')?.spec?.nodeName).toBeUndefined()
  await shell('labernetes-control-plane', 'mv /tmp/kube-scheduler.yaml /etc/kubernetes/manifests/')
  await cluster.advance(10_000)
  expect(pod('waits')?.status?.phase).toBe('Running')
})

test('a flag that the scheduler does not know ends it again and again', async () => {
  const { cluster, shell, create, pod } = await nodeCluster(1)
  await shell('labernetes-control-plane', 'sed -i s/--leader-elect=/--leader-elekt=/ /etc/kubernetes/manifests/kube-scheduler.yaml')
  await cluster.advance(60_000)
  const scheduler = cluster.context.cache.get<Pod>(resources.pods, 'kube-scheduler-labernetes-control-plane', 'kube-system')
  expect(scheduler?.status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe('CrashLoopBackOff')
  await create('waits', {})
  await cluster.advance(10_000)
  expect(pod('waits')?.spec?.nodeName).toBeUndefined()
})

test('without its manifest the API server answers nobody; pods run on, and it comes back', async () => {
  const { cluster, shell, create, pod } = await nodeCluster(1)
  await create('web', {})
  await cluster.advance(10_000)
  await shell('labernetes-control-plane', 'mv /etc/kubernetes/manifests/kube-apiserver.yaml /tmp/')
  await cluster.advance(120_000)
  const answer = await cluster.request({ method: 'GET', path: '/api/v1/nodes' })
  expect(answer.status).toBe(503)
  await shell('labernetes-control-plane', 'mv /tmp/kube-apiserver.yaml /etc/kubernetes/manifests/')
  await cluster.advance(60_000)
  expect((await cluster.request({ method: 'GET', path: '/api/v1/nodes' })).status).toBe(200)
  expect(pod('web')?.status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 })
  expect(cluster.context.cache.get(resources.pods, 'kube-apiserver-labernetes-control-plane', 'kube-system')).toBeDefined()
  await create('later', {})
  await cluster.advance(10_000)
  expect(pod('later')?.status?.phase).toBe('Running')
})

function manifest(image: string): string {
  return `apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  terminationGracePeriodSeconds: 2\n  containers:\n  - name: web\n    image: ${image}\n`
}

test("an etcd of somebody's own runs, and does not stand in for the cluster's", async () => {
  const { cluster, shell, create, pod } = await nodeCluster(2)
  const command = [
    '/usr/local/bin/etcd',
    '--listen-client-urls',
    'http://127.0.0.1:2379',
    '--advertise-client-urls',
    'http://127.0.0.1:2379',
  ]
  const image = 'registry.k8s.io/etcd:3.6.4-0'
  await create('own', { nodeName: 'labernetes-worker', containers: [{ name: 'etcd', image, command }] })
  await cluster.advance(20_000)
  expect(pod('own')?.status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 })
  await shell('labernetes-control-plane', 'mv /etc/kubernetes/manifests/etcd.yaml /root/')
  await cluster.advance(60_000)
  const answer = await cluster.request({ method: 'GET', path: '/api/v1/nodes' })
  expect(answer.status).toBe(503)
})

test("a control plane's parts answer probes as kubeadm's manifests ask them; one that asks for what is not there restarts its part", async () => {
  const { cluster, shell, pod } = await nodeCluster(1)
  const control = 'labernetes-control-plane'
  const part = (name: string) => pod(`${name}-${control}`, 'kube-system')?.status?.containerStatuses?.[0]
  const parts = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']
  await cluster.advance(60_000)
  for (const name of parts) expect([name, part(name)]).toMatchObject([name, { ready: true, started: true, restartCount: 0 }])
  const curl = async (url: string) => (await shell(control, `curl -sk -w ' %{http_code}' ${url}`)).text
  expect(await curl('https://127.0.0.1:10259/readyz')).toBe('ok 200')
  expect(await curl('http://127.0.0.1:2381/health')).toBe('{"health":"true","reason":""} 200')
  expect(await curl('https://127.0.0.1:10257/nope')).toBe('404 page not found\n 404')
  expect((await shell(control, 'ss -ltn')).text).toContain('127.0.0.1:10257')

  const wrong = '/livenessProbe:/,/port:/s#port: .*#port: 10260#'
  await shell(control, `sed -i '${wrong}' /etc/kubernetes/manifests/kube-scheduler.yaml`)
  await cluster.advance(60_000)
  expect(part('kube-scheduler')).toMatchObject({ ready: true, restartCount: 0 })
  // eight failures ten seconds apart
  await cluster.advance(60_000)
  expect(part('kube-scheduler')?.restartCount).toBeGreaterThan(0)
  const events = cluster.context.cache.list<Event>(resources.events).map(({ message }) => message ?? '')
  const dial = 'Liveness probe failed: Get "https://127.0.0.1:10260/livez": dial tcp 127.0.0.1:10260: connect: connection refused'
  expect(events).toContain(dial)
  expect(events.some((text) => text.includes('Container kube-scheduler failed liveness probe, will be restarted'))).toBe(true)
})
