import { expect, test } from 'vitest'
import { nodeCluster } from '../kubelet/testing/node-cluster.ts'

const policies = '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies'

test('policies hold for Pods on one node and on two, for both sides, for nodes and for who comes from outside', async () => {
  const { cluster, create, pod } = await nodeCluster(2)
  const [control, worker] = ['labernetes-control-plane', 'labernetes-worker']
  const make = async (name: string, nodeName: string, labels: object, more: object = {}) => {
    const containers = [
      {
        name: 'c',
        image: 'registry.k8s.io/e2e-test-images/agnhost:2.53',
        args: ['netexec'],
        readinessProbe: { httpGet: { path: '/healthz', port: 8080 }, periodSeconds: 1 },
      },
    ]
    await create(name, { nodeName, containers, ...more })
    await cluster.request({ method: 'PATCH', path: `/api/v1/namespaces/default/pods/${name}`, body: { metadata: { labels } } })
  }
  await make('server', worker, { app: 'server' })
  await make('near', worker, { app: 'near' })
  await make('far', control, { app: 'far' })
  await make('host', control, { app: 'near' }, { hostNetwork: true })
  const ports = [{ name: 'tcp', port: 80, targetPort: 8080, nodePort: 30090 }]
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'server' },
    spec: { type: 'NodePort', selector: { app: 'server' }, ports },
  }
  await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/services', body: service })
  await cluster.advance(20_000)
  const ip = pod('server')?.status?.podIP ?? ''

  const from = async (name: string, to: string) => {
    const command = ['/agnhost', 'connect', '--timeout=1s', to]
    const process = await cluster.nodeApi.exec('default', name, { command, stdin: false, stdout: true, stderr: true, tty: false })
    let code: number | undefined
    void process.exited.then(({ exitCode }) => {
      code = exitCode
    })
    for (let step = 0; code === undefined && step < 100; step++) await cluster.advance(100)
    return code === 0
  }
  const outside = async (to: string, port: number) => {
    let result: boolean | undefined
    cluster
      .outside()
      .connect(to, port)
      .then(
        (connection) => {
          connection[Symbol.dispose]()
          result = true
        },
        () => {
          result = false
        },
      )
    for (let step = 0; result === undefined && step < 200; step++) await cluster.advance(1000)
    return result
  }
  const reach = async () => ({
    near: await from('near', `${ip}:8080`),
    far: await from('far', `${ip}:8080`),
    host: await from('host', `${ip}:8080`),
    outside: await outside('172.18.0.3', 30090),
  })
  const apply = async (name: string, spec: object) => {
    await cluster.request({
      method: 'POST',
      path: policies,
      body: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name }, spec },
    })
    await cluster.advance(1000)
  }
  const onServer = { podSelector: { matchLabels: { app: 'server' } } }
  expect(await reach()).toEqual({ near: true, far: true, host: true, outside: true })

  await apply('none', onServer)
  expect(await reach()).toEqual({ near: false, far: false, host: false, outside: false })
  // The kubelet of the Pod's own node is let in always.
  await cluster.advance(10_000)
  expect(pod('server')?.status?.containerStatuses?.[0]?.ready).toBe(true)

  await apply('near', { ...onServer, ingress: [{ from: [{ podSelector: { matchLabels: { app: 'near' } } }] }] })
  expect(await reach()).toEqual({ near: true, far: false, host: false, outside: false })

  await apply('host', { ...onServer, ingress: [{ from: [{ ipBlock: { cidr: '172.18.0.2/32' } }] }] })
  expect(await reach()).toEqual({ near: true, far: false, host: true, outside: false })

  await apply('outside', { ...onServer, ingress: [{ from: [{ ipBlock: { cidr: '172.18.0.1/32' } }], ports: [{ port: 8080 }] }] })
  expect(await reach()).toEqual({ near: true, far: false, host: true, outside: true })

  await apply('out', {
    podSelector: { matchLabels: { app: 'near' } },
    policyTypes: ['Egress'],
    egress: [{ ports: [{ port: 8081, protocol: 'UDP' }] }],
  })
  expect(await reach()).toEqual({ near: false, far: false, host: true, outside: true })

  for (const name of ['none', 'near', 'host', 'outside', 'out']) await cluster.request({ method: 'DELETE', path: `${policies}/${name}` })
  expect(await reach()).toEqual({ near: true, far: true, host: true, outside: true })
})
