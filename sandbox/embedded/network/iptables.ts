import { inCIDR } from './addresses.ts'
import type { Protocol } from './network.ts'

export type TableName = 'filter' | 'nat' | 'mangle' | 'raw'

/** One rule as it was given, and what of it is understood. */
export interface Rule {
  table: TableName
  chain: string
  /** It comes before kube-proxy's rules of its chain; the others come behind them. */
  early?: true
  /** As iptables-save prints it after `-A CHAIN `. */
  spec: string[]
}

export interface IptablesState {
  /** By 'table/chain': the policy of a built-in chain, '-' for a chain that somebody made. */
  policies: Record<string, string>
  rules: Rule[]
}

/** A packet at one hook. */
export interface FilterPacket {
  protocol: Protocol | 'ICMP'
  source: string
  destination: string
  port: number
  sourcePort?: number
  /** It belongs to a flow that began with another packet. */
  answers?: true
  /** Of ICMP, type and code: an echo request ('8') unless given. */
  icmp?: string
  in?: string
  out?: string
  /** The destination is an address of the stack itself. */
  local?: boolean
}

/**
 * What becomes of a packet that a rule keeps out. Who sent it hears at once of the others than `dropped`: that it is refused, that its
 * host may not be reached, that there is no way to the host's network.
 */
export type Refusal = 'dropped' | 'refused' | 'prohibited' | 'no route'

/** What the nat table makes of one end of a flow: another address, with no port where that stays, or the rest of the chain is left out. */
export type Translated = { ip?: string; port?: number } | 'ACCEPT'

const builtIn: Record<TableName, readonly string[]> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  raw: ['PREROUTING', 'OUTPUT'],
}

/** The packet filter of a namespace: rules that somebody gave, walked as the kernel walks them. */
export class Iptables {
  readonly state: IptablesState
  private readonly onChange: () => void

  constructor(state: IptablesState, onChange: () => void) {
    this.state = state
    this.onChange = onChange
  }

  /** The chains of a table with their policies, the kernel's own first. */
  chains(table: TableName): { name: string; policy: string }[] {
    const made = Object.keys(this.state.policies).filter((key) => key.startsWith(`${table}/`) && this.state.policies[key] === '-')
    return [
      ...builtIn[table].map((name) => ({ name, policy: this.state.policies[`${table}/${name}`] ?? 'ACCEPT' })),
      ...made.map((key) => ({ name: key.slice(table.length + 1), policy: '-' })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    ]
  }

  has(table: TableName, chain: string): boolean {
    return this.chains(table).some(({ name }) => name === chain)
  }

  rules(table: TableName, chain?: string): Rule[] {
    return this.state.rules.filter((rule) => rule.table === table && (chain === undefined || rule.chain === chain))
  }

  newChain(table: TableName, chain: string): void {
    this.state.policies[`${table}/${chain}`] = '-'
    this.onChange()
  }

  deleteChain(table: TableName, chain: string): void {
    delete this.state.policies[`${table}/${chain}`]
    this.onChange()
  }

  setPolicy(table: TableName, chain: string, policy: string): void {
    this.state.policies[`${table}/${chain}`] = policy
    this.onChange()
  }

  /** Behind the others, or in place `at` (1 is the first). */
  add(rule: Rule, at?: number): void {
    const others = this.rules(rule.table, rule.chain)
    const before = at === undefined ? undefined : others[at - 1]
    const index = before ? this.state.rules.indexOf(before) : this.state.rules.length
    this.state.rules.splice(index, 0, rule)
    this.onChange()
  }

  find(rule: Rule): Rule | undefined {
    return this.rules(rule.table, rule.chain).find(({ spec }) => spec.join(' ') === rule.spec.join(' '))
  }

  remove(rule: Rule): void {
    this.state.rules = this.state.rules.filter((other) => other !== rule)
    this.onChange()
  }

  flush(table: TableName, chain?: string): void {
    this.state.rules = this.state.rules.filter((rule) => rule.table !== table || (chain !== undefined && rule.chain !== chain))
    this.onChange()
  }

  /** What the tables that can refuse a packet make of it at a hook; undefined where they let it pass. */
  refuses(hook: 'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT', packet: FilterPacket): Refusal | undefined {
    if (this.isEmpty) return undefined
    for (const table of refusing) {
      if (!builtIn[table].includes(hook)) continue
      const decided = this.walk(this.rules(table, hook), table, packet)
      const target = decided ? targetOf(decided) : this.state.policies[`${table}/${hook}`]
      if (target === 'DROP') return 'dropped'
      if (target === 'REJECT') return rejections[option(decided ?? [], '--reject-with') ?? ''] ?? 'refused'
    }
    return undefined
  }

  /** Where the first packet of a flow is sent instead, by the rules before kube-proxy's or by those behind them. */
  destination(hook: 'PREROUTING' | 'OUTPUT', packet: FilterPacket, early: boolean): Translated | undefined {
    const rule = this.translation(hook, packet, early)
    if (!rule) return undefined
    const target = targetOf(rule)
    if (target === 'ACCEPT') return 'ACCEPT'
    if (target === 'REDIRECT') return { port: portOf(option(rule, '--to-ports')) ?? packet.port }
    return target === 'DNAT' ? addressOf(option(rule, '--to-destination')) : undefined
  }

  /** Under which address a flow goes on: `ip` is absent where that is the one of the device it leaves by. */
  source(packet: FilterPacket, early: boolean): Translated | undefined {
    const rule = this.translation('POSTROUTING', packet, early)
    if (!rule) return undefined
    const target = targetOf(rule)
    if (target === 'ACCEPT') return 'ACCEPT'
    if (target === 'MASQUERADE') return {}
    return target === 'SNAT' ? addressOf(option(rule, '--to-source')) : undefined
  }

  /** Whether nobody has put anything into it. */
  get isEmpty(): boolean {
    return this.state.rules.length === 0 && Object.keys(this.state.policies).length === 0
  }

  /** Whether a rule leads to the chain, or the chain has rules. */
  isUsed(table: TableName, chain: string): boolean {
    return this.rules(table).some((rule) => rule.chain === chain || targetOf(rule.spec) === chain)
  }

  private translation(hook: string, packet: FilterPacket, early: boolean): readonly string[] | undefined {
    const rules = this.rules('nat', hook).filter((rule) => (rule.early ?? false) === early)
    return this.walk(rules, 'nat', packet)
  }

  /** The rule that decides, if one of these or of the chains that they lead to does. */
  private walk(rules: readonly Rule[], table: TableName, packet: FilterPacket, depth = 0): readonly string[] | undefined {
    if (depth > 16) return undefined
    for (const { spec } of rules) {
      const target = matched(spec, packet)
      if (target === undefined) continue
      if (deciding.has(target)) return spec
      if (target === 'RETURN') return undefined
      const inner = this.walk(this.rules(table, target), table, packet, depth + 1)
      if (inner) return inner
    }
    return undefined
  }
}

const refusing: readonly TableName[] = ['raw', 'mangle', 'filter']
/** By what REJECT answers with, other than that a port is not reached (net/ipv4/icmp.c, icmp_err_convert). */
const rejections: Record<string, Refusal> = {
  'icmp-net-unreachable': 'no route',
  'icmp-net-prohibited': 'no route',
  'icmp-host-unreachable': 'prohibited',
  'icmp-host-prohibited': 'prohibited',
  'icmp-admin-prohibited': 'prohibited',
}
const deciding = new Set(['ACCEPT', 'DROP', 'REJECT', 'DNAT', 'REDIRECT', 'SNAT', 'MASQUERADE'])

function targetOf(spec: readonly string[]): string | undefined {
  return option(spec, '-j') ?? option(spec, '-g')
}

function option(spec: readonly string[], name: string): string | undefined {
  const at = spec.indexOf(name)
  return at === -1 ? undefined : spec[at + 1]
}

/** The first of the addresses and ports that a rule gives. */
function addressOf(text = ''): { ip?: string; port?: number } {
  const [addresses = '', ports] = text.split(':')
  const [ip] = addresses.split('-')
  const port = portOf(ports)
  return { ...(ip && { ip }), ...(port !== undefined && { port }) }
}

function portOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text.split('-')[0])
}

/** The target of a rule that a packet matches; undefined when it does not, or when the rule has none. */
function matched(spec: readonly string[], packet: FilterPacket): string | undefined {
  let target: string | undefined
  let not = false
  for (let index = 0; index < spec.length; index++) {
    const word = spec[index] as string
    if (word === '!') {
      not = true
      continue
    }
    const test = tests[word]
    if (word === '--syn') {
      if ((packet.answers ?? false) !== not) return undefined
    } else if (test) {
      if (test(spec[++index] ?? '', packet) === not) return undefined
    } else if (word === '-j' || word === '-g') target = spec[++index]
    // Comments and the names of matches say nothing by themselves.
    else if (word === '-m' || word === '--comment') index++
    not = false
  }
  return target
}

const tests: Record<string, (value: string, packet: FilterPacket) => boolean> = {
  '-p': (value, { protocol }) => value === 'all' || value.toUpperCase() === protocol,
  '-s': (value, { source }) => inCIDR(source, value),
  '-d': (value, { destination }) => inCIDR(destination, value),
  '-i': (value, packet) => interfaceMatches(value, packet.in),
  '-o': (value, packet) => interfaceMatches(value, packet.out),
  '--dport': (value, { port }) => inRange(value, port),
  '--dports': (value, { port }) => value.split(',').some((each) => inRange(each, port)),
  '--sport': (value, { sourcePort = 0 }) => inRange(value, sourcePort),
  '--sports': (value, { sourcePort = 0 }) => value.split(',').some((each) => inRange(each, sourcePort)),
  '--icmp-type': (value, { icmp = '8' }) => {
    const wanted = icmpTypes[value] ?? value
    return wanted === 'any' || wanted === icmp || icmp.startsWith(`${wanted}/`)
  },
  '--dst-type': (value, { local }) => (value === 'LOCAL') === (local ?? false),
  // Nothing marks packets but kube-proxy and flannel for themselves.
  '--mark': () => false,
  '--ctstate': (value, packet) => value.split(',').includes(stateOf(packet)),
  '--state': (value, packet) => value.split(',').includes(stateOf(packet)),
}

/** How a packet stands to the flows that conntrack knows. Of a flow two are walked, the first of each direction. */
function stateOf({ answers, icmp = '8' }: FilterPacket): string {
  if (icmp.startsWith('3')) return 'RELATED'
  return answers ? 'ESTABLISHED' : 'NEW'
}

/** By what iptables calls them. */
const icmpTypes: Record<string, string> = {
  'echo-reply': '0',
  pong: '0',
  'destination-unreachable': '3',
  'fragmentation-needed': '3/4',
  'echo-request': '8',
  ping: '8',
}

function interfaceMatches(pattern: string, name: string | undefined): boolean {
  return pattern.endsWith('+') ? (name ?? '').startsWith(pattern.slice(0, -1)) : name === pattern
}

function inRange(range: string, port: number): boolean {
  const [first = '', last = first] = range.split(':')
  return port >= Number(first || 0) && port <= Number(last || 65535)
}
