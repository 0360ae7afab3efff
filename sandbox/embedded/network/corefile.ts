/** One plugin of a server block, with what stands between its braces, line by line. */
export interface Directive {
  name: string
  args: string[]
  block: string[][]
}

export interface ServerBlock {
  /** Without the dot at the end; '' is the root. */
  zones: string[]
  directives: Directive[]
}

/** What is wrong with a Corefile, in CoreDNS' words without the file's name. */
export class CorefileFault extends Error {
  readonly line: number
  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

/** All plugins that CoreDNS is built with. */
const plugins = new Set(
  'root metadata geoip cancel tls quic timeouts multisocket reload nsid bufsize bind debug trace ready health pprof prometheus errors log dnstap local dns64 acl any chaos loadbalance tsig cache rewrite header dnssec autopath minimal template transfer hosts route53 azure clouddns k8s_external kubernetes file auto secondary etcd loop forward grpc erratic whoami on sign view nomad'.split(
    ' ',
  ),
)

interface Token {
  text: string
  line: number
}

/** The server blocks of a Corefile. Throws CorefileFault. */
export function parseCorefile(text: string): ServerBlock[] {
  const tokens = tokensOf(text)
  const blocks: ServerBlock[] = []
  let at = 0
  while (at < tokens.length) {
    const zones: string[] = []
    for (; at < tokens.length && tokens[at]?.text !== '{'; at++) zones.push(zoneOf((tokens[at] as Token).text))
    at++
    const directives: Directive[] = []
    for (;;) {
      const token = tokens[at]
      if (!token)
        throw new CorefileFault(tokens.at(-1)?.line ?? 1, `Syntax error: Unexpected token '${tokens.at(-1)?.text}', expecting '}'`)
      if (token.text === '}') break
      const { directive, next } = directiveAt(tokens, at)
      directives.push(directive)
      at = next
    }
    at++
    blocks.push({ zones, directives })
  }
  for (const block of blocks)
    for (const { name, args } of block.directives) {
      if (name === 'forward' && args.length < 2) {
        const line = tokens.find(({ text: word }) => word === 'forward')?.line ?? 1
        throw new CorefileFault(
          line,
          `Error during parsing: Wrong argument count or unexpected line ending after '${args[0] ?? 'forward'}'`,
        )
      }
    }
  return blocks
}

function directiveAt(tokens: readonly Token[], start: number): { directive: Directive; next: number } {
  const { text: name, line } = tokens[start] as Token
  if (!plugins.has(name)) throw new CorefileFault(line, `Error during parsing: Unknown directive '${name}'`)
  const args: string[] = []
  let at = start + 1
  for (; tokens[at]?.line === line && tokens[at]?.text !== '{' && tokens[at]?.text !== '}'; at++) args.push((tokens[at] as Token).text)
  const block: string[][] = []
  if (tokens[at]?.line === line && tokens[at]?.text === '{') {
    at++
    for (; at < tokens.length && tokens[at]?.text !== '}'; ) {
      const row = (tokens[at] as Token).line
      const words: string[] = []
      for (; tokens[at]?.line === row && tokens[at]?.text !== '}'; at++) words.push((tokens[at] as Token).text)
      block.push(words)
    }
    if (at >= tokens.length) {
      const last = tokens.at(-1) as Token
      throw new CorefileFault(last.line, `Syntax error: Unexpected token '${last.text}', expecting '}'`)
    }
    at++
  }
  return { directive: { name, args, block }, next: at }
}

function tokensOf(text: string): Token[] {
  return text.split('\n').flatMap((row, index) => {
    const words = row.match(/"(?:[^"\\]|\\.)*"|#.*|\S+/g) ?? []
    const comment = words.findIndex((word) => word.startsWith('#'))
    return words.slice(0, comment < 0 ? undefined : comment).map((word) => ({ text: word.replace(/^"|"$/g, ''), line: index + 1 }))
  })
}

function zoneOf(address: string): string {
  return address
    .replace(/^\w+:\/\//, '')
    .replace(/,$/, '')
    .replace(/:\d+$/, '')
    .replace(/\.$/, '')
    .toLowerCase()
}

/** Whether a name is a zone's or below it; '' is the root's. */
export function inZone(name: string, zone: string): boolean {
  return zone === '' || zone === '.' || name === zone || name.endsWith(`.${zone}`)
}
