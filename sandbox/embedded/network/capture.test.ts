import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { applyManifests } from '../../manifests.ts'
import { nodeCluster } from '../kubelet/testing/node-cluster.ts'
import { resources } from '../machinery/object.ts'
import type { Pod } from '../schema/types/core.v1.ts'

const worker = 'labernetes-worker'
const image = 'busybox:1.36'

/** The packets of a capture without their times and what differs from run to run. */
function plain(text: string): string[] {
  return text
    .split('\n')
    .map((line) =>
      line
        .replace(/^\d\d:\d\d:\d\d\.\d{6} /, '')
        .replace(/seq \d{4,}/, 'seq N')
        .replace(/ack \d{4,}/, 'ack N'),
    )
    .map((line) =>
      line
        .replace(/TS val \d+ ecr \d+/, 'TS')
        .replace(/veth[0-9a-f]{8}/, 'veth')
        .replace(/\.\d{5} >/, '.PORT >')
        .replace(/\.\d{5}:/, '.PORT:'),
    )
}

test('tcpdump on a node shows a request pass from wire to wire, in the words of the real one', async () => {
  const { cluster, shell, create, pod } = await nodeCluster(2)
  await create('web', { nodeName: worker })
  await create('cli', { nodeName: worker, containers: [{ name: 'c', image, command: ['sleep', '100000'] }] })
  await cluster.advance(10_000)
  const [web = '', cli = ''] = ['web', 'cli'].map((name) => pod(name)?.status?.podIP)
  const inCli = `nsenter -t ${(await shell(worker, 'ps -C sleep -o pid=')).text.trim()} -n`
  const look = async (flags: string, command: string) =>
    (
      await shell(
        worker,
        `tcpdump ${flags} > /tmp/out 2>/tmp/err & sleep 1; ${command} > /dev/null 2>&1; sleep 2; kill -INT %1; sleep 1; cat /tmp/out; cat /tmp/err`,
      )
    ).text

  const text = await look(`-nn -i any tcp and host ${web}`, `${inCli} curl -s http://${web}/`)
  const lines = plain(text)
  expect(lines.slice(0, 6)).toEqual([
    `veth In  IP ${cli}.PORT > ${web}.80: Flags [S], seq N, win 64240, options [mss 1460,sackOK,TS,nop,wscale 10], length 0`,
    `veth Out IP ${cli}.PORT > ${web}.80: Flags [S], seq N, win 64240, options [mss 1460,sackOK,TS,nop,wscale 10], length 0`,
    `veth In  IP ${web}.80 > ${cli}.PORT: Flags [S.], seq N, ack N, win 65160, options [mss 1460,sackOK,TS,nop,wscale 10], length 0`,
    `veth Out IP ${web}.80 > ${cli}.PORT: Flags [S.], seq N, ack N, win 65160, options [mss 1460,sackOK,TS,nop,wscale 10], length 0`,
    `veth In  IP ${cli}.PORT > ${web}.80: Flags [.], ack 1, win 63, options [nop,nop,TS], length 0`,
    `veth Out IP ${cli}.PORT > ${web}.80: Flags [.], ack 1, win 63, options [nop,nop,TS], length 0`,
  ])
  expect(lines[6]).toMatch(/Flags \[P\.\], seq 1:\d+, ack 1, win 63, options \[nop,nop,TS\], length \d+: HTTP: GET \/ HTTP\/1\.1$/)
  expect(text).toMatch(/: HTTP: HTTP\/1\.1 200 OK$/m)
  expect(text.match(/Flags \[F\.\]/g)).toHaveLength(4)
  expect(text.slice(text.indexOf('\n\n') + 2)).toMatch(
    /^tcpdump: data link type LINUX_SLL2\ntcpdump: verbose output suppressed, use -v\[v\]\.\.\. for full protocol decode\nlistening on any, link-type LINUX_SLL2 \(Linux cooked v2\), snapshot length 262144 bytes\n(\d+) packets captured\n\1 packets received by filter\n0 packets dropped by kernel\n$/,
  )

  const icmp = await look(`-nn -i any icmp or arp`, `${inCli} ping -c 1 ${web}`)
  expect(plain(icmp).slice(0, 6)).toEqual([
    expect.stringMatching(`^veth In  IP ${cli} > ${web}: ICMP echo request, id \\d+, seq 1, length 64$`),
    `veth Out ARP, Request who-has ${web} tell 10.244.1.1, length 28`,
    expect.stringMatching(`^veth In  ARP, Reply ${web} is-at ([0-9a-f]{2}:){5}[0-9a-f]{2}, length 28$`),
    expect.stringMatching(`^veth Out IP ${cli} > ${web}: ICMP echo request, id \\d+, seq 1, length 64$`),
    expect.stringMatching(`^veth In  IP ${web} > ${cli}: ICMP echo reply, id \\d+, seq 1, length 64$`),
    expect.stringMatching(`^veth Out IP ${web} > ${cli}: ICMP echo reply, id \\d+, seq 1, length 64$`),
  ])

  const dns = await look('-nn -i any udp port 53', `${inCli} nslookup web.default.svc.cluster.local 10.96.0.10`)
  expect(dns).toMatch(
    new RegExp(
      `^\\S+ veth\\w+ In  IP ${cli}\\.\\d+ > 10\\.96\\.0\\.10\\.53: \\d+\\+ A\\? web\\.default\\.svc\\.cluster\\.local\\. \\(47\\)$`,
      'm',
    ),
  )
  expect(dns).toMatch(/: \d+ NXDomain\*- 0\/1\/0 \(\d+\)$/m)

  const closed = plain(await look(`-nn -t -q -i any port 81`, `${inCli} curl -s http://${web}:81/`))
  expect(closed.slice(0, 2)).toEqual([`veth In  IP ${cli}.PORT > ${web}.81: tcp 0`, `veth Out IP ${cli}.PORT > ${web}.81: tcp 0`])
  expect(closed[4]).toBe('')

  const inside = (
    await shell(
      worker,
      `${inCli} timeout 3 tcpdump -nn -e -c 1 -i eth0 dst port 80 & sleep 1; ${inCli} curl -s -o /dev/null http://${web}/; wait`,
    )
  ).text
  expect(inside).toMatch(
    /^\S+ ([0-9a-f]{2}:){5}[0-9a-f]{2} > ([0-9a-f]{2}:){5}[0-9a-f]{2}, ethertype IPv4 \(0x0800\), length 74: 10\.244\.1\.\d+\.\d+ > 10\.244\.1\.\d+\.80: Flags \[S\], /m,
  )
  expect(inside).toContain('1 packet captured\n1 packet received by filter\n')
})

test('what the real tcpdump refuses is refused in its words', async () => {
  const { shell } = await nodeCluster(1)
  const control = 'labernetes-control-plane'
  const refused = async (args: string) => (await shell(control, `tcpdump ${args}`)).text
  expect(await refused('-i nope')).toBe('tcpdump: nope: No such device exists\n(No such device exists)\n')
  for (const filter of ["'host and'", 'foo', "'(port 80'", "'port 80 and'"])
    expect(await refused(filter)).toBe("tcpdump: can't parse filter expression: syntax error\n")
  expect(await refused("'port 80 and host 300.1.1.1'")).toBe("tcpdump: invalid IPv4 address '300.1.1.1'\n")
  expect(await refused("'port abc'")).toBe("tcpdump: unknown port 'abc'\n")
  expect(await refused('-w /tmp/x.pcap')).toMatch(/^tcpdump: -w: .*the kind engine has them\n$/)
  expect(await refused('-D')).toMatch(
    /^1\.eth0 \[Up, Running, Connected\]\n(\d+\.veth\w+ \[Up, Running, Connected\]\n)*\d+\.any \(Pseudo-device that captures on all interfaces\) \[Up, Running\]\n\d+\.lo \[Loopback\]\n$/,
  )
})

test('a broken tunnel is seen where it ends: the packet leaves by flannel.1 and nothing by eth0, again and again', async () => {
  const { cluster, shell } = await flannelCluster()
  const control = 'labernetes-control-plane'
  const ip = cluster.context.cache.get<Pod>(resources.pods, 'web', 'default')?.status?.podIP ?? ''
  const look = async (node: string, flags: string, command: string, seconds = 3) =>
    (
      await shell(
        node,
        `tcpdump ${flags} > /tmp/out 2>/tmp/err & sleep 1; ${command} > /dev/null 2>&1; sleep ${seconds}; kill -INT %1; sleep 1; cat /tmp/out`,
      )
    ).text

  const outer = await look(control, '-nn -i eth0 udp port 8472', `curl -s http://${ip}/`)
  expect(plain(outer).slice(0, 2)).toEqual([
    'IP 172.18.0.2.PORT > 172.18.0.3.8472: OTV, flags [I] (0x08), overlay 0, instance 1',
    `IP 10.244.0.0.PORT > ${ip}.80: Flags [S], seq N, win 64240, options [mss 1460,sackOK,TS,nop,wscale 10], length 0`,
  ])
  const framed = await look(control, '-nn -e -i eth0 udp port 8472', `ping -c 1 ${ip}`)
  expect(framed).toMatch(
    /ethertype IPv4 \(0x0800\), length 148: 172\.18\.0\.2\.\d+ > 172\.18\.0\.3\.8472: OTV, flags \[I\] \(0x08\), overlay 0, instance 1\n([0-9a-f]{2}:){5}[0-9a-f]{2} > ([0-9a-f]{2}:){5}[0-9a-f]{2}, ethertype IPv4 \(0x0800\), length 98: 10\.244\.0\.0 > 10\.244\.1\.\d+: ICMP echo request/,
  )
  const inner = plain(await look(control, '-nn -t -q -i flannel.1 tcp', `curl -s http://${ip}/`))
  expect(inner[0]).toBe(`IP 10.244.0.0.PORT > ${ip}.80: tcp 0`)

  await shell(control, 'bridge fdb del $(bridge fdb show dev flannel.1 | cut -d" " -f1) dev flannel.1')
  const lost = await look(control, '-nn -t -q -i flannel.1', `(curl -s -m 8 http://${ip}/ &)`, 9)
  expect(plain(lost).filter((line) => line !== '')).toEqual(new Array(4).fill(`IP 10.244.0.0.PORT > ${ip}.80: tcp 0`))
  const nothing = await look(control, '-nn -t -q -i eth0 udp port 8472', `(curl -s -m 8 http://${ip}/ &)`, 9)
  expect(nothing.trim()).toBe('')
})

/** Two nodes joined by flannel, a web server on the second. */
async function flannelCluster() {
  const made = await nodeCluster(2, { cni: 'none' })
  const manifest = await readFile(join(import.meta.dirname, '../../kind/flannel.yaml'), 'utf8')
  await applyManifests((request) => made.cluster.request(request), manifest)
  await made.cluster.advance(60_000)
  await made.create('web', { nodeName: worker })
  await made.cluster.advance(20_000)
  return made
}
