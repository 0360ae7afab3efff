import { NetworkError } from '../../network/network.ts'
import type { RouteEntry } from '../../network/stack.ts'
import type { Process, Run } from '../kernel/process.ts'
import { isTimeout } from './client.ts'
import { ipOfNode } from './iproute.ts'
import { last, parseOptions } from './options.ts'
import { hasCoreutils, usage } from './usage.ts'

/** Programs that look at the network itself, over the pod's model of it. */
export const netPrograms: Record<string, Run> = { ping, ip, ifconfig, netstat, ss: netstat, route, traceroute, arp }

async function addressOf(process: Process, name: string): Promise<string | undefined> {
  try {
    return await process.within(10_000, () => process.machine.network.lookup(name))
  } catch (error) {
    if (process.ended || !(error instanceof NetworkError || isTimeout(error))) throw error
    return undefined
  }
}

async function ping(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'c:w:W:i:s:qn46I:t:M:')
  const [target] = options.operands
  if (target === undefined) return usage(process, 'missing operand')
  const ip = await addressOf(process, target)
  if (ip === undefined) return process.fail(`bad address '${target}'`)
  const full = hasCoreutils(process)
  if (!full && options.values.has('M')) return usage(process, "invalid option -- 'M'")
  const asked = last(options, 'M') ?? 'want'
  const fragments = (['do', 'want', 'dont'] as const).find((each) => each === asked)
  if (fragments === undefined) {
    await process.complain(`ping: invalid -M argument: ${asked}\n`)
    return 2
  }
  const { stack = process.machine.network.node?.stack } = process.machine.network
  if (stack && !ip.startsWith('127.') && !stack.owns(ip) && !stack.lookup(ip)) {
    if (full) await process.complain('ping: connect: Network is unreachable\n')
    else await process.complain(`PING ${target} (${ip}): 56 data bytes\nping: sendto: Network unreachable\n`)
    return full ? 2 : 1
  }
  const size = Number(last(options, 's') ?? 56)
  await process.print(
    full ? `PING ${target} (${ip}) ${size}(${size + 28}) bytes of data.\n` : `PING ${target} (${ip}): ${size} data bytes\n`,
  )
  const wanted = Number(last(options, 'c') ?? Number.POSITIVE_INFINITY)
  const interval = Number(last(options, 'i') ?? 1) * 1000
  const patience = Number(last(options, 'W') ?? 10) * 1000
  const deadline = process.machine.now() + Number(last(options, 'w') ?? Number.POSITIVE_INFINITY) * 1000
  const times: number[] = []
  const began = process.machine.now()
  let sent = 0
  let errors = 0
  const summary = async () => {
    const share = sent === 0 ? 0 : ((sent - times.length) * 100) / sent
    const lost = full ? Number(share.toPrecision(6)) : Math.floor(share)
    const average = times.reduce((a, b) => a + b, 0) / times.length
    const trip = [Math.min(...times), average, Math.max(...times)].map((each) => each.toFixed(3))
    const head = `\n--- ${target} ping statistics ---\n${sent} packets transmitted, ${times.length}`
    if (full) {
      const took = Math.round(process.machine.now() - began)
      const spread = Math.sqrt(times.reduce((sum, each) => sum + (each - average) ** 2, 0) / times.length)
      const last = times.length > 0 ? `rtt min/avg/max/mdev = ${[...trip, spread.toFixed(3)].join('/')} ms\n` : '\n'
      const failed = errors > 0 ? `, +${errors} errors` : ''
      await process.print(`${head} received${failed}, ${lost}% packet loss, time ${took}ms\n${last}`)
    } else {
      const last = times.length > 0 ? `round-trip min/avg/max = ${trip.join('/')} ms\n` : ''
      await process.print(`${head} packets received, ${lost}% packet loss\n${last}`)
    }
  }
  process.trap('INT', () => {
    void summary().then(() => process.end({ code: times.length > 0 ? 0 : 1 }))
  })
  while (sent < wanted && process.machine.now() < deadline) {
    const sequence = sent++
    const echo = { id: process.pid, sequence: full ? sequence + 1 : sequence, size, fragments }
    const outcome = process.machine.network.echo(ip, echo)
    const told = typeof outcome === 'object' && 'mtu' in outcome
    if (told && outcome.from === undefined && !full) {
      await process.complain('ping: sendto: Message too long\n')
      return 1
    }
    if (told && full) {
      const quiet = options.flags.has('q')
      // What its own kernel says is no error to count for who does not want to hear it.
      if (outcome.from !== undefined || !quiet) errors++
      if (!quiet && outcome.from === undefined) await process.complain(`ping: local error: message too long, mtu=${outcome.mtu}\n`)
      else if (!quiet) await process.print(`From ${outcome.from} icmp_seq=${sequence + 1} Frag needed and DF set (mtu = ${outcome.mtu})\n`)
    }
    if (outcome === 'full' && full) {
      // It tries again for as long as it would wait for an answer.
      await process.sleep(Math.min(patience, deadline - process.machine.now()))
      if (!options.flags.has('q')) await process.complain('ping: sendmsg: No buffer space available\n')
    }
    if (typeof outcome === 'object' && 'ttl' in outcome) {
      const { ttl } = outcome
      const time = 0.05 + process.machine.random() * 0.08
      times.push(time)
      if (!options.flags.has('q'))
        await process.print(
          full
            ? `${size + 8} bytes from ${ip}: icmp_seq=${sequence + 1} ttl=${ttl} time=${time.toFixed(3)} ms\n`
            : `${size + 8} bytes from ${ip}: seq=${sequence} ttl=${ttl} time=${time.toFixed(3)} ms\n`,
        )
    }
    // The last echo's answer is waited for, if there is none.
    if (sent < wanted) await process.sleep(interval)
    else if (times.length + errors < sent && !(typeof outcome === 'object' && 'ttl' in outcome))
      await process.sleep(Math.min(patience, deadline - process.machine.now()))
  }
  await summary()
  return times.length > 0 ? 0 : 1
}

async function traceroute(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'nw:m:q:Ip:s:f:', {})
  const [target] = options.operands
  if (target === undefined) return usage(process, 'missing operand')
  const ip = await addressOf(process, target)
  if (ip === undefined) return process.fail(`bad address '${target}'`)
  const most = Number(last(options, 'm') ?? 30)
  const shown = (address: string) => (options.flags.has('n') ? address : `${address} (${address})`)
  const near = ` 1  ${shown(gateway(process))}  0.005 ms  0.003 ms  0.002 ms\n`
  await process.print(`traceroute to ${target} (${ip}), ${most} hops max, 46 byte packets\n${near}`)
  const outcome = process.machine.network.echo(ip)
  const reached = typeof outcome === 'object' && 'ttl' in outcome
  if (reached) await process.print(` 2  ${shown(ip)}  0.045 ms  0.040 ms  0.038 ms\n`)
  for (let hop = 2; !reached && hop <= most; hop++) {
    await process.sleep(Number(last(options, 'w') ?? 5) * 3000)
    await process.print(`${String(hop).padStart(2)}  *  *  *\n`)
  }
  return 0
}

/** The first three numbers of the pod's address: its node's block. */
function block(process: Process): string {
  return process.machine.network.ip.split('.').slice(0, 3).join('.')
}

function gateway(process: Process): string {
  return `${block(process)}.1`
}

/** A MAC that belongs to an address. */
function hardware(ip: string): string {
  return ['0a', '58', ...ip.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':')
}

/** The interfaces of a pod: the one that kind's network plugin makes, and what somebody has moved into its namespace. */
function interfaces(process: Process) {
  const { stack, ip: given } = process.machine.network
  const device = stack?.link('eth0')
  const { mac = hardware(given), peer = 7, mtu = 1500, up = true } = device ?? {}
  const own = device ? device.addresses[0]?.ip : given
  const broadcast = `${block(process)}.255`
  const eth0 = shownInterface(
    { name: 'eth0', index: 2, peer, mac, mtu, up, carrier: true },
    own === undefined ? [] : [{ ip: own, prefix: 24, broadcast }],
  )
  const others = (stack?.links ?? [])
    .filter(({ kind, name }) => kind !== 'loopback' && name !== 'eth0')
    .map((link) => shownInterface({ ...link, peer: link.pair?.index, carrier: stack?.hasCarrier(link) ?? true }, link.addresses))
  const lo = {
    name: 'lo',
    link: '1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n',
    address: '    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n',
    brief: 'lo               UNKNOWN        127.0.0.1/8 \n',
    config:
      'lo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0\n          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n\n',
  }
  return [lo, ...(stack && !device ? [] : [eth0]), ...others]
}

interface ShownLink {
  name: string
  index: number
  /** The number of the other end, which is in another namespace. */
  peer: number | undefined
  mac: string
  mtu: number
  up: boolean
  carrier: boolean
}

function shownInterface(
  { name, index, peer, mac, mtu, up, carrier }: ShownLink,
  addresses: readonly { ip: string; prefix: number; broadcast?: string }[],
) {
  const title = peer === undefined ? name : `${name}@if${peer}`
  const flags = [
    ...(up && !carrier ? ['NO-CARRIER'] : []),
    'BROADCAST',
    'MULTICAST',
    ...(up ? ['UP'] : []),
    ...(up && carrier ? ['LOWER_UP'] : []),
    ...(peer === undefined ? [] : ['M-DOWN']),
  ]
  const [first] = addresses
  const inet = ({ ip, prefix, broadcast }: (typeof addresses)[number]) =>
    `    inet ${ip}/${prefix} ${broadcast ? `brd ${broadcast} ` : ''}scope global ${name}\n       valid_lft forever preferred_lft forever\n`
  return {
    name,
    link: `${index}: ${title}: <${flags.join(',')}> mtu ${mtu} qdisc noqueue qlen 1000\n    link/ether ${mac} brd ff:ff:ff:ff:ff:ff\n`,
    address: addresses.map(inet).join(''),
    brief: `${title.padEnd(16)} ${(up && carrier ? 'UP' : 'DOWN').padEnd(14)} ${addresses.map(({ ip, prefix }) => `${ip}/${prefix} `).join('')}\n`,
    config: `${name.padEnd(9)} Link encap:Ethernet  HWaddr ${mac.toUpperCase()}  \n${first ? `          inet addr:${first.ip}  Bcast:${first.broadcast ?? '0.0.0.0'}  Mask:${maskOf(first.prefix)}\n` : ''}          ${up ? 'UP ' : ''}BROADCAST ${up && carrier ? 'RUNNING ' : ''}MULTICAST  MTU:${mtu}  Metric:1\n\n`,
  }
}

function maskOf(prefix: number): string {
  return [0, 8, 16, 24].map((from) => 256 - 2 ** (8 - Math.min(8, Math.max(0, prefix - from)))).join('.')
}

/** Routes as busybox prints them. */
function routesOf(process: Process): string {
  const { stack, ip: own } = process.machine.network
  const via = gateway(process)
  const routes: Pick<RouteEntry, 'to' | 'via' | 'dev' | 'scope' | 'source'>[] = stack?.state.routes ?? [
    { to: 'default', via, dev: 'eth0' },
    { to: `${block(process)}.0/24`, via, dev: 'eth0', source: own },
    { to: via, dev: 'eth0', scope: 'link', source: own },
  ]
  const text = ({ to, via: next, dev, scope, source }: (typeof routes)[number]) =>
    `${to.replace(/\/32$/, '')} ${next ? `via ${next} ` : ''}dev ${dev} ${scope === 'link' ? 'scope link ' : ''}${source ? ` src ${source} ` : ''}\n`
  return routes.map(text).join('')
}

async function ip(process: Process): Promise<number> {
  const { node } = process.machine.network
  if (node) return ipOfNode(process, node.stack)
  // With a node's iproute2 in a pod's namespace.
  const { stack } = process.machine.network
  if (process.machine.host && stack) return ipOfNode(process, stack)
  const words = process.args.filter((arg) => !arg.startsWith('-'))
  const brief = process.args.some((arg) => arg === '-br' || arg === '-brief')
  const own = process.machine.network.ip
  const [object = '', action = '', ...more] = words
  const is = (name: string) => object !== '' && name.startsWith(object)
  const shows = /^(?:|s.*|l.*|dev)$/.test(action)
  if ((is('address') || is('link')) && shows) {
    const wanted = [action === 'dev' ? more[0] : more.filter((word) => word !== 'dev')[0]].find((name) => name !== undefined)
    const found = interfaces(process).filter(({ name }) => wanted === undefined || name === wanted)
    if (found.length === 0) return process.fail(`can't find device '${wanted}'`)
    await process.print(found.map((each) => (brief ? each.brief : each.link + (is('address') ? each.address : ''))).join(''))
    return 0
  }
  if (is('route') && action === 'get') {
    await process.print(`${more[0]} via ${gateway(process)} dev eth0  src ${own} \n`)
    return 0
  }
  if (is('route') && shows) {
    await process.print(routesOf(process))
    return 0
  }
  if (is('neighbour')) {
    await process.print(`${gateway(process)} dev eth0 lladdr ${hardware(gateway(process))} ref 1 used 0/0/0 probes 1 REACHABLE \n`)
    return 0
  }
  const changes = /^(?:add|del|set|change|replace)/.test(action)
  return process.fail(changes ? 'RTNETLINK answers: Operation not permitted' : `unknown object '${object}'`, 2)
}

async function ifconfig(process: Process): Promise<number> {
  const wanted = process.args.find((arg) => !arg.startsWith('-'))
  const found = interfaces(process).filter(({ name }) => wanted === undefined || name === wanted)
  if (found.length === 0) return process.fail(`${wanted}: error fetching interface information: Device not found`)
  await process.print(
    found
      .toReversed()
      .map(({ config }) => config)
      .join(''),
  )
  return 0
}

async function route(process: Process): Promise<number> {
  const row = (to: string, via: string, mask: string, flags: string) =>
    `${to.padEnd(15)} ${via.padEnd(15)} ${mask.padEnd(15)} ${flags.padEnd(5)} 0      0        0 eth0\n`
  const via = gateway(process)
  await process.print(
    `Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n${row('0.0.0.0', via, '0.0.0.0', 'UG')}${row(`${block(process)}.0`, via, '255.255.255.0', 'UG')}${row(via, '0.0.0.0', '255.255.255.255', 'UH')}`,
  )
  return 0
}

async function arp(process: Process): Promise<number> {
  await process.print(`? (${gateway(process)}) at ${hardware(gateway(process))} [ether]  on eth0\n`)
  return 0
}

async function netstat(process: Process): Promise<number> {
  const flags = process.args.join('')
  const listeners = process.machine.network
    .listeners()
    .filter((each) =>
      flags.includes('u') && !flags.includes('t')
        ? each.protocol === 'udp'
        : flags.includes('t') && !flags.includes('u')
          ? each.protocol === 'tcp'
          : true,
    )
  const local = (each: { host: string; port: number }) => `${each.host === '' ? '0.0.0.0' : each.host}:${each.port}`
  if (process.name === 'ss')
    await process.print(
      `State  Recv-Q Send-Q Local Address:Port Peer Address:Port${flags.includes('p') ? 'Process' : ''}\n${listeners.map((each) => `${each.protocol === 'udp' ? 'UNCONN' : 'LISTEN'} 0      4096   ${local(each).padStart(18)}      0.0.0.0:*   \n`).join('')}`,
    )
  else
    await process.print(
      `Active Internet connections (${flags.includes('a') ? 'servers and established' : 'only servers'})\nProto Recv-Q Send-Q Local Address           Foreign Address         State       ${flags.includes('p') ? 'PID/Program name    ' : ''}\n${listeners.map((each) => `${each.protocol.padEnd(6)}     0      0 ${local(each).padEnd(23)} ${`${each.host === '::' ? '::' : '0.0.0.0'}:*`.padEnd(23)} ${each.protocol === 'udp' ? '      ' : 'LISTEN'}      ${flags.includes('p') ? '-' : ''}\n`).join('')}`,
    )
  return 0
}
