import { addressIn, parseIPv4 } from '../../network/addresses.ts'
import type { FdbEntry, Link, LinkAddress, Neighbour, RouteEntry, Stack } from '../../network/stack.ts'
import { macOf, netnsOf, StackError } from '../../network/stack.ts'
import type { Process } from '../kernel/process.ts'
import { addLink, setLink } from './iproute-link.ts'
import { namespacesOf, netns } from './nsenter.ts'

/** iproute2's ip on a node: what it shows and changes is the node's one stack, a pod's or that of a namespace that was made. */
export async function ipOfNode(process: Process, own: Stack): Promise<number> {
  const words: string[] = []
  const flags = new Set<string>()
  let stack = own
  let place = process.machine.network.made?.name ?? ''
  const args = [...process.args]
  for (let arg = args.shift(); arg !== undefined; arg = args.shift()) {
    if (/^-n(?:e|et|etns)?$/.test(arg) && words.length === 0) {
      place = args.shift() ?? ''
      const there = namespacesOf(process)?.open(place)?.stack
      if (!there) {
        await process.complain(`Cannot open network namespace "${place}": No such file or directory\n`)
        return 255
      }
      stack = there
    } else if (/^-{1,2}[a-z0-9]/i.test(arg) && words.length === 0) flags.add(arg.replace(/^-+/, ''))
    else words.push(arg)
  }
  const [object = '', ...rest] = words
  const is = (name: string) => object !== '' && name.startsWith(object)
  try {
    if (is('address')) return await address(process, stack, rest, flags)
    if (is('link')) return await link(process, stack, place, rest, flags)
    if (is('route')) return await route(process, stack, rest, flags)
    if (is('neighbour') || is('neighbor')) return await neighbour(process, stack, rest, flags)
    if (is('netns')) return await netns(process, rest)
    if (is('rule')) {
      await process.print('0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n')
      return 0
    }
  } catch (error) {
    if (!(error instanceof StackError)) throw error
    await process.complain(`${error.message}\n`)
    return error.exitCode
  }
  await process.complain(
    object === '' ? 'Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n' : `Object "${object}" is unknown, try "ip help".\n`,
  )
  return 1
}

/** iproute2's bridge: fdb and link. */
export async function bridge(process: Process): Promise<number> {
  const stack = process.machine.network.node?.stack
  if (!stack) return process.fail('Operation not permitted')
  const [object = '', action = 'show', ...rest] = process.args.filter((arg) => !/^-[a-z]/.test(arg))
  const json = process.args.some((arg) => /^-(?:j|json)$/.test(arg))
  try {
    if (object === 'fdb' || object === 'f') return await fdb(process, stack, action, rest, json)
    if (object === 'link') {
      const ports = stack.links.filter(({ master }) => master !== undefined)
      await process.print(
        ports
          .map(
            (port) =>
              `${port.index}: ${port.name}: ${flagsOf(stack, port)} mtu ${port.mtu} master ${port.master} state ${port.up ? 'forwarding' : 'disabled'} priority 32 cost 2 \n`,
          )
          .join(''),
      )
      return 0
    }
  } catch (error) {
    if (!(error instanceof StackError)) throw error
    await process.complain(`${error.message}\n`)
    return error.code === 'ENODEV' ? 1 : 2
  }
  await process.complain(`Object "${object}" is unknown, try "bridge help".\n`)
  return 1
}

async function address(process: Process, stack: Stack, words: readonly string[], flags: ReadonlySet<string>): Promise<number> {
  const [action = 'show', ...rest] = words
  const shows = /^(?:s|l|dev$)/.test(action)
  if (shows) return await show(process, stack, action === 'dev' ? rest : rest.filter((word) => word !== 'dev'), flags, true)
  const dev = after(rest, 'dev')
  const [ip = '', bits = '32'] = (rest[0] ?? '').split('/')
  if (parseIPv4(ip) === undefined) throw new StackError('EINVAL', `Error: any valid prefix is expected rather than "${rest[0]}".`, 1)
  if (!dev) throw new StackError('EINVAL', 'Not enough information: "dev" argument is required.', 1)
  if ('delete'.startsWith(action)) stack.deleteAddress(dev, ip)
  else {
    const scope = (after(rest, 'scope') ?? 'global') as LinkAddress['scope']
    const isAlone = after(rest, 'brd') === undefined && after(rest, 'broadcast') === undefined
    stack.addAddress(dev, { ip, prefix: Number(bits), scope, ...(isAlone && { alone: true }) })
  }
  return 0
}

async function link(process: Process, stack: Stack, place: string, words: readonly string[], flags: ReadonlySet<string>): Promise<number> {
  const [action = 'show', ...rest] = words
  if (/^(?:sh|l|dev$)/.test(action))
    return await show(process, stack, action === 'dev' ? rest : rest.filter((word) => word !== 'dev'), flags, false)
  if ('delete'.startsWith(action)) stack.deleteLink((rest[0] === 'dev' || rest[0] === 'name' ? rest[1] : rest[0]) ?? '')
  else if ('set'.startsWith(action)) setLink(process, stack, place, rest)
  else if ('add'.startsWith(action)) addLink(process, stack, place, rest)
  else throw new StackError('EINVAL', `Command "${action}" is unknown, try "ip link help".`, 255)
  return 0
}

async function show(
  process: Process,
  stack: Stack,
  words: readonly string[],
  flags: ReadonlySet<string>,
  addresses: boolean,
): Promise<number> {
  const type = after(words, 'type')
  const master = after(words, 'master')
  const name = words.find((word, index) => !['type', 'master', 'up'].includes(word) && !['type', 'master'].includes(words[index - 1] ?? ''))
  if (name !== undefined && !stack.link(name)) {
    await process.complain(`Device "${name}" does not exist.\n`)
    return 1
  }
  const found = stack.links.filter(
    (each) =>
      (!name || each.name === name) &&
      (!type || each.kind === type) &&
      (!master || each.master === master) &&
      (!words.includes('up') || each.up),
  )
  const detailed = flags.has('d') || flags.has('details')
  if (flags.has('j') || flags.has('json')) {
    await process.print(`${JSON.stringify(found.map((each) => linkJson(stack, each, addresses)))}\n`)
    return 0
  }
  const brief = flags.has('br') || flags.has('brief')
  const single = flags.has('o') || flags.has('oneline')
  const inet = addresses && flags.has('4')
  const text = (each: Link) =>
    brief ? briefOf(stack, each, addresses) : single && addresses ? inetOf(each, true) : fullOf(stack, each, addresses, detailed)
  const shown = found.filter((each) => !inet || each.addresses.length > 0)
  await process.print(shown.map((each) => (single && !addresses ? oneLine(text(each)) : text(each))).join(''))
  return 0
}

/** -o: a line each, where a line break is shown as a backslash. */
function oneLine(text: string): string {
  return `${text.trimEnd().replaceAll('\n', '\\')}\n`
}

function inetOf({ index, name, addresses }: Link, single: boolean): string {
  return addresses
    .map((one) => {
      const { ip, prefix, scope } = one
      const broadcast = broadcastOf(one)
      const last = broadcast ? ` brd ${broadcast}` : ''
      const lines = [`    inet ${ip}/${prefix}${last} scope ${scope} ${name}`, '       valid_lft forever preferred_lft forever']
      return single ? `${index}: ${name}${lines.join('\\')}\n` : lines.map((line) => `${line}\n`).join('')
    })
    .join('')
}

/** A device as `ip -j -d addr` tells it. */
function linkJson(stack: Stack, each: Link, addresses: boolean): object {
  const { index, name, kind, mtu, mac, master, pod, vxlan } = each
  return {
    ifindex: index,
    ...(kind === 'veth' && { link_index: each.pair?.index ?? 2 }),
    ifname: name,
    flags: flagsOf(stack, each).slice(1, -1).split(','),
    mtu,
    qdisc: 'noqueue',
    ...(master && { master }),
    operstate: stateOf(stack, each),
    group: 'default',
    link_type: kind === 'loopback' ? 'loopback' : 'ether',
    address: mac,
    broadcast: kind === 'loopback' ? '00:00:00:00:00:00' : 'ff:ff:ff:ff:ff:ff',
    ...(pod && { link_netns: netnsOf(pod.uid) }),
    ...(kind !== 'loopback' &&
      kind !== 'ethernet' && {
        linkinfo: {
          info_kind: kind,
          ...(vxlan && { info_data: { id: vxlan.id, local: vxlan.local, link: vxlan.dev, port: vxlan.port, learning: vxlan.learning } }),
        },
      }),
    ...(addresses && {
      addr_info: each.addresses.map((one) => {
        const broadcast = broadcastOf(one)
        return { family: 'inet', local: one.ip, prefixlen: one.prefix, ...(broadcast && { broadcast }), scope: one.scope, label: name }
      }),
    }),
  }
}

function stateOf(stack: Stack, each: Link): string {
  const { kind, up } = each
  if (!up) return 'DOWN'
  // The kernel looks for the other end among the devices of the same namespace only.
  if (!stack.hasCarrier(each)) return isWithin(stack, each) ? 'LOWERLAYERDOWN' : 'DOWN'
  return kind === 'loopback' || kind === 'vxlan' || kind === 'dummy' ? 'UNKNOWN' : 'UP'
}

/** Whether both ends of a pair are in one namespace. */
function isWithin(stack: Stack, each: Link): boolean {
  return each.pair !== undefined && stack.peerOf(each)?.stack === stack
}

function flagsOf(stack: Stack, each: Link): string {
  const { kind, up } = each
  const carrier = stack.hasCarrier(each)
  const kinds = kind === 'loopback' ? ['LOOPBACK'] : kind === 'dummy' ? ['BROADCAST', 'NOARP'] : ['BROADCAST', 'MULTICAST']
  const lost = up && !carrier
  // Of the other end it says so where it knows it by its name.
  const known = lost && isWithin(stack, each)
  return `<${[...(lost ? ['NO-CARRIER'] : []), ...kinds, ...(up ? ['UP'] : []), ...(up && carrier ? ['LOWER_UP'] : []), ...(known ? ['M-DOWN'] : [])].join(',')}>`
}

function titleOf(stack: Stack, each: Link): string {
  const { name, kind, peer, pair } = each
  const other = pair && stack.peerOf(each)
  if (pair) return other?.stack === stack ? `${name}@${other.link.name}` : `${name}@if${pair.index}`
  return kind === 'veth' ? `${name}@if2` : kind === 'ethernet' ? `${name}@if${peer ?? 12}` : name
}

function briefOf(stack: Stack, each: Link, addresses: boolean): string {
  const shown = addresses ? each.addresses.map(({ ip, prefix }) => `${ip}/${prefix} `).join('') : `${each.mac} ${flagsOf(stack, each)} `
  return `${titleOf(stack, each).padEnd(16)} ${stateOf(stack, each).padEnd(14)} ${shown}\n`
}

function fullOf(stack: Stack, each: Link, addresses: boolean, detailed: boolean): string {
  const master = each.master ? `master ${each.master} ` : ''
  const isMade = each.queue !== undefined || each.kind === 'loopback'
  const discipline = each.up || each.used || !isMade ? 'noqueue' : 'noop'
  const queue = isMade ? `qlen ${each.queue ?? 1000}` : ''
  const head = `${each.index}: ${titleOf(stack, each)}: ${flagsOf(stack, each)} mtu ${each.mtu} qdisc ${discipline} ${master}state ${stateOf(stack, each)} ${addresses ? '' : 'mode DEFAULT '}group default ${queue}`
  const kind = each.kind === 'loopback' ? 'loopback' : 'ether'
  const brd = each.kind === 'loopback' ? '00:00:00:00:00:00' : 'ff:ff:ff:ff:ff:ff'
  const lines = [head, `    link/${kind} ${each.mac} brd ${brd}${elsewhere(stack, each)}`]
  const { vxlan } = each
  if (detailed && vxlan) {
    lines.push(
      `    vxlan id ${vxlan.id} local ${vxlan.local} ${vxlan.dev === undefined ? '' : `dev ${vxlan.dev} `}srcport 0 0 dstport ${vxlan.port} ${vxlan.learning ? '' : 'nolearning '}ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx `,
    )
  } else if (detailed && (each.kind === 'bridge' || each.kind === 'veth')) lines.push(`    ${each.kind} `)
  if (addresses) {
    lines.push(...inetOf(each, false).split('\n').slice(0, -1))
  }
  return lines.map((line) => `${line}\n`).join('')
}

/** In which namespace the other end of a wire is. */
function elsewhere(stack: Stack, each: Link): string {
  if (each.pod) return ` link-netns ${netnsOf(each.pod.uid)}`
  if (each.kind === 'ethernet') return ' link-netnsid 0'
  if (!each.pair || stack.peerOf(each)?.stack === stack) return ''
  return each.pair.namespace ? ` link-netns ${each.pair.namespace}` : ' link-netnsid 0'
}

/** Undefined for an address that has none. */
function broadcastOf({ ip, prefix, scope, alone }: LinkAddress): string | undefined {
  if (prefix >= 31 || scope !== 'global' || alone) return undefined
  const size = 2 ** (32 - prefix)
  const start = Math.floor((parseIPv4(ip) ?? 0) / size) * size
  return addressIn('0.0.0.0/0', start + size - 1)
}

async function route(process: Process, stack: Stack, words: readonly string[], flags: ReadonlySet<string>): Promise<number> {
  const [action = 'show', ...rest] = words
  if (action === 'get') return await routeGet(process, stack, rest[0] ?? '')
  if (action === 'flush' && rest[0] === 'cache') {
    process.machine.network.paths?.forget()
    return 0
  }
  if (/^(?:s|l)/.test(action)) {
    const dev = after(rest, 'dev')
    const wanted = rest[0] !== 'dev' && rest[0] !== 'table' ? rest[0] : undefined
    const shown = stack.state.routes
      .filter((entry) => (!dev || entry.dev === dev) && (!wanted || entry.to === wanted || entry.to === `${wanted}/32`))
      .toSorted((a, b) => order(a) - order(b))
    if (flags.has('j')) await process.print(`${JSON.stringify(shown.map(routeJson))}\n`)
    else await process.print(shown.map((entry) => `${routeText(entry)} \n`).join(''))
    return 0
  }
  const to =
    rest[0] === 'default' || rest[0] === '0.0.0.0/0' ? 'default' : (rest[0] ?? '').includes('/') ? (rest[0] as string) : `${rest[0]}/32`
  const via = after(rest, 'via')
  if ('delete'.startsWith(action)) {
    stack.deleteRoute({ to, via, dev: after(rest, 'dev') })
    return 0
  }
  if (!'add'.startsWith(action) && !'replace'.startsWith(action) && !'change'.startsWith(action)) {
    throw new StackError('EINVAL', `Command "${action}" is unknown, try "ip route help".`)
  }
  const dev = after(rest, 'dev') ?? (via && stack.lookup(via)?.dev)
  if (!dev) throw new StackError('ENETUNREACH', 'Error: Nexthop has invalid gateway.')
  const metric = after(rest, 'metric')
  const entry: RouteEntry = {
    to,
    dev,
    ...(via ? { via } : { scope: 'link' }),
    ...(rest.includes('onlink') && { onlink: true }),
    ...(after(rest, 'proto') && { protocol: after(rest, 'proto') as string }),
    ...(after(rest, 'src') && { source: after(rest, 'src') as string }),
    ...(metric && { metric: Number(metric) }),
  }
  stack.addRoute(entry, !'add'.startsWith(action))
  return 0
}

async function routeGet(process: Process, stack: Stack, ip: string): Promise<number> {
  if (stack.owns(ip)) {
    await process.print(`local ${ip} dev lo src ${ip} uid 0 \n    cache <local> \n`)
    return 0
  }
  const found = stack.lookup(ip)
  if (!found) {
    await process.complain('RTNETLINK answers: Network is unreachable\n')
    return 2
  }
  const path = process.machine.network.paths?.to(ip)
  const cache = path ? ` expires ${Math.floor((path.until - process.machine.now()) / 1000)}sec mtu ${path.mtu}` : ''
  await process.print(
    `${ip} ${found.via ? `via ${found.via} ` : ''}dev ${found.dev} src ${found.source ?? stack.addressOf(found.dev)} uid 0 \n    cache${cache} \n`,
  )
  return 0
}

function routeJson({ to, via, dev, onlink, protocol, scope, source, metric }: RouteEntry): object {
  return {
    dst: to.endsWith('/32') ? to.slice(0, -3) : to,
    ...(via && { gateway: via }),
    dev,
    ...(protocol && { protocol }),
    ...(scope && scope !== 'global' && { scope }),
    ...(source && { prefsrc: source }),
    ...(metric && { metric }),
    flags: onlink ? ['onlink'] : [],
  }
}

function order({ to }: RouteEntry): number {
  return to === 'default' ? -1 : (parseIPv4(to.split('/')[0] ?? '') ?? 0)
}

function routeText({ to, via, dev, onlink, protocol, scope, source, metric }: RouteEntry): string {
  return [
    to.endsWith('/32') ? to.slice(0, -3) : to,
    via && `via ${via}`,
    `dev ${dev}`,
    protocol && `proto ${protocol}`,
    scope && scope !== 'global' && `scope ${scope}`,
    source && `src ${source}`,
    metric && `metric ${metric}`,
    onlink && 'onlink',
  ]
    .filter(Boolean)
    .join(' ')
}

async function neighbour(process: Process, stack: Stack, words: readonly string[], flags: ReadonlySet<string>): Promise<number> {
  const [action = 'show', ...rest] = words
  const dev = after(rest, 'dev')
  if (/^(?:s|l)/.test(action)) {
    const shown = [...stack.state.neighbours, ...learned(stack)].filter((each) => !dev || each.dev === dev)
    if (flags.has('j')) {
      await process.print(
        `${JSON.stringify(shown.map(({ ip, mac, state, ...each }) => ({ dst: ip, dev: each.dev, lladdr: mac, state: [state] })))}\n`,
      )
      return 0
    }
    await process.print(shown.map((each) => `${each.ip} ${dev ? '' : `dev ${each.dev} `}lladdr ${each.mac} ${each.state} \n`).join(''))
    return 0
  }
  if (!dev) throw new StackError('EINVAL', 'Device and destination are required arguments.')
  const ip = rest[0] ?? ''
  if ('delete'.startsWith(action)) stack.deleteNeighbour(ip, dev)
  else {
    const entry: Neighbour = { ip, dev, mac: after(rest, 'lladdr') ?? '', state: (after(rest, 'nud') ?? 'permanent').toUpperCase() }
    stack.setNeighbour(entry, 'add'.startsWith(action) ? 'add' : 'replace')
  }
  return 0
}

/** What ARP has found out: the pods behind wires that are up. */
function learned(stack: Stack): Neighbour[] {
  return stack.links.flatMap(({ name, up, master, pod }) =>
    up && pod ? [{ ip: pod.ip, dev: master ?? name, mac: macOf(`${pod.uid}/eth0`), state: 'REACHABLE' }] : [],
  )
}

async function fdb(process: Process, stack: Stack, action: string, rest: readonly string[], json: boolean): Promise<number> {
  const dev = after(rest, 'dev')
  const br = after(rest, 'br')
  if (/^(?:s|l)/.test(action)) {
    if (dev !== undefined) stack.device(dev)
    const shown = stack.state.fdb.filter((each) => !dev || each.dev === dev)
    const ports = dev || !br ? [] : stack.links.filter(({ master }) => master === br)
    if (json) {
      const rows = shown.map(({ mac, dev: ifname, destination, permanent }) => ({
        mac,
        ifname,
        ...(destination && { dst: destination }),
        flags: ['self'],
        state: permanent ? 'permanent' : '',
      }))
      await process.print(`${JSON.stringify(rows)}\n`)
      return 0
    }
    const text = [
      ...shown.map((each) => entryText(each, dev === undefined)),
      ...ports.map((port) => `${macOf(`${port.pod?.uid}/eth0`)} dev ${port.name} master ${br}`),
    ]
    await process.print(text.map((line) => `${line}\n`).join(''))
    return 0
  }
  if (!dev) throw new StackError('EINVAL', 'Device and address are required arguments.')
  const mac = rest[0] ?? ''
  const destination = after(rest, 'dst')
  if ('delete'.startsWith(action)) stack.deleteFdb(mac, dev, destination)
  else {
    const how =
      'append'.startsWith(action) && action !== 'a' && action !== 'add' ? 'append' : 'replace'.startsWith(action) ? 'replace' : 'add'
    stack.setFdb({ mac, dev, permanent: !rest.includes('dynamic'), ...(destination && { destination }) }, how)
  }
  return 0
}

function entryText({ mac, dev, destination, permanent }: FdbEntry, withDevice: boolean): string {
  return [mac, withDevice && `dev ${dev}`, destination && `dst ${destination}`, 'self', permanent && 'permanent'].filter(Boolean).join(' ')
}

function after(words: readonly string[], name: string): string | undefined {
  const at = words.indexOf(name)
  return at === -1 ? undefined : words[at + 1]
}
