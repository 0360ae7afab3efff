import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { WatchedObject } from '../engine.ts'
import { type Lab, loadLabs } from '../supervisor/labs.ts'
import { isInCIDR, netConfOf, nodeCalled } from './flannel.ts'
import { judge } from './judge.ts'
import type { CriterionVerdict, Evidence } from './kit.ts'
import type { ForwardingEntry, NamespaceState, NetworkState, Route } from './network.ts'

/** What a three-node flannel cluster looked like, recorded from a real one. */
const cluster = {
  'control-plane': { address: '172.18.0.5', cidr: '10.244.0.0/24', mac: '12:d7:58:78:2c:a8' },
  worker: { address: '172.18.0.4', cidr: '10.244.2.0/24', mac: 'c6:9a:e1:1f:04:73' },
  worker2: { address: '172.18.0.3', cidr: '10.244.1.0/24', mac: '6e:c3:fa:ab:3b:cb' },
} as const
type Name = keyof typeof cluster
const names = Object.keys(cluster) as Name[]
const time = Date.parse('2026-03-02T09:00:00Z')
let labs: Map<string, Lab>

beforeAll(async () => {
  labs = await loadLabs(join(import.meta.dirname, '../../labs'))
})

function judged(slug: string, seen: Partial<Evidence>): Record<string, CriterionVerdict> {
  const faults: unknown[] = []
  const nothing = { objects: {}, changes: {}, commands: {}, access: {}, network: {}, provoked: {} }
  const { verdict } = judge(labs.get(slug)!.definition, { time, startedAt: time - 60_000, ...nothing, ...seen }, (fault) =>
    faults.push(fault),
  )
  expect(faults).toEqual([])
  return Object.fromEntries(verdict.tasks.flatMap(({ id, criteria }) => criteria.map((one) => [`${id}/${one.id}`, one])))
}

const states = (verdicts: Record<string, CriterionVerdict>) =>
  Object.fromEntries(Object.entries(verdicts).map(([id, one]) => [id, one.state]))

let made = 0
function object(kind: string, name: string, rest: Record<string, unknown>, metadata: Record<string, unknown> = {}): WatchedObject {
  return { apiVersion: 'v1', kind, metadata: { name, uid: `${++made}`, resourceVersion: '1', ...metadata }, ...rest }
}

function nodes(ready: readonly Name[] = names): WatchedObject[] {
  return names.map((name) => {
    const { address, cidr, mac } = cluster[name]
    const annotations = {
      'flannel.alpha.coreos.com/backend-data': `{"VNI":1,"VtepMAC":"${mac}"}`,
      'flannel.alpha.coreos.com/backend-type': 'vxlan',
    }
    const status = {
      addresses: [{ type: 'InternalIP', address }],
      conditions: [{ type: 'Ready', status: ready.includes(name) ? 'True' : 'False' }],
    }
    return object('Node', `labernetes-${name}`, { spec: { podCIDR: cidr }, status }, { annotations })
  })
}

interface PodParts {
  on: Name
  ip?: string
  ready?: boolean
  hostNetwork?: boolean
  /** s since its container started. */
  up?: number
}

function pod(name: string, { on, ip, ready = true, hostNetwork = false, up = 60 }: PodParts): WatchedObject {
  return object(
    'Pod',
    name,
    {
      spec: { nodeName: `labernetes-${on}`, ...(hostNetwork ? { hostNetwork } : {}) },
      status: {
        phase: 'Running',
        ...(ip ? { podIP: ip } : {}),
        conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
        containerStatuses: [{ restartCount: 0, state: { running: { startedAt: new Date(time - up * 1000).toISOString() } } }],
      },
    },
    { labels: { app: name.replace(/-.*/, '') } },
  )
}

/** A node's own network as flannel leaves it; `change` spoils it. */
function network(name: Name, change: (state: NamespaceState) => Partial<NamespaceState> = () => ({})): NetworkState {
  const peers = names.filter((other) => other !== name)
  const gate = (other: Name) => cluster[other].cidr.replace('/24', '')
  const state: NamespaceState = {
    links: [
      {
        name: 'flannel.1',
        index: 2,
        kind: 'vxlan',
        up: true,
        mtu: 1450,
        mac: cluster[name].mac,
        addresses: [],
        vxlan: { id: 1, port: 8472, learning: false },
      },
    ],
    routes: peers.map((other) => ({ to: cluster[other].cidr, via: gate(other), device: 'flannel.1', onlink: true })),
    neighbours: [
      ...peers.map((other) => ({ address: gate(other), device: 'flannel.1', mac: cluster[other].mac, permanent: true })),
      { address: '172.18.0.3', device: 'eth0', mac: '02:42:ac:12:00:03', permanent: false },
    ],
    fdb: peers.map((other) => ({ mac: cluster[other].mac, device: 'flannel.1', to: cluster[other].address, permanent: true })),
    forwarding: true,
    rules: [],
  }
  return { namespaces: { '': { ...state, ...change(state) } } }
}

const said = (stdout: string) => ({ exitCode: 0, stdout, stderr: '' })
const configMap = (name: string, data: Record<string, string>) => object('ConfigMap', name, { data })
const netConf = (Network: string, Type = 'vxlan') =>
  configMap('kube-flannel-cfg', { 'net-conf.json': JSON.stringify({ Network, Backend: { Type } }) })

test.each([
  ['10.244.2.7', '10.244.2.0/24', true],
  ['10.244.20.7', '10.244.2.0/24', false],
  ['10.245.0.1', '10.244.0.0/15', true],
  ['200.1.2.3', '128.0.0.0/1', true],
  ['10.244.2.256', '10.244.2.0/24', false],
  ['', '10.244.2.0/24', false],
  ['10.244.2.7', '', false],
])('%s in %s: %s', (address, cidr, expected) => expect(isInCIDR(address, cidr)).toBe(expected))

test('a node is found by the short part of its name, and no other that ends alike', () => {
  expect(nodeCalled(nodes(), 'worker')?.address).toBe('172.18.0.4')
  expect(nodeCalled(nodes(), 'worker2')?.vtepMAC).toBe('6e:c3:fa:ab:3b:cb')
  expect(nodeCalled(nodes(), 'worker3')).toBeUndefined()
})

test('net-conf.json that is no JSON is none', () => {
  expect(netConfOf([configMap('kube-flannel-cfg', { 'net-conf.json': '{"Network": ' })])).toBeNull()
  expect(netConfOf([netConf('10.244.0.0/16')])).toEqual({ network: '10.244.0.0/16', type: 'vxlan' })
})

describe('cni-broken', () => {
  const web = object('Deployment', 'web', { spec: { replicas: 2 } })
  const report = [configMap('report', { missing: 'bridge' })]
  const seen = (pods: WatchedObject[], files: string) => ({
    objects: { nodes: nodes(), report, deployments: [web], pods },
    commands: { files: said(files) },
  })
  const good = [pod('web-a', { on: 'worker', ip: '10.244.2.8' }), pod('web-b', { on: 'worker', ip: '10.244.2.9' })]

  test('the repaired node passes', () => {
    expect(Object.values(states(judged('cni-broken', seen(good, '10-flannel.conflist\n'))))).toEqual(['pass', 'pass', 'pass', 'pass'])
  })

  test('with the plugin back and the test file still first, Pods run with addresses that lead nowhere', () => {
    const stray = [pod('web-a', { on: 'worker', ip: '10.99.0.2' }), pod('web-b', { on: 'worker', ip: '10.99.0.3' })]
    const verdicts = judged('cni-broken', seen(stray, '00-test.conflist\n10-flannel.conflist\n'))
    expect(states(verdicts)).toMatchObject({ 't2/runs': 'pass', 't2/address': 'not-yet', 't3/first': 'not-yet' })
    expect(verdicts['t2/address']?.observed?.en).toContain('10.99.0.2')
  })

  test('another node or the network of the node goes around the fault', () => {
    const moved = good.map((_, index) => pod(`web-${index}`, { on: 'worker2', ip: `10.244.1.${index + 5}` }))
    expect(states(judged('cni-broken', seen(moved, '10-flannel.conflist')))).toMatchObject({
      't2/runs': 'not-yet',
      't2/address': 'not-yet',
    })
    const shared = [pod('web-a', { on: 'worker', ip: '172.18.0.4', hostNetwork: true })]
    expect(states(judged('cni-broken', seen(shared, '10-flannel.conflist')))).toMatchObject({ 't2/address': 'not-yet' })
  })
})

describe('flannel-trace', () => {
  const right = { cidr: '10.244.1.0/24', hop: '10.244.1.0', device: 'flannel.1', mac: '6e:c3:fa:ab:3b:cb', outer: '172.18.0.3:8472' }
  const seen = (data: Record<string, string>) => ({
    objects: { nodes: nodes(), pods: [pod('y', { on: 'worker2', ip: '10.244.1.6' })], trace: [configMap('trace', data)] },
    network: { worker: network('worker') },
  })

  test('passes with what the three tables say', () => {
    expect(new Set(Object.values(states(judged('flannel-trace', seen(right)))))).toEqual(new Set(['pass']))
  })

  test.each([
    ['t3/mac', { mac: '02:42:ac:12:00:03' }, 'card of worker2'],
    ['t3/mac', { mac: 'C6:9A:E1:1F:04:73' }, 'worker itself'],
    ['t4/outer', { outer: '10.244.1.6:8472' }, 'inside'],
    ['t4/outer', { outer: '172.18.0.3:4789' }, 'port 4789'],
    ['t2/hop', { hop: '172.18.0.3' }, '172.18.0.3'],
  ])('%s says what %o is', (id, change, sentence) => {
    const verdict = judged('flannel-trace', seen({ ...right, ...change }))[id]
    expect([verdict?.state, verdict?.observed?.en]).toEqual(['not-yet', expect.stringContaining(sentence)])
  })
})

describe('flannel-repair', () => {
  const drop = '-t filter -A INPUT -p udp -m udp --dport 8472 -j DROP'
  const wrongWay = ({ fdb }: NamespaceState) => ({
    fdb: fdb.map((one): ForwardingEntry => (one.mac === cluster.worker2.mac ? { ...one, to: '172.18.0.250' } : one)),
  })
  const seen = (answers: string, worker = network('worker'), worker2 = network('worker2'), stockOn: Name = 'worker2') => ({
    objects: {
      nodes: nodes(),
      report: [configMap('report', { scope: 'cross-node' })],
      pods: [pod('shop', { on: 'worker', ip: '10.244.2.4' }), pod('stock-1', { on: stockOn, ip: '10.244.1.6' })],
    },
    network: { worker, worker2 },
    commands: { asked: said(answers) },
  })

  test('both faults are seen, each by itself', () => {
    const dropping = network('worker2', () => ({ rules: [drop] }))
    const both = judged('flannel-repair', seen('0\n', network('worker', wrongWay), dropping))
    expect(states(both)).toEqual({ 't1/scope': 'pass', 't2/fdb': 'not-yet', 't3/open': 'not-yet', 't4/answers': 'not-yet' })
    expect(both['t2/fdb']?.observed?.en).toContain('172.18.0.250')
    expect(states(judged('flannel-repair', seen('0\n', network('worker'), dropping)))).toMatchObject({
      't2/fdb': 'pass',
      't3/open': 'not-yet',
    })
    expect(new Set(Object.values(states(judged('flannel-repair', seen('20\n')))))).toEqual(new Set(['pass']))
  })

  test('nineteen of twenty, and Pods that were moved, are not repaired', () => {
    expect(states(judged('flannel-repair', seen('19\n')))['t4/answers']).toBe('not-yet')
    const moved = seen('20\n', network('worker'), network('worker2'), 'worker')
    expect(states(judged('flannel-repair', moved))['t4/answers']).toBe('not-yet')
  })
})

describe('flannel-outage', () => {
  const kubeadm = configMap('kubeadm-config', { ClusterConfiguration: 'networking:\n  podSubnet: 10.244.0.0/16\n' })
  const running = names.map((name) => pod(`flannel-${name}`, { on: name }))
  const web = (['worker', 'worker', 'worker2', 'worker2'] as const).map((on, index) =>
    pod(`web-${index}`, { on, ip: cluster[on].cidr.replace('0/24', `${index + 5}`) }),
  )
  const seen = (config: WatchedObject, flannel = running, pods = web, ready: readonly Name[] = names) => ({
    objects: { nodes: nodes(ready), config: [config], cluster: [kubeadm], flannel, pods },
    commands: { files: said('10-flannel.conflist\n') },
  })

  test('passes when flannel has the network of the cluster and runs on', () => {
    expect(new Set(Object.values(states(judged('flannel-outage', seen(netConf('10.244.0.0/16'))))))).toEqual(new Set(['pass']))
  })

  test('a network that only contains the right one is not the right one', () => {
    expect(states(judged('flannel-outage', seen(netConf('10.0.0.0/8'))))['t1/network']).toBe('not-yet')
  })

  test('a container between two crashes does not run', () => {
    const fresh = names.map((name) => pod(`flannel-${name}`, { on: name, up: 2 }))
    expect(states(judged('flannel-outage', seen(netConf('10.244.0.0/16'), fresh)))['t1/runs']).toBe('not-yet')
  })

  test('web on one node, and a node that is not ready, are not enough', () => {
    const oneNode = web.map((_, index) => pod(`web-${index}`, { on: 'worker', ip: `10.244.2.${index + 5}` }))
    const verdicts = judged('flannel-outage', seen(netConf('10.244.0.0/16'), running, oneNode, ['control-plane', 'worker']))
    expect(states(verdicts)).toMatchObject({ 't2/ready': 'not-yet', 't3/web': 'not-yet' })
  })
})

describe('host-gw-switch', () => {
  const direct = (name: Name) => () => ({
    routes: names
      .filter((other) => other !== name)
      .map((other): Route => ({ to: cluster[other].cidr, via: cluster[other].address, device: 'eth0', onlink: false })),
  })
  const pods = [
    pod('web-1', { on: 'worker', ip: '10.244.2.8' }),
    pod('web-2', { on: 'worker2', ip: '10.244.1.8' }),
    pod('far-1', { on: 'worker2', ip: '10.244.1.9' }),
  ]
  const seen = (type: string, switched: readonly Name[], mtu: string) => ({
    objects: { nodes: nodes(), config: [netConf('10.244.0.0/16', type)], pods },
    network: Object.fromEntries(names.map((name) => [name, network(name, switched.includes(name) ? direct(name) : undefined)])),
    commands: {
      asked: said('5\n'),
      'sizes on worker': said(`10.244.2.8 ${mtu}\n`),
      'sizes on worker2': said(`10.244.1.9 1500\n10.244.1.8 ${mtu}\n`),
    },
  })

  test('the ConfigMap alone moves nothing, though packets still cross', () => {
    const verdicts = judged('host-gw-switch', seen('host-gw', [], '1450'))
    expect(states(verdicts)).toEqual({ 't1/type': 'pass', 't2/routes': 'not-yet', 't3/crosses': 'not-yet', 't4/mtu': 'not-yet' })
    expect(verdicts['t2/routes']?.observed?.en).toContain('flannel.1')
  })

  test('every node must have changed', () => {
    expect(states(judged('host-gw-switch', seen('host-gw', ['worker', 'worker2'], '1500')))).toMatchObject({
      't2/routes': 'not-yet',
      't3/crosses': 'pass',
    })
  })

  test('Pods from before keep their MTU', () => {
    expect(states(judged('host-gw-switch', seen('host-gw', names, '1450')))).toMatchObject({ 't2/routes': 'pass', 't4/mtu': 'not-yet' })
    expect(new Set(Object.values(states(judged('host-gw-switch', seen('host-gw', names, '1500')))))).toEqual(new Set(['pass']))
  })
})
