import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { linkOf, lookScript, namespaceOf, parseNetwork } from '../../check/network.ts'
import { applyManifests } from '../../manifests.ts'
import { Cluster } from '../cluster.ts'
import { ApiError } from '../machinery/errors.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'

/** flannel as its manifest installs it, on nodes that come without a network plugin. */
const start = Date.parse('2030-01-01T00:00:00Z')
const errors: unknown[] = []
let cluster: Cluster

beforeAll(async () => {
  cluster = await Cluster.open({ nodes: 3, cni: 'none', clock: { start, rate: 0 }, report: (...error) => errors.push(error) })
  await cluster.advance(20_000)
})
afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

describe('without a network plugin', () => {
  test('nodes are not ready and say why', async () => {
    const ready = (await node('labernetes-worker')).status?.conditions?.find(({ type }) => type === 'Ready')
    expect(ready).toMatchObject({
      status: 'False',
      reason: 'KubeletNotReady',
      message:
        'container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized',
    })
  })
})

describe('with flannel', () => {
  beforeAll(async () => {
    const manifest = await readFile(join(import.meta.dirname, '../../kind/flannel.yaml'), 'utf8')
    await applyManifests((request) => cluster.request(request), manifest)
    await cluster.advance(60_000)
    for (const [name, on] of [
      ['web', 'labernetes-worker2'],
      ['client', 'labernetes-worker'],
    ]) {
      const command = name === 'client' ? ['sleep', '1000000'] : undefined
      const spec = { nodeName: on, containers: [{ name: 'c', image: name === 'web' ? 'nginx:1.27' : 'busybox:1.36', command }] }
      const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }
      expect(await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body })).toMatchObject({ status: 201 })
    }
    await cluster.advance(30_000)
  })

  test('nodes become ready and tell their leases', async () => {
    const { status, metadata } = await node('labernetes-worker')
    expect(status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True')
    expect(metadata.annotations).toMatchObject({
      'flannel.alpha.coreos.com/backend-type': 'vxlan',
      'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
      'flannel.alpha.coreos.com/public-ip': '172.18.0.3',
    })
  })

  test('the node shows what flannel and its plugin have made', async () => {
    const mac = await vtep('labernetes-worker2')
    expect(await on('cat /run/flannel/subnet.env')).toBe(
      'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
    )
    expect(await on('ls /etc/cni/net.d /opt/cni/bin | tr "\\n" " "')).toContain('10-flannel.conflist')
    expect(await on('ip route')).toBe(
      [
        'default via 172.18.0.1 dev eth0 ',
        '10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink ',
        '10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1 ',
        '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink ',
        '172.18.0.0/16 dev eth0 proto kernel scope link src 172.18.0.3 ',
        '',
      ].join('\n'),
    )
    expect(await on('ip neigh show dev flannel.1')).toContain(`10.244.2.0 lladdr ${mac} PERMANENT`)
    expect(await on('bridge fdb show dev flannel.1')).toContain(`${mac} dst 172.18.0.4 self permanent`)
    expect(await on('ip -d link show flannel.1')).toContain('vxlan id 1 local 172.18.0.3 dev eth0 srcport 0 0 dstport 8472 nolearning')
    expect(await on('ip -br addr show cni0')).toBe('cni0             UP             10.244.1.1/24 \n')
  })

  test('labs read the state of a node from it as from any other', async () => {
    const state = parseNetwork(await on(lookScript))
    const mac = await vtep('labernetes-worker2')
    expect(linkOf(state, '', 'flannel.1')).toMatchObject({
      kind: 'vxlan',
      mtu: 1450,
      addresses: ['10.244.1.0/32'],
      vxlan: { id: 1, port: 8472, local: '172.18.0.3', device: 'eth0', learning: false },
    })
    const { routes, fdb, neighbours, forwarding, rules } = namespaceOf(state)
    expect(routes).toContainEqual({ to: '10.244.2.0/24', via: '10.244.2.0', device: 'flannel.1', onlink: true })
    expect(fdb).toContainEqual({ mac, device: 'flannel.1', to: '172.18.0.4', permanent: true })
    expect(neighbours).toContainEqual({ address: '10.244.2.0', device: 'flannel.1', mac, permanent: true })
    expect(forwarding).toBe(true)
    expect(rules).toContain('-t filter -A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT')
    // As kube-proxy calls these on a real node.
    expect(rules.filter((rule) => rule.includes('KUBE-SVC-TCOU7JCQXEZGVUNU') && rule.includes('-A KUBE-SERVICES'))).toEqual([
      '-t nat -A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU',
    ])
    expect(await on('ip -4 -o addr show dev eth0')).toMatch(
      /^\d+: eth0 {4}inet 172\.18\.0\.3\/16 brd 172\.18\.255\.255 scope global eth0\\ /,
    )
    expect(await on('ping -n -c 2 -W 1 172.18.0.4')).toMatch(/2 packets transmitted, 2 received, 0% packet loss/)
  })

  test.each([
    ['a forwarding entry', 'bridge fdb del $MAC dev flannel.1', 'bridge fdb add $MAC dev flannel.1 dst 172.18.0.4 self permanent'],
    ['a neighbour', 'ip neigh del 10.244.2.0 dev flannel.1', 'ip neigh add 10.244.2.0 lladdr $MAC dev flannel.1 nud permanent'],
    ['a route', 'ip route del 10.244.2.0/24', 'ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink'],
    ['the tunnel packets', 'iptables -A INPUT -p udp --dport 8472 -j DROP', 'iptables -D INPUT -p udp --dport 8472 -j DROP'],
    ['forwarding', 'sysctl -w net.ipv4.ip_forward=0', 'sysctl -w net.ipv4.ip_forward=1'],
    ['the bridge', 'ip link set cni0 down', 'ip link set cni0 up'],
    ['the underlay', 'ip link set eth0 down', 'ip link set eth0 up; ip route add default via 172.18.0.1'],
    ['a wrong peer', 'bridge fdb replace $MAC dev flannel.1 dst 172.18.0.2', 'bridge fdb replace $MAC dev flannel.1 dst 172.18.0.4'],
  ])('traffic between nodes stops without %s and comes back with it', async (_what, broken, mended) => {
    const mac = await vtep('labernetes-worker2')
    expect(await reaches()).toBe(true)
    await on(broken.replace('$MAC', mac))
    expect(await reaches()).toBe(false)
    await cluster.advance(30_000)
    expect(await reaches()).toBe(false)
    await on(mended.replace('$MAC', mac))
    expect(await reaches()).toBe(true)
  })

  test('a pod loses its network with its wire', async () => {
    const ip = (await pod('client')).status?.podIP
    const wire =
      (await on('ip -br link show type veth'))
        .split('\n')
        .find((line) => line.includes('UP'))
        ?.split('@')[0] ?? ''
    const veths = (await on('ip -o link show type veth')).length
    expect([ip?.startsWith('10.244.1.'), wire.startsWith('veth'), veths > 0]).toEqual([true, true, true])
    for (const each of (await on('ip -br link show master cni0')).trim().split('\n')) await on(`ip link set ${each.split('@')[0]} down`)
    expect(await reaches()).toBe(false)
    for (const each of (await on('ip -br link show master cni0')).trim().split('\n')) await on(`ip link set ${each.split('@')[0]} up`)
    expect(await reaches()).toBe(true)
  })

  test('what is broken stays broken in a fork, and flannel mends it when its pod is started again', async () => {
    const mac = await vtep('labernetes-worker2')
    await on(`bridge fdb del ${mac} dev flannel.1`)
    const fork = await cluster.fork()
    onTestFinished(() => fork[Symbol.asyncDispose]())
    await fork.advance(20_000)
    expect(await reaches(fork)).toBe(false)
    const pods = (await fork.request({ method: 'GET', path: '/api/v1/namespaces/kube-flannel/pods' })).body as { items: Pod[] }
    const flannel = pods.items.find(({ spec }) => spec?.nodeName === 'labernetes-worker')?.metadata.name
    await fork.request({ method: 'DELETE', path: `/api/v1/namespaces/kube-flannel/pods/${flannel}` })
    await fork.advance(60_000)
    expect(await reaches(fork)).toBe(true)
    await on(`bridge fdb add ${mac} dev flannel.1 dst 172.18.0.4`)
    expect(await reaches()).toBe(true)
  })

  test.each([
    ['rm /run/flannel/subnet.env', 'loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file or directory'],
    ['rm /opt/cni/bin/flannel', 'failed to find plugin "flannel" in path [/opt/cni/bin]'],
  ])('after %s a new pod says what is missing', async (broken, reason) => {
    const fork = await cluster.fork()
    onTestFinished(() => fork[Symbol.asyncDispose]())
    await on(broken, fork)
    const spec = { nodeName: 'labernetes-worker', containers: [{ name: 'c', image: 'nginx:1.27' }] }
    await fork.request({
      method: 'POST',
      path: '/api/v1/namespaces/default/pods',
      body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'new' }, spec },
    })
    await fork.advance(10_000)
    const events = (await fork.request({ method: 'GET', path: '/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=new' }))
      .body
    const messages = (events as { items: { reason: string; message: string }[] }).items.filter(
      (event) => event.reason === 'FailedCreatePodSandBox',
    )
    expect(messages[0]?.message).toMatch(
      /^Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "[0-9a-f]{64}": /,
    )
    expect(messages[0]?.message).toContain(`plugin type="flannel" failed (add): ${reason}`)
  })

  test('flannel changes from tunnels to routes when its ConfigMap says so and its pods start again', async () => {
    const fork = await cluster.fork()
    onTestFinished(() => fork[Symbol.asyncDispose]())
    const config = JSON.stringify({ Network: '10.244.0.0/16', Backend: { Type: 'host-gw' } })
    const path = '/api/v1/namespaces/kube-flannel'
    await fork.request({ method: 'PATCH', path: `${path}/configmaps/kube-flannel-cfg`, body: { data: { 'net-conf.json': config } } })
    await fork.advance(1000)
    expect(await on('ip route get 10.244.2.9', fork)).toContain('via 10.244.2.0 dev flannel.1')
    await fork.request({ method: 'DELETE', path: `${path}/pods` })
    await fork.advance(90_000)
    expect(await on('ip route get 10.244.2.9', fork)).toContain('via 172.18.0.4 dev eth0')
    expect(await on('grep MTU /run/flannel/subnet.env', fork)).toBe('FLANNEL_MTU=1500\n')
    expect(await reaches(fork)).toBe(true)
  })

  test('flanneld does not start for a network that the nodes are not in', async () => {
    const fork = await cluster.fork()
    onTestFinished(() => fork[Symbol.asyncDispose]())
    const config = JSON.stringify({ Network: '10.245.0.0/16', Backend: { Type: 'vxlan' } })
    const path = '/api/v1/namespaces/kube-flannel'
    await fork.request({ method: 'PATCH', path: `${path}/configmaps/kube-flannel-cfg`, body: { data: { 'net-conf.json': config } } })
    await fork.request({ method: 'DELETE', path: `${path}/pods` })
    await fork.advance(90_000)
    const { items } = (await fork.request({ method: 'GET', path: `${path}/pods` })).body as { items: Pod[] }
    expect(items.map(({ status }) => status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode)).toEqual([1, 1, 1])
    // What the kernel has been told it still does.
    expect(await reaches(fork)).toBe(true)
  })

  test('a node without its network configuration is not ready any more', async () => {
    const fork = await cluster.fork()
    onTestFinished(() => fork[Symbol.asyncDispose]())
    await on('rm /etc/cni/net.d/10-flannel.conflist', fork)
    await fork.advance(15_000)
    const { body } = await fork.request({ method: 'GET', path: '/api/v1/nodes/labernetes-worker' })
    expect((body as Node).status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('False')
  })
})

async function node(name: string): Promise<Node> {
  return (await cluster.request({ method: 'GET', path: `/api/v1/nodes/${name}` })).body as Node
}

async function pod(name: string): Promise<Pod> {
  return (await cluster.request({ method: 'GET', path: `/api/v1/namespaces/default/pods/${name}` })).body as Pod
}

async function vtep(name: string): Promise<string> {
  const data = (await node(name)).metadata.annotations?.['flannel.alpha.coreos.com/backend-data'] ?? '{}'
  return (JSON.parse(data) as { VtepMAC: string }).VtepMAC
}

/** What a line of shell prints on a node; what it says on stderr fails the test. */
async function on(line: string, where = cluster, name = 'labernetes-worker'): Promise<string> {
  const process = where.nodeShell(name, ['bash', '-c', line], { tty: false, stdin: false })
  const output = { stdout: '', stderr: '' }
  process.onOutput((stream, data) => {
    output[stream] += Buffer.from(data).toString()
  })
  let over = false
  void process.exited.then(() => {
    over = true
  })
  for (let step = 0; !over && step < 100; step++) await where.advance(50)
  expect(output.stderr).toBe('')
  return output.stdout
}

async function reaches(where = cluster): Promise<boolean> {
  const ip = (await pod('web')).status?.podIP
  const command = ['wget', '-qO-', '-T', '2', `http://${ip}/`]
  const options = { command, stdin: false, stdout: true, stderr: true, tty: false }
  // A node that is cut off from the API server takes no exec either.
  const process = await where.nodeApi.exec('default', 'client', options).catch((error: unknown) => {
    if (error instanceof ApiError && error.message.includes('no route to host')) return undefined
    throw error
  })
  if (!process) return false
  let code: number | undefined
  void process.exited.then((exit) => {
    code = exit.exitCode
  })
  for (let step = 0; code === undefined && step < 100; step++) await where.advance(200)
  return code === 0
}
