import type { ExecResult } from '../engine.ts'
import type { Query } from './kit.ts'

/** The network of a node (or host) as ip(8), bridge(8) and iptables(8) tell it, without what changes by itself. */
export interface NetworkState {
  /** By name: '' is the node's own, the others are those of `ip netns list` that people made (not those of Pods). */
  namespaces: Record<string, NamespaceState>
}

export interface NamespaceState {
  links: Link[]
  routes: Route[]
  fdb: ForwardingEntry[]
  neighbours: Neighbour[]
  /** net.ipv4.ip_forward */
  forwarding: boolean
  /** As iptables(8) would be told: '-t nat -A POSTROUTING -s 10.0.0.0/24 -j MASQUERADE'. */
  rules: string[]
}

export interface Link {
  name: string
  index: number
  /** 'veth', 'bridge', 'vxlan' ...; '' for a plain device and loopback. */
  kind: string
  up: boolean
  mtu: number
  mac: string
  /** Index of the other end of a veth pair, in the namespace where that one is. */
  peer?: number
  /** The bridge it is a port of. */
  master?: string
  /** With its prefix length, global scope only: '10.0.0.2/24'. */
  addresses: string[]
  vxlan?: { id: number; port: number; remote?: string; local?: string; device?: string; learning: boolean }
}

export interface Route {
  /** 'default' or with its prefix length; a single address as '10.0.0.2'. */
  to: string
  via?: string
  device: string
  source?: string
  onlink: boolean
}

export interface ForwardingEntry {
  mac: string
  device: string
  /** The address of the VTEP, on vxlan devices. */
  to?: string
  permanent: boolean
}

export interface Neighbour {
  address: string
  device: string
  mac: string
  permanent: boolean
}

const nothing: NamespaceState = { links: [], routes: [], fdb: [], neighbours: [], forwarding: false, rules: [] }

/** A namespace of a node, '' for its own; an empty one when there is none of that name, or nothing was seen yet. */
export function namespaceOf(state: NetworkState | undefined, name = ''): NamespaceState {
  return state?.namespaces[name] ?? nothing
}

export function linkOf(state: NetworkState | undefined, namespace: string, name: string): Link | undefined {
  return namespaceOf(state, namespace).links.find((link) => link.name === name)
}

/** Whether the device of a namespace is one end of a veth pair whose other end is a port of this bridge of the node. */
export function isWiredTo(state: NetworkState | undefined, namespace: string, name: string, bridge: string): boolean {
  const inside = linkOf(state, namespace, name)
  return namespaceOf(state).links.some(
    (link) => link.master === bridge && inside !== undefined && link.peer === inside.index && inside.peer === link.index,
  )
}

export interface Ping {
  node: string
  /** Of `ip netns`; the node's own unless given. */
  namespace?: string
  to: string
  /** Echo requests; 3 unless given. */
  count?: number
  /** Bytes of payload; with it fragmenting is forbidden. */
  payload?: number
  /** Names of queries whose changes make it run again. */
  after: readonly string[]
}

/** A command query that pings from a node, or from a network namespace on it. pingResult() reads its result. */
export function ping({ node, namespace, to, count = 3, payload, after }: Ping): Query {
  const inside = namespace === undefined ? [] : ['nsenter', `--net=/run/netns/${namespace}`]
  const size = payload === undefined ? [] : ['-M', 'do', '-s', `${payload}`]
  return { kind: 'command', node, argv: [...inside, 'ping', '-n', '-i', '0.2', '-W', '1', '-c', `${count}`, ...size, to], after }
}

export interface PingResult {
  sent: number
  received: number
  /** Of the first answer: 64 less the routers in between. */
  ttl: number | null
  /** The sender, or a router, refused it for its size. */
  tooBig: boolean
}

/** What a ping has seen; nothing sent while it has not run or could not. */
export function pingResult(result: ExecResult | undefined): PingResult {
  const text = `${result?.stdout ?? ''}${result?.stderr ?? ''}`
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(text) ?? []
  return {
    sent: Number(sent ?? 0),
    received: Number(received ?? 0),
    ttl: Number(/ ttl=(\d+)/.exec(text)?.[1] ?? 0) || null,
    tooBig: /message too long|frag needed/i.test(text),
  }
}

/** Prints everything parseNetwork() reads: a part for each table of each namespace. For sh(1) on the node. */
export const lookScript = `
tell() {
  printf '\\n--- %s %s\\n' "$1" "$2"
}
look() {
  name=$1; shift
  tell "$name" addresses; "$@" ip -j -d addr
  tell "$name" routes; "$@" ip -j route show table main
  tell "$name" fdb; "$@" bridge -j fdb show
  tell "$name" neighbours; "$@" ip -j neigh
  tell "$name" forwarding; "$@" cat /proc/sys/net/ipv4/ip_forward
  tell "$name" rules; "$@" iptables-save 2>/dev/null
}
look ''
for name in $(ls /run/netns 2>/dev/null); do
  case $name in cni-*) ;; *) look "$name" nsenter "--net=/run/netns/$name" ;; esac
done
true`

/** Reads what lookScript printed. Throws when it is something else. */
export function parseNetwork(text: string): NetworkState {
  const namespaces: Record<string, NamespaceState> = {}
  const [, ...parts] = text.split(/^--- /m)
  if (parts.length === 0) throw new Error(`the network of the node could not be read: ${text.slice(0, 200)}`)
  for (const part of parts) {
    const [, name = '', table = '', body = ''] = /^(\S*) (\w+)\n([\s\S]*)$/.exec(part) ?? []
    const state = namespaces[name] ?? { ...nothing }
    namespaces[name] = state
    if (table === 'rules') state.rules = rulesOf(body)
    else if (table === 'forwarding') state.forwarding = body.trim() === '1'
    else {
      // ip prints nothing at all for an empty table
      const rows = (body.trim() === '' ? [] : JSON.parse(body)) as Row[]
      if (table === 'addresses') state.links = rows.filter((row) => row['ifname']).map(linkFrom)
      else if (table === 'routes') state.routes = rows.map(routeFrom)
      else if (table === 'fdb') state.fdb = rows.map(entryFrom).filter(({ mac }) => !isMulticast(mac))
      else if (table === 'neighbours') state.neighbours = rows.filter((row) => row['lladdr']).map(neighbourFrom)
    }
  }
  return { namespaces }
}

/** What was set, without what nodes have learnt by themselves: two states of the same text need no second look. */
export function settingsOf(state: NetworkState): string {
  const kept = Object.entries(state.namespaces).map(([name, { fdb, neighbours, ...rest }]) => {
    return [name, { ...rest, fdb: fdb.filter((entry) => entry.permanent), neighbours: neighbours.filter((entry) => entry.permanent) }]
  })
  return JSON.stringify(kept)
}

type Row = Record<string, unknown>

function linkFrom(row: Row): Link {
  const info = row['linkinfo'] as { info_kind?: string; info_data?: Row } | undefined
  const data = info?.info_data ?? {}
  const addresses = (row['addr_info'] as Row[] | undefined) ?? []
  return {
    name: String(row['ifname']),
    index: Number(row['ifindex']),
    kind: info?.info_kind ?? '',
    up: (row['flags'] as string[]).includes('UP'),
    mtu: Number(row['mtu']),
    mac: String(row['address'] ?? ''),
    ...(info?.info_kind === 'veth' && row['link_index'] !== undefined ? { peer: Number(row['link_index']) } : {}),
    ...given('master', row['master']),
    addresses: addresses.filter((one) => one['scope'] === 'global').map((one) => `${String(one['local'])}/${String(one['prefixlen'])}`),
    ...(info?.info_kind === 'vxlan'
      ? {
          vxlan: {
            id: Number(data['id']),
            port: Number(data['port']),
            ...given('remote', data['remote'] ?? data['group']),
            ...given('local', data['local']),
            ...given('device', data['link']),
            learning: data['learning'] === true,
          },
        }
      : {}),
  }
}

function routeFrom(row: Row): Route {
  return {
    to: String(row['dst']),
    ...given('via', row['gateway']),
    device: String(row['dev'] ?? ''),
    ...given('source', row['prefsrc']),
    onlink: ((row['flags'] as string[] | undefined) ?? []).includes('onlink'),
  }
}

function entryFrom(row: Row): ForwardingEntry {
  const permanent = row['state'] === 'permanent' || row['state'] === 'static'
  return { mac: String(row['mac']), device: String(row['ifname']), ...given('to', row['dst']), permanent }
}

function neighbourFrom(row: Row): Neighbour {
  const permanent = ((row['state'] as string[] | undefined) ?? []).some((state) => state === 'PERMANENT' || state === 'NOARP')
  return { address: String(row['dst']), device: String(row['dev']), mac: String(row['lladdr']), permanent }
}

function rulesOf(text: string): string[] {
  let table = ''
  const rules: string[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1).trim()
    else if (line.startsWith('-A')) rules.push(`-t ${table} ${line.trim()}`)
    // a chain's policy, unless it lets everything through
    else if (/^:\S+ DROP/.test(line)) rules.push(`-t ${table} -P ${line.slice(1).split(' ')[0]} DROP`)
  }
  return rules
}

function isMulticast(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1
}

function given<Name extends string>(name: Name, value: unknown): { [Key in Name]?: string } {
  return (value === undefined ? {} : { [name]: String(value) }) as { [Key in Name]?: string }
}
