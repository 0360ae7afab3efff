import { inCIDR } from './addresses.ts'
import type { Protocol } from './network.ts'

export type TableName = 'filter' | 'nat' | 'mangle' | 'raw'

/** One rule as it was given, and what of it is understood. */
export interface Rule {
  table: TableName
  chain: string
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
  in?: string
  out?: string
}

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

  /** What the filter table decides at a hook. */
  verdict(hook: 'INPUT' | 'FORWARD' | 'OUTPUT', packet: FilterPacket): 'ACCEPT' | 'DROP' | 'REJECT' {
    if (this.state.rules.length === 0 && Object.keys(this.state.policies).length === 0) return 'ACCEPT'
    const decided = this.walk(hook, packet, 0)
    if (decided) return decided
    return this.state.policies[`filter/${hook}`] === 'DROP' ? 'DROP' : 'ACCEPT'
  }

  private walk(chain: string, packet: FilterPacket, depth: number): 'ACCEPT' | 'DROP' | 'REJECT' | undefined {
    if (depth > 16) return undefined
    for (const { spec } of this.rules('filter', chain)) {
      const target = matched(spec, packet)
      if (target === undefined) continue
      if (target === 'ACCEPT' || target === 'DROP' || target === 'REJECT') return target
      if (target === 'RETURN') return undefined
      const inner = this.walk(target, packet, depth + 1)
      if (inner) return inner
    }
    return undefined
  }
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
    if (test) {
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
  // Only the packets that begin a flow are walked; the others follow its decision.
  '--ctstate': (value) => value.split(',').includes('NEW'),
  '--state': (value) => value.split(',').includes('NEW'),
}

function interfaceMatches(pattern: string, name: string | undefined): boolean {
  return pattern.endsWith('+') ? (name ?? '').startsWith(pattern.slice(0, -1)) : name === pattern
}

function inRange(range: string, port: number): boolean {
  const [first = '', last = first] = range.split(':')
  return port >= Number(first || 0) && port <= Number(last || 65535)
}
