import { Answers } from '../machinery/remembering.ts'
import { formatIPv4, isIn, parseIPv4 } from './addresses.ts'
import { Iptables, type IptablesState } from './iptables.ts'

/** One interface of a network namespace, as `ip link` shows it. */
export interface Link {
  index: number
  name: string
  kind: 'loopback' | 'ethernet' | 'veth' | 'bridge' | 'vxlan' | 'dummy'
  mac: string
  mtu: number
  up: boolean
  addresses: LinkAddress[]
  /** The bridge it is a port of. */
  master?: string
  /** Of one end of a pair: the number of the other. */
  peer?: number
  /** Of one end of a pair that somebody made: where the other is, '' being the node's own namespace. */
  pair?: { namespace: string; index: number }
  /** It was up once: it has a queueing discipline. */
  used?: true
  /** Packets that wait in it at most, where not the usual number. */
  queue?: number
  /** Of a veth: the pod at its other end, and what that end takes where it is another size. */
  pod?: { uid: string; ip: string; mtu?: number }
  /** Somebody has set its MTU. */
  sized?: true
  vxlan?: { id: number; local: string; dev?: string; port: number; learning: boolean }
}

export interface LinkAddress {
  ip: string
  prefix: number
  scope: 'global' | 'link' | 'host'
  /** It was given without a broadcast address, as people do. */
  alone?: true
}

export interface RouteEntry {
  /** 'default', or a block: 10.244.1.0/24. */
  to: string
  dev: string
  via?: string
  onlink?: boolean
  protocol?: string
  scope?: 'link' | 'host' | 'global'
  source?: string
  metric?: number
}

export interface Neighbour {
  ip: string
  dev: string
  mac: string
  state: string
}

/** A forwarding entry of a bridge port or a vxlan device: behind which address a MAC is. */
export interface FdbEntry {
  mac: string
  dev: string
  destination?: string
  permanent: boolean
}

export interface StackState {
  nextIndex: number
  links: Link[]
  routes: RouteEntry[]
  neighbours: Neighbour[]
  fdb: FdbEntry[]
  sysctls: Record<string, string>
  iptables: IptablesState
}

/** Finds the other end of a device's wire. */
export type FarEnd = (link: Link) => { stack: Stack; link: Link } | undefined

/** Bytes that a vxlan device adds to each packet. */
export const vxlanOverhead = 50
const ethernetSize = 1500
/** The largest packet of IPv4, bytes. */
export const largestSize = 65_535

/** What the kernel answers where it refuses a change. */
export class StackError extends Error {
  readonly code: 'EEXIST' | 'ESRCH' | 'ENOENT' | 'ENODEV' | 'EINVAL' | 'ENETUNREACH' | 'EADDRNOTAVAIL' | 'EOPNOTSUPP'
  /** What iproute2 ends with. */
  readonly exitCode: number
  constructor(code: StackError['code'], message: string, exitCode: number = code === 'ENODEV' ? 1 : 2) {
    super(message)
    this.code = code
    this.exitCode = exitCode
  }
}

/** The IP stack of one network namespace: its devices, addresses, routes, neighbours, forwarding entries and packet filter. */
export class Stack {
  readonly state: StackState
  readonly iptables: Iptables
  private readonly onChange: () => void
  private readonly farEnd: FarEnd
  /** The routes that were found lately, by address, of those that there are. */
  private readonly ways = new Answers<string, { route: RouteEntry | undefined }>(256)
  private waysOf: readonly RouteEntry[] | undefined

  constructor(state: StackState, onChange: () => void = () => {}, farEnd: FarEnd = () => undefined) {
    this.state = state
    this.onChange = () => {
      this.waysOf = undefined
      onChange()
    }
    this.farEnd = farEnd
    this.iptables = new Iptables(state.iptables, onChange)
  }

  get links(): readonly Link[] {
    return this.state.links
  }

  link(name: string): Link | undefined {
    return this.state.links.find((link) => link.name === name)
  }

  /** Throws StackError ENODEV. */
  device(name: string): Link {
    const link = this.link(name)
    if (!link) throw new StackError('ENODEV', `Cannot find device "${name}"`)
    return link
  }

  /** The other end of a pair, where it is in a namespace that is known. */
  peerOf(link: Link): { stack: Stack; link: Link } | undefined {
    return this.farEnd(link)
  }

  /** Whether the other end of a device's wire is up, or of one of a bridge's ports. */
  hasCarrier(link: Link): boolean {
    if (link.kind !== 'bridge') return this.farEnd(link)?.link.up ?? true
    return this.state.links.some((port) => port.master === link.name && port.up && this.hasCarrier(port))
  }

  addLink(link: Omit<Link, 'index' | 'addresses'> & { addresses?: LinkAddress[] }, index?: number): Link {
    if (this.link(link.name)) throw new StackError('EEXIST', 'RTNETLINK answers: File exists')
    const isFree = index !== undefined && !this.state.links.some((other) => other.index === index)
    const made: Link = { ...link, index: isFree ? index : this.state.nextIndex++, addresses: [] }
    this.state.nextIndex = Math.max(this.state.nextIndex, made.index + 1)
    this.state.links.push(made)
    this.fit(made.master)
    for (const address of link.addresses ?? []) this.addAddress(made.name, address)
    this.onChange()
    return made
  }

  /** With its addresses, routes, neighbours and forwarding entries; the ports of a bridge become free. */
  deleteLink(name: string): void {
    const link = this.device(name)
    if (link.kind === 'loopback') throw new StackError('EOPNOTSUPP', 'RTNETLINK answers: Operation not supported')
    const other = this.farEnd(link)
    this.remove(link)
    if (other && !link.pod) other.stack.remove(other.link)
  }

  private remove(link: Link): void {
    const { state } = this
    const { name } = link
    state.links = state.links.filter((other) => other !== link)
    for (const port of state.links) if (port.master === name) delete port.master
    this.dropOf(name)
    state.fdb = state.fdb.filter(({ dev }) => dev !== name)
    this.fit(link.master)
  }

  /** A device that goes down loses its routes and neighbours; one that comes up has its connected routes again. */
  setLink(name: string, change: Partial<Pick<Link, 'up' | 'mtu' | 'mac'>> & { master?: string | null }): void {
    const link = this.device(name)
    const { master, ...rest } = change
    if (typeof master === 'string' && this.device(master).kind !== 'bridge') {
      throw new StackError('EOPNOTSUPP', 'RTNETLINK answers: Operation not supported')
    }
    if (rest.mtu !== undefined) this.checkSize(link, rest.mtu)
    const wasUp = link.up
    const before = link.master
    if (rest.mtu !== undefined) link.sized = true
    if (rest.mtu !== undefined && link.pod) link.pod.mtu ??= link.mtu
    Object.assign(link, rest)
    if (link.up || wasUp) link.used = true
    if (master === null) delete link.master
    else if (master !== undefined) link.master = master
    if (rest.mtu !== undefined || before !== link.master) for (const bridge of new Set([before, link.master])) this.fit(bridge)
    if (wasUp && !link.up) this.dropOf(name)
    if (link.kind === 'loopback' && link.up && link.addresses.length === 0)
      link.addresses.push({ ip: '127.0.0.1', prefix: 8, scope: 'host' })
    if (!wasUp && link.up) for (const address of link.addresses) this.connect(link, address)
    this.onChange()
  }

  addAddress(name: string, address: LinkAddress): void {
    const link = this.device(name)
    if (link.addresses.some(({ ip, prefix }) => ip === address.ip && prefix === address.prefix)) {
      throw new StackError('EEXIST', 'Error: ipv4: Address already assigned.')
    }
    link.addresses.push(address)
    if (link.up) this.connect(link, address)
    this.onChange()
  }

  deleteAddress(name: string, ip: string): void {
    const link = this.device(name)
    const found = link.addresses.find((address) => address.ip === ip)
    if (!found) throw new StackError('EADDRNOTAVAIL', 'Error: ipv4: Address not found.')
    link.addresses = link.addresses.filter((address) => address !== found)
    this.state.routes = this.state.routes.filter((route) => !(route.dev === name && route.source === ip))
    this.onChange()
  }

  /** Throws StackError EEXIST for a second route to the same place unless it replaces it, ENETUNREACH for a gateway out of reach. */
  addRoute(route: RouteEntry, replace = false): void {
    const link = this.device(route.dev)
    if (!link.up) throw new StackError('ENETUNREACH', 'RTNETLINK answers: Network is down')
    if (route.via && !route.onlink) {
      const direct = this.lookup(route.via)
      if (!direct || direct.via || direct.dev !== route.dev) {
        throw new StackError('ENETUNREACH', 'Error: Nexthop has invalid gateway.')
      }
    }
    const same = (other: RouteEntry) => other.to === route.to && (other.metric ?? 0) === (route.metric ?? 0)
    if (!replace && this.state.routes.some(same)) throw new StackError('EEXIST', 'RTNETLINK answers: File exists')
    this.state.routes = [...this.state.routes.filter((other) => !same(other)), route]
    this.onChange()
  }

  deleteRoute(wanted: Partial<RouteEntry> & { to: string }): void {
    const at = this.state.routes.findIndex(
      ({ to, via, dev }) => to === wanted.to && (!wanted.via || wanted.via === via) && (!wanted.dev || wanted.dev === dev),
    )
    if (at === -1) throw new StackError('ESRCH', 'RTNETLINK answers: No such process')
    this.state.routes.splice(at, 1)
    this.onChange()
  }

  /** The route that the kernel takes: the longest prefix, then the lowest metric. */
  lookup(ip: string): RouteEntry | undefined {
    const { ways } = this
    const { routes } = this.state
    if (this.waysOf !== routes) ways.clear()
    this.waysOf = routes
    const known = ways.get(ip)
    if (known) return known.route
    const route = this.wayTo(ip)
    ways.set(ip, { route })
    return route
  }

  private wayTo(ip: string): RouteEntry | undefined {
    const address = parseIPv4(ip)
    let best: RouteEntry | undefined
    for (const route of this.state.routes) {
      if (route.to !== 'default' && !isIn(address, route.to)) continue
      if (!this.link(route.dev)?.up) continue
      const closer = best ? prefixOf(route) - prefixOf(best) : 1
      if (closer > 0 || (closer === 0 && (route.metric ?? 0) < (best?.metric ?? 0))) best = route
    }
    return best
  }

  /** Whether an address is one of this namespace's own. */
  owns(ip: string): boolean {
    return this.state.links.some(({ addresses }) => addresses.some((address) => address.ip === ip))
  }

  /** Takes a device out with nothing left of its addresses and routes, for another namespace; the other end of its wire stays. */
  release(name: string): Link {
    const link = this.device(name)
    if (link.kind === 'loopback') throw new StackError('EINVAL', 'RTNETLINK answers: Invalid argument')
    this.remove(link)
    return link
  }

  rename(name: string, to: string): void {
    const link = this.device(name)
    if (this.link(to)) throw new StackError('EEXIST', 'RTNETLINK answers: File exists')
    for (const port of this.state.links) if (port.master === name) port.master = to
    for (const entry of [...this.state.routes, ...this.state.neighbours, ...this.state.fdb]) if (entry.dev === name) entry.dev = to
    link.name = to
    this.onChange()
  }

  /** The address that packets leave a device under. */
  addressOf(dev: string): string | undefined {
    return this.link(dev)?.addresses[0]?.ip
  }

  setNeighbour(neighbour: Neighbour, how: 'add' | 'replace' = 'replace'): void {
    this.device(neighbour.dev)
    const same = ({ ip, dev }: Neighbour) => ip === neighbour.ip && dev === neighbour.dev
    if (how === 'add' && this.state.neighbours.some(same)) throw new StackError('EEXIST', 'RTNETLINK answers: File exists')
    this.state.neighbours = [...this.state.neighbours.filter((other) => !same(other)), neighbour]
    this.onChange()
  }

  deleteNeighbour(ip: string, dev: string): void {
    const rest = this.state.neighbours.filter((other) => !(other.ip === ip && other.dev === dev))
    if (rest.length === this.state.neighbours.length) throw new StackError('ENOENT', 'RTNETLINK answers: No such file or directory')
    this.state.neighbours = rest
    this.onChange()
  }

  setFdb(entry: FdbEntry, how: 'add' | 'append' | 'replace' = 'replace'): void {
    this.device(entry.dev)
    const same = ({ mac, dev }: FdbEntry) => mac === entry.mac && dev === entry.dev
    if (how === 'add' && this.state.fdb.some(same)) throw new StackError('EEXIST', 'RTNETLINK answers: File exists')
    const rest = how === 'append' ? this.state.fdb : this.state.fdb.filter((other) => !same(other))
    this.state.fdb = [...rest, entry]
    this.onChange()
  }

  deleteFdb(mac: string, dev: string, destination?: string): void {
    const goes = (other: FdbEntry) => other.mac === mac && other.dev === dev && (!destination || other.destination === destination)
    if (!this.state.fdb.some(goes)) throw new StackError('ENOENT', 'RTNETLINK answers: No such file or directory')
    this.state.fdb = this.state.fdb.filter((other) => !goes(other))
    this.onChange()
  }

  sysctl(name: string): string | undefined {
    return this.state.sysctls[name]
  }

  setSysctl(name: string, value: string): void {
    this.state.sysctls[name] = value
    this.onChange()
  }

  /** A bridge takes what the smallest of its ports takes, until somebody sets its size. */
  private fit(bridge: string | undefined): void {
    const link = bridge === undefined ? undefined : this.link(bridge)
    if (!link || link.sized) return
    const ports = this.state.links.filter(({ master }) => master === bridge)
    link.mtu = ports.length > 0 ? Math.min(...ports.map(({ mtu }) => mtu)) : ethernetSize
  }

  /** A tunnel's packets have to fit into those of the device that it is bound to. */
  private checkSize({ kind, vxlan }: Link, mtu: number): void {
    if (kind !== 'loopback' && mtu > largestSize) throw new StackError('EINVAL', 'Error: mtu greater than device maximum.')
    const lower = vxlan?.dev === undefined ? undefined : this.link(vxlan.dev)
    if (lower && mtu > lower.mtu - vxlanOverhead) throw new StackError('EINVAL', 'RTNETLINK answers: Invalid argument')
  }

  private connect(link: Link, { ip, prefix, scope }: LinkAddress): void {
    if (prefix === 32 || scope === 'host') return
    const to = blockOf(ip, prefix)
    this.state.routes = this.state.routes.filter((route) => !(route.to === to && route.dev === link.name))
    this.state.routes.push({ to, dev: link.name, protocol: 'kernel', scope: 'link', source: ip })
  }

  private dropOf(name: string): void {
    const { state } = this
    state.routes = state.routes.filter(({ dev }) => dev !== name)
    state.neighbours = state.neighbours.filter(({ dev }) => dev !== name)
    this.onChange()
  }
}

/** What a namespace has before anybody has set anything up. */
export function emptyStack(): StackState {
  const loopback: Link = {
    index: 1,
    name: 'lo',
    kind: 'loopback',
    mac: '00:00:00:00:00:00',
    mtu: 65536,
    up: true,
    addresses: [{ ip: '127.0.0.1', prefix: 8, scope: 'host' }],
  }
  return {
    nextIndex: 2,
    links: [loopback],
    routes: [],
    neighbours: [],
    fdb: [],
    sysctls: { 'net.ipv4.ip_forward': '0' },
    iptables: { policies: {}, rules: [] },
  }
}

/** What a new namespace has: a loopback that is down. */
export function newNamespace(): StackState {
  const state = emptyStack()
  const [loopback] = state.links
  if (loopback) Object.assign(loopback, { up: false, addresses: [] })
  return state
}

/** The block an address of this prefix length lies in. */
export function blockOf(ip: string, prefix: number): string {
  const size = 2 ** (32 - prefix)
  return `${formatIPv4(Math.floor((parseIPv4(ip) ?? 0) / size) * size)}/${prefix}`
}

/** A MAC that belongs to a text for ever, locally administered. */
export function macOf(text: string): string {
  let hash = 2166136261
  const bytes: number[] = []
  for (let round = 0; round < 6; round++) {
    for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0
    bytes.push(hash & 255)
    hash ^= round + 1
  }
  bytes[0] = ((bytes[0] as number) & 0xfc) | 0x02
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** The name of a pod's network namespace on its node, by the pod's uid: a UUID of its own. */
export function netnsOf(uid: string): string {
  const hex = `${macOf(uid)}${macOf(`${uid}/1`)}${macOf(`${uid}/2`)}`.replaceAll(':', '')
  const uuid = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
  return `cni-${uuid}`
}

function prefixOf({ to }: RouteEntry): number {
  return to === 'default' ? 0 : Number(to.split('/')[1] ?? 32)
}
