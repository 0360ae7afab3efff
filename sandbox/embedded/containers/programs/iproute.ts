import { addressIn, parseIPv4 } from '../../network/addresses.ts'
import type { FdbEntry, Link, LinkAddress, Neighbour, RouteEntry, Stack } from '../../network/stack.ts'
import { macOf, netnsOf, StackError } from '../../network/stack.ts'
import type { Process } from '../kernel/process.ts'
import { netns } from './nsenter.ts'

/** iproute2's ip on a node: what it shows and changes is the node's one stack. */
export async function ipOfNode(process: Process, stack: Stack): Promise<number> {
  const words: string[] = []
  const flags = new Set<string>()
  for (const arg of process.args) {
    if (/^-{1,2}[a-z0-9]/i.test(arg) && words.length === 0) flags.add(arg.replace(/^-+/, ''))
    else words.push(arg)
  }
  const [object = '', ...rest] = words
  const is = (name: string) => object !== '' && name.startsWith(object)
  try {
    if (is('address')) return await address(process, stack, rest, flags)
    if (is('link')) return await link(process, stack, rest, flags)
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
    return error.code === 'ENODEV' ? 1 : 2
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
              `${port.index}: ${port.name}: ${flagsOf(port)} mtu ${port.mtu} master ${port.master} state ${port.up ? 'forwarding' : 'disabled'} priority 32 cost 2 \n`,
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
  if (!dev) throw new StackError('EINVAL', 'Not enough information: "dev" argument is required.')
  if (parseIPv4(ip) === undefined) throw new StackError('EINVAL', `Error: any valid prefix is expected rather than "${rest[0]}".`)
  if ('delete'.startsWith(action)) stack.deleteAddress(dev, ip)
  else stack.addAddress(dev, { ip, prefix: Number(bits), scope: (after(rest, 'scope') ?? 'global') as LinkAddress['scope'] })
  return 0
}

async function link(process: Process, stack: Stack, words: readonly string[], flags: ReadonlySet<string>): Promise<number> {
  const [action = 'show', ...rest] = words
  if (/^(?:sh|l|dev$)/.test(action))
    return await show(process, stack, action === 'dev' ? rest : rest.filter((word) => word !== 'dev'), flags, false)
  const name = (rest[0] === 'dev' || rest[0] === 'name' ? rest[1] : rest[0]) ?? ''
  if ('delete'.startsWith(action)) {
    stack.deleteLink(name)
    return 0
  }
  if ('set'.startsWith(action)) {
    const master = after(rest, 'master')
    stack.setLink(name, {
      ...(rest.includes('up') && { up: true }),
      ...(rest.includes('down') && { up: false }),
      ...(after(rest, 'mtu') && { mtu: Number(after(rest, 'mtu')) }),
      ...(after(rest, 'address') && { mac: after(rest, 'address') as string }),
      ...(master && { master }),
      ...(rest.includes('nomaster') && { master: null }),
    })
    return 0
  }
  if ('add'.startsWith(action)) {
    const type = after(rest, 'type')
    const mac = after(rest, 'address') ?? macOf(`${process.machine.hostname}/${name}/${process.machine.random()}`)
    const mtu = after(rest, 'mtu')
    if (type === 'bridge') stack.addLink({ name, kind: 'bridge', mac, mtu: Number(mtu ?? 1500), up: false })
    else if (type === 'vxlan') {
      const dev = after(rest, 'dev') ?? 'eth0'
      const local = after(rest, 'local') ?? stack.addressOf(dev) ?? ''
      const vxlan = {
        id: Number(after(rest, 'id')),
        local,
        dev,
        port: Number(after(rest, 'dstport') ?? 8472),
        learning: !rest.includes('nolearning'),
      }
      stack.addLink({ name, kind: 'vxlan', mac, mtu: Number(mtu ?? 1450), up: false, vxlan })
    } else throw new StackError('EOPNOTSUPP', `Error: Unknown device type.`)
    return 0
  }
  throw new StackError('EINVAL', `Command "${action}" is unknown, try "ip link help".`)
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
    await process.print(`${JSON.stringify(found.map((each) => linkJson(each, addresses)))}\n`)
    return 0
  }
  const brief = flags.has('br') || flags.has('brief')
  const single = flags.has('o') || flags.has('oneline')
  const inet = addresses && flags.has('4')
  const text = (each: Link) =>
    brief ? briefOf(each, addresses) : single && addresses ? inetOf(each, true) : fullOf(each, addresses, detailed)
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
    .map(({ ip, prefix, scope }) => {
      const last = prefix < 31 && scope === 'global' ? ` brd ${broadcastOf(ip, prefix)}` : ''
      const lines = [`    inet ${ip}/${prefix}${last} scope ${scope} ${name}`, '       valid_lft forever preferred_lft forever']
      return single ? `${index}: ${name}${lines.join('\\')}\n` : lines.map((line) => `${line}\n`).join('')
    })
    .join('')
}

/** A device as `ip -j -d addr` tells it. */
function linkJson(each: Link, addresses: boolean): object {
  const { index, name, kind, mtu, mac, master, pod, vxlan } = each
  return {
    ifindex: index,
    ...(kind === 'veth' && { link_index: 2 }),
    ifname: name,
    flags: flagsOf(each).slice(1, -1).split(','),
    mtu,
    qdisc: 'noqueue',
    ...(master && { master }),
    operstate: stateOf(each),
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
      addr_info: each.addresses.map(({ ip, prefix, scope }) => ({
        family: 'inet',
        local: ip,
        prefixlen: prefix,
        ...(prefix < 31 && scope === 'global' && { broadcast: broadcastOf(ip, prefix) }),
        scope,
        label: name,
      })),
    }),
  }
}

function stateOf({ kind, up }: Link): string {
  if (!up) return 'DOWN'
  return kind === 'loopback' || kind === 'vxlan' ? 'UNKNOWN' : 'UP'
}

function flagsOf({ kind, up }: Link): string {
  const kinds = kind === 'loopback' ? ['LOOPBACK'] : ['BROADCAST', 'MULTICAST']
  return `<${[...kinds, ...(up ? ['UP', 'LOWER_UP'] : [])].join(',')}>`
}

function titleOf({ name, kind, peer }: Link): string {
  return kind === 'veth' ? `${name}@if2` : kind === 'ethernet' ? `${name}@if${peer ?? 12}` : name
}

function briefOf(each: Link, addresses: boolean): string {
  const shown = addresses ? each.addresses.map(({ ip, prefix }) => `${ip}/${prefix} `).join('') : `${each.mac} ${flagsOf(each)} `
  return `${titleOf(each).padEnd(16)} ${stateOf(each).padEnd(14)} ${shown}\n`
}

function fullOf(each: Link, addresses: boolean, detailed: boolean): string {
  const master = each.master ? `master ${each.master} ` : ''
  const head = `${each.index}: ${titleOf(each)}: ${flagsOf(each)} mtu ${each.mtu} qdisc noqueue ${master}state ${stateOf(each)} ${addresses ? '' : 'mode DEFAULT '}group default ${each.kind === 'loopback' ? 'qlen 1000' : ''}`
  const kind = each.kind === 'loopback' ? 'loopback' : 'ether'
  const brd = each.kind === 'loopback' ? '00:00:00:00:00:00' : 'ff:ff:ff:ff:ff:ff'
  const netns = each.pod ? ` link-netns ${netnsOf(each.pod.uid)}` : each.kind === 'ethernet' ? ' link-netnsid 0' : ''
  const lines = [head, `    link/${kind} ${each.mac} brd ${brd}${netns}`]
  const { vxlan } = each
  if (detailed && vxlan) {
    lines.push(
      `    vxlan id ${vxlan.id} local ${vxlan.local} dev ${vxlan.dev} srcport 0 0 dstport ${vxlan.port} ${vxlan.learning ? '' : 'nolearning '}ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx `,
    )
  } else if (detailed && (each.kind === 'bridge' || each.kind === 'veth')) lines.push(`    ${each.kind} `)
  if (addresses) {
    lines.push(...inetOf(each, false).split('\n').slice(0, -1))
  }
  return lines.map((line) => `${line}\n`).join('')
}

function broadcastOf(ip: string, prefix: number): string {
  const size = 2 ** (32 - prefix)
  const start = Math.floor((parseIPv4(ip) ?? 0) / size) * size
  return addressIn('0.0.0.0/0', start + size - 1)
}

async function route(process: Process, stack: Stack, words: readonly string[], flags: ReadonlySet<string>): Promise<number> {
  const [action = 'show', ...rest] = words
  if (action === 'get') return await routeGet(process, stack, rest[0] ?? '')
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
  await process.print(
    `${ip} ${found.via ? `via ${found.via} ` : ''}dev ${found.dev} src ${found.source ?? stack.addressOf(found.dev)} uid 0 \n    cache \n`,
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
