import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { applyManifests } from '../../manifests.ts'
import { Cluster } from '../cluster.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { embeddedCluster } from '../stories/embedded-cluster.ts'
import { netnsOf } from './stack.ts'

/**
 * What a kind cluster of two nodes with flannel has shown (Kubernetes 1.34.4, flannel 0.28.4, Linux 6.18, iputils 20221126, BusyBox
 * 1.37): packets of many sizes before and after somebody has set the MTU of a device. `near` and `far` are the nodes; a and weba are
 * pods on the one, b and webb on the other.
 */
const nodes: Record<string, string> = { near: 'labernetes-control-plane', far: 'labernetes-worker' }
const placed: Record<string, string> = { a: 'near', weba: 'near', b: 'far', webb: 'far' }
const ips: Record<string, string> = { near: '172.18.0.2', far: '172.18.0.3' }
const uids: Record<string, string> = {}
const errors: unknown[] = []
let cluster: Cluster

beforeAll(async () => {
  const start = Date.parse('2030-01-01T00:00:00Z')
  cluster = await Cluster.open({ nodes: 2, cni: 'none', clock: { start, rate: 0 }, report: (...error) => errors.push(error) })
  await cluster.advance(20_000)
  const manifest = await readFile(join(import.meta.dirname, '../../kind/flannel.yaml'), 'utf8')
  await applyManifests((request) => cluster.request(request), manifest)
  await cluster.advance(60_000)
  for (const [name, node] of Object.entries(placed)) {
    const main = name.startsWith('web') ? { image: 'nginx:1.27' } : { image: 'busybox:1.36', command: ['sleep', '1000000'] }
    const spec = { nodeName: nodes[node], tolerations: [{ operator: 'Exists' }], containers: [{ name, ...main }] }
    const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }
    expect(await cluster.request({ method: 'POST', path: '/api/v1/namespaces/default/pods', body })).toMatchObject({ status: 201 })
  }
  await cluster.advance(30_000)
  for (const [name, node] of Object.entries(placed)) {
    const { body } = await cluster.request({ method: 'GET', path: `/api/v1/namespaces/default/pods/${name}` })
    const { metadata, status } = body as Pod
    ips[name] = status?.podIP ?? ''
    uids[name] = metadata.uid ?? ''
    const files = [1000, 1160, 1350, 2000, 20_000, 100_000].map((size) => `head -c ${size} /dev/zero > /usr/share/nginx/html/${size}`)
    if (name.startsWith('web')) expect(await run(node, `crictl exec $(crictl ps -q --name ${name}) sh -c '${files.join('; ')}'`)).toBe('')
  }
}, 120_000)

afterAll(async () => {
  await cluster[Symbol.asyncDispose]()
  expect(errors).toEqual([])
})

const heard = '2 transmitted, 2 received, 0% loss'
const silent = '2 transmitted, 0 received, 100% loss'
const local = (mtu: number) => `ping: local error: message too long, mtu=${mtu}\n`
const failed = (errors: number) => `2 transmitted, 0 received, +${errors} errors, 100% loss`
const needed = (from: string, mtu: number) => `From ${from} icmp_seq=1 Frag needed and DF set (mtu = ${mtu})\n`
/** A router's word first, its own kernel's then. */
const learnt = (from: string, mtu: number) => `${needed(from, mtu)}${local(mtu)}${failed(2)}`
const once = (from: string, mtu: number) => `${needed(from, mtu)}2 transmitted, 1 received, +1 errors, 50% loss`
const full = `${'ping: sendmsg: No buffer space available\n'.repeat(2)}${silent}`

/** From where, the options of ping, to whom, and what it says. */
type Row = [string, string, string, string]

test.each<Row>([
  ['a', '-M do -s 1422', 'weba', heard],
  ['a', '-M do -s 1422', 'webb', heard],
  ['near', '-M do -s 1422', 'webb', heard],
  ['near', '-M do -s 1472', 'far', heard],
  ['a', '-M do -s 1423', 'weba', local(1450).repeat(2) + failed(2)],
  ['a', '-M do -s 1423', 'webb', local(1450).repeat(2) + failed(2)],
  ['near', '-M do -s 1423', 'weba', local(1450).repeat(2) + failed(2)],
  ['near', '-M do -s 1473', 'far', local(1500).repeat(2) + failed(2)],
  ['a', '-s 1423', 'webb', heard],
  ['a', '-s 4000', 'weba', heard],
  ['a', '-s 4000', 'webb', heard],
  ['near', '-s 4000', 'webb', heard],
  ['a', '-M foo', 'webb', 'ping: invalid -M argument: foo\n'],
])('as it is: %s ping %s %s', async (from, options, to, said) => {
  expect(await ping(cluster, from, options, to)).toBe(said)
})

describe.each<{ what: string; change: [string, string][]; rows: Row[]; curls: [string, string, number[], number[]][] }>([
  {
    what: 'flannel.1 of the near node takes 1400',
    change: [['near', 'ip link set dev flannel.1 mtu 1400']],
    rows: [
      ['a', '-M do -s 1372', 'webb', heard],
      ['a', '-M do -s 1422', 'webb', learnt('10.244.0.1', 1400)],
      ['a', '-s 1422', 'webb', once('10.244.0.1', 1400)],
      ['a', '-M dont -s 1422', 'webb', heard],
      ['a', '-q -M do -s 1422', 'webb', failed(1)],
      ['b', '-M do -s 1422', 'a', heard],
      ['near', '-M do -s 1422', 'webb', local(1400).repeat(2) + failed(2)],
    ],
    curls: [
      ['a', 'webb', [1000, 100_000], []],
      ['b', 'weba', [1000, 100_000], []],
      ['near', 'webb', [100_000], []],
    ],
  },
  {
    what: 'cni0 of the near node takes 1400',
    change: [['near', 'ip link set cni0 mtu 1400']],
    rows: [
      ['a', '-M do -s 1422', 'webb', heard],
      ['a', '-M do -s 1422', 'weba', heard],
      ['a', '-s 4000', 'weba', silent],
      ['near', '-M do -s 1422', 'weba', local(1400).repeat(2) + failed(2)],
      ['near', '-s 1422', 'weba', heard],
      ['b', '-M do -s 1422', 'weba', learnt('10.244.0.0', 1400)],
      ['b', '-s 1422', 'weba', once('10.244.0.0', 1400)],
      ['b', '-s 4000', 'weba', heard],
      ['far', '-M do -s 1422', 'weba', learnt('10.244.0.0', 1400)],
    ],
    curls: [
      ['a', 'webb', [100_000], []],
      ['b', 'weba', [100_000], []],
    ],
  },
  {
    what: 'nobody hears that cni0 takes 1400',
    change: [['near', 'ip link set cni0 mtu 1400; iptables -I OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP']],
    rows: [
      ['far', '-M do -s 1422', 'weba', silent],
      ['far', '-M do -s 1372', 'weba', heard],
      ['near', '-c 1', 'weba', '1 transmitted, 1 received, 0% loss'],
    ],
    curls: [
      ['a', 'webb', [1000, 1160], [1350, 2000, 20_000, 100_000]],
      ['near', 'webb', [100_000], []],
    ],
  },
  {
    what: 'eth0 in webb takes 1500',
    change: [['webb', 'ip link set dev eth0 mtu 1500']],
    rows: [
      ['webb', '-M do -s 1422', 'a', heard],
      ['webb', '-M do -s 1423', 'a', learnt('10.244.1.1', 1450)],
      ['webb', '-s 1426', 'a', once('10.244.1.1', 1450)],
      ['webb', '-M do -s 1427', 'a', full],
      ['webb', '-M do -s 1423', 'b', silent],
      ['webb', '-M do -s 1427', 'b', full],
      ['webb', '-s 4000', 'a', full],
      ['a', '-s 1423', 'webb', heard],
      ['a', '-s 4000', 'webb', silent],
    ],
    curls: [
      ['a', 'webb', [100_000], []],
      ['webb', 'weba', [100_000], []],
    ],
  },
  {
    what: 'eth0 in webb takes 1400',
    change: [['webb', 'ip link set dev eth0 mtu 1400']],
    rows: [
      ['a', '-M do -s 1376', 'webb', heard],
      ['a', '-M do -s 1377', 'webb', silent],
      ['a', '-s 4000', 'webb', silent],
      ['b', '-M do -s 1376', 'webb', heard],
      ['b', '-M do -s 1377', 'webb', silent],
      ['far', '-M do -s 1377', 'webb', silent],
      ['webb', '-M do -s 1372', 'a', heard],
      ['webb', '-M do -s 1373', 'a', local(1400).repeat(2) + failed(2)],
      ['webb', '-s 1422', 'a', silent],
    ],
    curls: [
      ['a', 'webb', [100_000], []],
      ['webb', 'weba', [100_000], []],
    ],
  },
  {
    what: "the node's end of webb's wire takes 1400",
    change: [['far', 'ip link set dev WIRE mtu 1400']],
    rows: [
      ['a', '-M do -s 1372', 'webb', heard],
      ['a', '-M do -s 1376', 'webb', learnt('10.244.1.0', 1400)],
      ['a', '-s 1422', 'webb', `${needed('10.244.1.0', 1400)}${failed(1)}`],
      ['a', '-s 4000', 'webb', silent],
      ['b', '-M do -s 1376', 'webb', silent],
      ['far', '-M do -s 1376', 'webb', local(1400).repeat(2) + failed(2)],
      ['webb', '-M do -s 1376', 'a', heard],
      ['webb', '-M do -s 1377', 'a', full],
    ],
    curls: [['a', 'webb', [100_000], []]],
  },
  {
    what: 'eth0 of the far node takes 1400',
    change: [['far', 'ip link set dev eth0 mtu 1400']],
    rows: [
      ['a', '-M do -s 1326', 'webb', heard],
      ['a', '-M do -s 1327', 'webb', silent],
      ['a', '-s 1422', 'webb', silent],
      ['webb', '-M do -s 1326', 'a', heard],
      ['webb', '-M do -s 1327', 'a', silent],
      ['near', '-M do -s 1376', 'far', heard],
      ['near', '-M do -s 1377', 'far', silent],
      ['far', '-M do -s 1372', 'near', heard],
      ['far', '-M do -s 1373', 'near', local(1400).repeat(2) + failed(2)],
      ['far', '-M do -s 1422', 'a', `${local(1350)}${failed(1)}`],
      ['far', '-s 1422', 'a', silent],
    ],
    curls: [
      ['b', 'weba', [1000, 1160, 2000, 20_000], [1350, 100_000]],
      ['far', 'weba', [1000, 2000], [1350, 100_000]],
      ['a', 'webb', [100_000], []],
      ['near', 'webb', [100_000], []],
    ],
  },
  {
    what: 'eth0 of both nodes takes 1400',
    change: [
      ['near', 'ip link set dev eth0 mtu 1400'],
      ['far', 'ip link set dev eth0 mtu 1400'],
    ],
    rows: [
      ['a', '-M do -s 1422', 'webb', heard],
      ['near', '-M do -s 1422', 'webb', `${local(1350)}2 transmitted, 1 received, +1 errors, 50% loss`],
    ],
    curls: [['a', 'webb', [100_000], []]],
  },
])('$what', ({ change, rows, curls }) => {
  let fork: Cluster

  beforeAll(async () => {
    fork = await cluster.fork()
    const wire = (await run('far', `ip -o link | grep ${netnsOf(uids.webb ?? '')} | cut -d: -f2 | cut -d@ -f1`)).trim()
    for (const [where, line] of change) expect(await inside(fork, where, line.replace('WIRE', wire))).toBe('')
  })
  afterAll(async () => {
    await fork[Symbol.asyncDispose]()
  })

  test.each(rows)('%s ping %s %s', async (from, options, to, said) => {
    for (const where of [from, to]) await inside(fork, where, 'ip route flush cache')
    expect(await ping(fork, from, options, to)).toBe(said)
  })

  test.each(curls)('%s curl %s: %s arrive, %s do not', async (from, to, arrive, hang) => {
    const got: [number, string][] = []
    for (const size of [...arrive, ...hang]) {
      const line = `curl -s -m 4 -o /dev/null -w '%{http_code} %{size_download}' http://${ips[to]}/${size}; echo " $?"`
      got.push([size, (await inside(fork, from, line)).trim()])
    }
    const late = hang.map((size) => [size, expect.stringMatching(/ 28$/)])
    expect(got).toEqual([...arrive.map((size) => [size, `200 ${size} 0`]), ...late])
  })
})

test('a stream of bytes stops where its first window ends, and small ones pass', async () => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  const count = (size: number) =>
    inside(fork, 'b', `printf 'GET /${size} HTTP/1.0\\r\\n\\r\\n' | timeout 4 nc ${ips.weba} 80 | tail -c +1 | wc -c`)
  const whole = Number(await count(100_000))
  expect(whole).toBeGreaterThan(100_000)
  await inside(fork, 'far', 'ip link set dev eth0 mtu 1400')
  expect(Number(await count(1000))).toBeGreaterThan(1000)
  // The header has come by itself before.
  expect(Number(await count(100_000))).toBe(whole - 100_000 + 13_980)
})

test('what has been learnt of a way is shown, and forgotten by command or in ten minutes', async () => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  await inside(fork, 'near', 'ip link set dev flannel.1 mtu 1400')
  const get = () => inside(fork, 'a', `ip route get ${ips.webb}`)
  const told = `${needed('10.244.0.1', 1400)}1 transmitted, 0 received, +1 errors, 100% loss`
  expect(await ping(fork, 'a', '-c 1 -M do -s 1422', 'webb')).toBe(told)
  expect(await get()).toMatch(/\n {4}cache expires 59\dsec mtu 1400 \n$/)
  expect(await ping(fork, 'a', '-c 1 -M do -s 1422', 'webb')).toBe(`${local(1400)}1 transmitted, 0 received, +1 errors, 100% loss`)
  await inside(fork, 'a', 'ip route flush cache')
  expect(await get()).toMatch(/\n {4}cache \n$/)
  expect(await ping(fork, 'a', '-c 1 -M do -s 1422', 'webb')).toBe(told)
  await fork.advance(600_000)
  expect(await ping(fork, 'a', '-c 3 -s 1422', 'webb')).toBe(
    `${needed('10.244.0.1', 1400)}3 transmitted, 2 received, +1 errors, 33.3333% loss`,
  )
})

test('who looks on sees a router refuse', async () => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  await inside(fork, 'near', 'ip link set dev flannel.1 mtu 1400')
  const look = `(timeout 3 tcpdump -nn -i cni0 icmp 2>/dev/null &); sleep 1; ip netns exec ${netnsOf(uids.a ?? '')} ping -q -c 1 -M do -s 1422 ${ips.webb} > /dev/null; sleep 3`
  const seen = (await inside(fork, 'near', look)).split('\n').map((line) => line.replace(/^\S+ /, '').replace(/id \d+/, 'id N'))
  expect(seen.slice(0, 2)).toEqual([
    `IP ${ips.a} > ${ips.webb}: ICMP echo request, id N, seq 1, length 1430`,
    `IP 10.244.0.1 > ${ips.a}: ICMP ${ips.webb} unreachable - need to frag (mtu 1400), length 556`,
  ])
})

test('a port that takes less makes its bridge take less', async () => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  await inside(fork, 'near', 'ip link add small mtu 1400 type veth peer name end; ip link set small master cni0')
  expect(await inside(fork, 'near', 'ip -o link show cni0')).toContain(' mtu 1400 ')
  expect(await ping(fork, 'b', '-M do -s 1422', 'weba')).toBe(learnt('10.244.0.0', 1400))
  const get = () => inside(fork, 'a', `curl -s -m 4 -o /dev/null http://${ips.webb}/100000; echo $?`)
  expect(await get()).toBe('0\n')
  await inside(fork, 'near', 'iptables -I OUTPUT -p icmp -j DROP')
  await inside(fork, 'webb', 'ip route flush cache')
  expect(await get()).toBe('28\n')
})

test("busybox' ping says nothing of what it is told", async () => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  await inside(fork, 'near', 'ip link set dev flannel.1 mtu 1400')
  const said = await run('near', `crictl exec $(crictl ps -q --name '^a$') ping -c 3 -W 1 -s 1422 ${ips.webb}`, fork)
  expect(said).toMatch(/data bytes\n1430 bytes from \S+ seq=1 ttl=62 time=.*\n1430 bytes from \S+ seq=2 /)
  expect(said).toContain('3 packets transmitted, 2 packets received, 33% packet loss\n')
})

test('devices take as much as those below them allow, and bridges what their ports take', async () => {
  const fork = await cluster.fork()
  onTestFinished(() => fork[Symbol.asyncDispose]())
  const on = (line: string) => inside(fork, 'near', line)
  const size = async (name: string) => (await on(`ip -o link show ${name}`)).match(/mtu (\d+)/)?.[1]
  for (const mtu of [1451, 1500]) expect(await on(`ip link set dev flannel.1 mtu ${mtu}`)).toBe('RTNETLINK answers: Invalid argument\n')
  expect(await on('ip link set dev cni0 mtu 70000')).toBe('Error: mtu greater than device maximum.\n')
  await on('ip link add vx7 mtu 1500 type vxlan id 7 dstport 4789 dev eth0; ip link add vx9 type vxlan id 9 dstport 4789 local 172.18.0.2')
  expect([await size('vx7'), await size('vx9')]).toEqual(['1450', '1500'])
  await on('ip link add br9 type bridge; ip link add v9 mtu 1400 type veth peer name v8; ip link set v9 master br9')
  expect(await size('br9')).toBe('1400')
  await on('ip link set v9 nomaster')
  expect(await size('br9')).toBe('1500')
  await on('ip link set br9 mtu 1450; ip link set v9 master br9')
  expect(await size('br9')).toBe('1450')
})

/** What ping says but for the answers one by one; two echoes unless told otherwise. */
async function ping(where: Cluster, from: string, options: string, to: string): Promise<string> {
  const said = await inside(where, from, `ping -c 2 -i 0.2 -W 1 ${options} ${ips[to]}`)
  return said
    .split('\n')
    .filter((line) => line && !/^(?:PING|---|rtt|\d+ bytes)/.test(line))
    .map((line) => `${line}\n`)
    .join('')
    .replace(/ packets transmitted/, ' transmitted')
    .replace(/ packet loss, time \d+ms\n/, ' loss')
}

/** What a line of shell prints on a node, or in the network namespace of a pod. */
function inside(where: Cluster, place: string, line: string): Promise<string> {
  const node = placed[place]
  return node
    ? run(node, `ip netns exec ${netnsOf(uids[place] ?? '')} bash -c '${line.replaceAll("'", `'\\''`)}'`, where)
    : run(place, line, where)
}

function run(node: string, line: string, where = cluster): Promise<string> {
  return embeddedCluster(where).onNode(nodes[node] ?? '', line)
}
