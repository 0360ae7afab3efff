import { linearRegExp } from '../machinery/linear-regexp.ts'
import { type Directive, inZone, type ServerBlock } from './corefile.ts'
import type { DnsReply, RecordType } from './dns.ts'

/** Where a name server finds what it does not know itself. */
export interface NameSources {
  /** The kubernetes plugin. */
  cluster(name: string, type: RecordType): DnsReply
  /** The node's own resolver. */
  upstream(name: string, type: RecordType): DnsReply
  /** Another server; undefined when it does not answer. */
  ask(server: string, name: string, type: RecordType): DnsReply | undefined
}

const nothing: DnsReply = { rcode: 'NXDOMAIN', answers: [] }
const failure: DnsReply = { rcode: 'SERVFAIL', answers: [] }

/** What CoreDNS with these server blocks answers; `logs` is whether it writes the question down. */
export function answerBy(
  blocks: readonly ServerBlock[],
  sources: NameSources,
  asked: string,
  type: RecordType,
): { reply: DnsReply; logs: boolean } {
  const name = asked.replace(/\.$/, '').toLowerCase()
  const found = blocks
    .flatMap((block) => block.zones.filter((zone) => inZone(name, zone)).map((zone) => ({ block, zone })))
    .sort((a, b) => b.zone.length - a.zone.length)[0]
  if (!found) return { reply: { rcode: 'REFUSED', answers: [] }, logs: false }
  const { directives } = found.block
  const logs = directives.some((directive) => directive.name === 'log')
  const renamed = rewritten(directives, name)
  const reply = resolveBy(directives, sources, renamed, type)
  if (renamed === name) return { reply, logs }
  return { reply: { ...reply, answers: reply.answers.map((answer) => (answer.name === renamed ? { ...answer, name } : answer)) }, logs }
}

/** Plugins answer in the order in which CoreDNS is built, whatever the Corefile's. */
function resolveBy(directives: readonly Directive[], sources: NameSources, name: string, type: RecordType): DnsReply {
  for (const directive of directives.filter((each) => each.name === 'hosts')) {
    const known = fromHosts(directive, name, type)
    if (known) return known
  }
  const kubernetes = directives.find((each) => each.name === 'kubernetes')
  if (kubernetes && (kubernetes.args.length === 0 || kubernetes.args.some((zone) => inZone(name, zone.replace(/\.$/, ''))))) {
    const reply = sources.cluster(name, type)
    const reverse = name.endsWith('.arpa')
    const falls = kubernetes.block.some(
      ([word, ...zones]) => word === 'fallthrough' && (zones.length === 0 || zones.some((zone) => inZone(name, zone))),
    )
    if (reply.rcode !== 'NXDOMAIN' || !(falls && reverse)) return reply
  }
  const forward = directives
    .filter((each) => each.name === 'forward')
    .map((each) => ({ ...each, zone: (each.args[0] ?? '').replace(/\.$/, '') }))
    .filter(({ zone }) => inZone(name, zone))
    .sort((a, b) => b.zone.length - a.zone.length)[0]
  if (!forward) return kubernetes ? nothing : failure
  for (const target of forward.args.slice(1)) {
    const server = target.replace(/^\w+:\/\//, '').replace(/:\d+$/, '')
    const reply = target.startsWith('/') ? sources.upstream(name, type) : sources.ask(server, name, type)
    if (reply) return reply
  }
  return failure
}

/** Undefined where the next plugin is to answer. */
function fromHosts({ args, block }: Directive, name: string, type: RecordType): DnsReply | undefined {
  if (args.length > 0 && !args.some((zone) => !zone.startsWith('/') && inZone(name, zone.replace(/\.$/, '')))) return undefined
  const addresses = block.flatMap(([ip = '', ...names]) =>
    /^[\d.]+$/.test(ip) && names.some((each) => each.toLowerCase() === name) ? [ip] : [],
  )
  if (addresses.length > 0) {
    return { rcode: 'NOERROR', answers: type === 'A' ? addresses.map((data) => ({ name, type, ttl: 3600, data })) : [] }
  }
  return block.some(([word]) => word === 'fallthrough') ? undefined : nothing
}

function rewritten(directives: readonly Directive[], name: string): string {
  for (const { name: plugin, args, block } of directives) {
    if (plugin !== 'rewrite') continue
    const inner = block.find(([word]) => word === 'name')
    const words = (args.length > 0 ? args : (inner ?? [])).filter(
      (word, index) => !(index === 0 && (word === 'stop' || word === 'continue')),
    )
    if (words[0] !== 'name') continue
    const kinds = ['exact', 'prefix', 'suffix', 'substring', 'regex']
    const kind = kinds.includes(words[1] ?? '') ? (words[1] as string) : 'exact'
    const [from = '', to = ''] = words.slice(kinds.includes(words[1] ?? '') ? 2 : 1).map((word) => word.replace(/\.$/, ''))
    const next = renamed(kind, from, to, name)
    if (next !== undefined) return next
  }
  return name
}

function renamed(kind: string, from: string, to: string, name: string): string | undefined {
  switch (kind) {
    case 'prefix':
      return name.startsWith(from) ? to + name.slice(from.length) : undefined
    case 'suffix':
      return name.endsWith(from) ? name.slice(0, name.length - from.length) + to : undefined
    case 'substring':
      return name.includes(from) ? name.replace(from, to) : undefined
    case 'regex': {
      const match = expressionOf(from)?.exec(`${name}.`)
      return match ? to.replace(/\{(\d+)\}/g, (_, group: string) => match[Number(group)] ?? '').replace(/\.$/, '') : undefined
    }
    default:
      return name === from.toLowerCase() ? to.toLowerCase() : undefined
  }
}

function expressionOf(text: string): RegExp | undefined {
  try {
    return linearRegExp(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
