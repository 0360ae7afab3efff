import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { embeddedCluster } from '../stories/embedded-cluster.ts'
import { netnsOf } from './stack.ts'

/** Rules that somebody sets on nodes, and who is reached then: `client` is a pod on the node `near`, `web` one on `far`. */
const nodes: Record<string, string> = { near: 'labernetes-control-plane', far: 'labernetes-worker' }
const ips: Record<string, string> = { near: '172.18.0.2', far: '172.18.0.3' }
const errors: unknown[] = []
let client = ''
let cluster: Cluster

beforeAll(async () => {
  const start = Date.parse('2030-01-01T00:00:00Z')
  cluster = await Cluster.open({ nodes: 2, clock: { start, rate: 0 }, report: (...error) => errors.push(error) })
  await cluster.advance(20_000)
  const pods = [
    { name: 'client', nodeName: nodes['near'], image: 'busybox:1.36', command: ['sleep', '1000000'] },
    { name: 'web', nodeName: nodes['far'], image: 'nginx:1.27' },
  ]
  for (const { name, nodeName, ...main } of pods) {
    const spec = { nodeName, tolerations: [{ operator: 'Exists' }], containers: [{ name, ...main }] }
    const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: name } }, spec }
    expect(await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body })).toMatchObject({ status: 201 })
  }
  const service = {
    metadata: { name: 'web' },
    spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, nodePort: 30080 }] },
  }
  expect(await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/services', body: service })).toMatchObject({
    status: 201,
  })
  await cluster.advance(20_000)
  for (const { name } of pods) {
    const { body } = await cluster.request({ method: 'GET', path: `/api/v1/namespaces/default/pods/${name}` })
    const { metadata, status } = body as Pod
    ips[name] = status?.podIP ?? ''
    if (name === 'client') client = netnsOf(metadata.uid ?? '')
  }
}, 60_000)

afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

const [reached, refused, silent] = ['0', '7', '28']
const toWeb = 'iptables -A FORWARD -p tcp -d WEB --dport 80 -j ACCEPT; iptables -P FORWARD DROP'
const established = 'iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'

test.each<[string, string, string, string, string, string | undefined]>([
  ['a way in alone', 'far', toWeb, 'client', 'WEB', silent],
  ['a way in, and out for what is established', 'far', `${established}; ${toWeb}`, 'client', 'WEB', reached],
  ['nothing new from the server', 'far', 'iptables -A FORWARD -s WEB -m state --state NEW -j DROP', 'client', 'WEB', reached],
  ['no new connections of the server', 'far', 'iptables -A FORWARD -s WEB -p tcp --syn -j DROP', 'client', 'WEB', reached],
  ['no new connections to the server', 'far', 'iptables -A FORWARD -d WEB -p tcp --syn -j DROP', 'client', 'WEB', silent],
  ['what comes from port 80', 'near', 'iptables -A FORWARD -p tcp --sport 80 -j DROP', 'client', 'WEB', silent],
  ['what goes to the server from port 80', 'far', 'iptables -A FORWARD -d WEB -p tcp --sport 80 -j DROP', 'client', 'WEB', reached],
  ['before it is looked at, on the way', 'far', 'iptables -t raw -A PREROUTING -d WEB -j DROP', 'client', 'WEB', silent],
  ['the answer, before it is looked at', 'far', 'iptables -t raw -A PREROUTING -s WEB -j DROP', 'client', 'WEB', silent],
  ['a port of the node that leads to a pod', 'far', 'iptables -P INPUT DROP', 'near', 'FAR:30080', reached],
  ['a port of the node that leads to itself', 'far', 'iptables -P INPUT DROP', 'near', 'FAR:10256/healthz', silent],
  ['by which device it comes', 'far', 'iptables -A INPUT -i eth0 -j ACCEPT; iptables -P INPUT DROP', 'near', 'FAR:10256/healthz', reached],
  ['what is its own, on the way in', 'near', 'iptables -A INPUT -p tcp --dport 10256 -j DROP', 'near', '127.0.0.1:10256/healthz', silent],
  [
    'what is its own, on the way out',
    'near',
    'iptables -A OUTPUT -p tcp --dport 10256 -j REJECT',
    'near',
    '127.0.0.1:10256/healthz',
    refused,
  ],
  [
    'what is its own, over lo',
    'near',
    'iptables -A INPUT -i lo -j ACCEPT; iptables -P INPUT DROP',
    'near',
    '127.0.0.1:10256/healthz',
    reached,
  ],
  ['what is its own, in raw', 'near', 'iptables -t raw -A PREROUTING -p tcp --dport 10256 -j DROP', 'near', 'NEAR:10256/healthz', silent],
])('%s', async (_what, node, rules, from, target, code) => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  expect(await run(fork, node, rules)).toBe('')
  expect(await run(fork, from, `curl -s -m 3 -o /dev/null http://${target}; echo $?`)).toBe(`${code}\n`)
})

/** As Linux 6.18 says it; what a rule refuses is known at once. */
test.each([
  ['icmp-net-unreachable', 'Network is unreachable'],
  ['icmp-net-prohibited', 'Network is unreachable'],
  ['icmp-host-unreachable', 'No route to host'],
  ['icmp-host-prohibited', 'No route to host'],
  ['icmp-admin-prohibited', 'No route to host'],
  ['icmp-port-unreachable', 'Connection refused'],
  ['tcp-reset', 'Connection refused'],
])('what %s refuses hears at once: %s', async (answer, why) => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  await run(fork, 'far', `iptables -A FORWARD -p tcp -d WEB -j REJECT --reject-with ${answer}`)
  const said = await run(fork, 'near', 'crictl exec $(crictl ps --name client -q) wget -T 1 -O /dev/null http://WEB 2>&1')
  expect(said).toContain(`: ${why}\n`)
})

const echoes = 'iptables -A INPUT -p icmp --icmp-type echo-request -j DROP'

test.each([
  ['a node that answers nobody hears others', 'near', echoes, 'near', 'FAR', true],
  ['another node does not hear it', 'near', echoes, 'far', 'NEAR', false],
  ['nor does a pod on it', 'near', echoes, 'client', 'NEAR', false],
  ['nor does the node itself', 'near', echoes, 'near', '127.0.0.1', false],
  ['nobody passes who is stopped as he comes in', 'far', 'iptables -t mangle -A PREROUTING -s CLIENT -j DROP', 'client', 'WEB', false],
  ['answers are established', 'near', `${established}; iptables -A FORWARD -d CLIENT -j DROP`, 'client', 'WEB', true],
])('ping: %s', async (_what, node, rules, from, target, answered) => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  expect(await run(fork, node, rules)).toBe('')
  expect(await run(fork, from, `ping -c 1 -W 1 ${target} > /dev/null && echo heard`)).toBe(answered ? 'heard\n' : '')
})

test('rules of the raw table are told once there are some', async () => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  const saved = () => run(fork, 'near', 'iptables-save | grep "^[*]"')
  expect(await saved()).toBe('*mangle\n*filter\n*nat\n')
  await run(fork, 'near', 'iptables -t raw -A PREROUTING -s 192.0.2.1 -j DROP')
  expect(await saved()).toBe('*mangle\n*raw\n*filter\n*nat\n')
})

/** What a line of shell prints on a node, or in the client's network namespace; names in capitals stand for addresses. */
function run(where: Cluster, place: string, line: string): Promise<string> {
  const command = line.replace(/\b(?:NEAR|FAR|WEB|CLIENT)\b/g, (name) => ips[name.toLowerCase()] ?? '')
  const node = nodes[place === 'client' ? 'near' : place] ?? ''
  return embeddedCluster(where).onNode(node, place === 'client' ? `ip netns exec ${client} bash -c '${command}'` : command)
}
