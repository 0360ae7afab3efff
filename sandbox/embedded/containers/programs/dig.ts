import { type DnsAnswer, NetworkError } from '../../network/network.ts'
import type { Process } from '../kernel/process.ts'
import { isTimeout } from './client.ts'
import { formatTime } from './format.ts'

type Type = DnsAnswer['type']

/** What is printed; `+noall` takes everything away, and what follows adds again. */
const sections = ['cmd', 'comments', 'question', 'answer', 'authority', 'additional', 'stats'] as const

/** BIND's dig: a name as it is unless +search, an answer section by section. */
export async function dig(process: Process): Promise<number> {
  const asked = parse(process)
  const { dns } = process.machine.network
  const server = asked.server ?? dns.nameservers[0] ?? '127.0.0.1'
  const full = asked.search ? asked.name : `${asked.name.replace(/\.$/, '')}.`
  let answers: DnsAnswer[] = []
  let status = 'NOERROR'
  try {
    answers = await process.within(asked.patience, () => process.machine.network.resolve(full, asked.type, asked.server))
  } catch (error) {
    if (process.ended || !(error instanceof NetworkError || isTimeout(error))) throw error
    if (!(error instanceof NetworkError) || error.code !== 'ENOTFOUND') {
      const failed = `;; communications error to ${server}#53: timed out\n`
      await process.print(
        `${failed}${failed}${failed}\n; <<>> ${version} <<>> ${process.args.join(' ')}\n;; global options: +cmd\n;; no servers could be reached\n`,
      )
      return 9
    }
    status = 'NXDOMAIN'
  }
  if (asked.short) {
    await process.print(answers.map((each) => `${data(each)}\n`).join(''))
    return 0
  }
  const shows = (section: (typeof sections)[number]) => asked.shown.has(section)
  const found = answers[0]?.name ?? asked.name
  const soa = answers.length === 0 && (found.endsWith('cluster.local') || found.endsWith('cluster.local.'))
  const parts = [
    shows('cmd') && `\n; <<>> ${version} <<>> ${process.args.join(' ')}\n;; global options: +cmd\n`,
    shows('comments') &&
      `;; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: ${status}, id: ${Math.floor(process.machine.random() * 65536)}\n;; flags: qr aa rd; QUERY: 1, ANSWER: ${answers.length}, AUTHORITY: ${soa ? 1 : 0}, ADDITIONAL: 1\n;; WARNING: recursion requested but not available\n\n`,
    shows('additional') && shows('comments') && ';; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: 1232\n',
    shows('question') && `${title(asked, 'QUESTION')};${dotted(found)}\t\tIN\t${asked.type}\n\n`,
    shows('answer') &&
      answers.length > 0 &&
      `${title(asked, 'ANSWER')}${answers.map((each) => `${dotted(each.name)}\t${each.ttl}\tIN\t${each.type}\t${data(each)}\n`).join('')}${shows('comments') ? '\n' : ''}`,
    shows('authority') && soa && `${title(asked, 'AUTHORITY')}cluster.local.\t\t30\tIN\tSOA\t${authority(process)}\n\n`,
    shows('stats') &&
      `;; Query time: 1 msec\n;; SERVER: ${server}#53(${server}) (${asked.tcp ? 'TCP' : 'UDP'})\n;; WHEN: ${formatTime('%a %b %d %H:%M:%S UTC %Y', process.machine.now())}\n;; MSG SIZE  rcvd: ${60 + answers.length * (found.length + 20)}\n\n`,
  ]
  await process.print(parts.filter((part) => typeof part === 'string').join(''))
  return 0
}

const version = 'DiG 9.18.39'

interface Asked {
  name: string
  type: Type
  server: string | undefined
  search: boolean
  short: boolean
  tcp: boolean
  /** ms. */
  patience: number
  shown: Set<string>
}

function parse(process: Process): Asked {
  const asked: Asked = {
    name: '.',
    type: 'A',
    server: undefined,
    search: false,
    short: false,
    tcp: false,
    patience: 15_000,
    shown: new Set<string>(sections),
  }
  const { args } = process
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] as string
    if (arg.startsWith('@')) asked.server = arg.slice(1)
    else if (arg.startsWith('+')) apply(asked, arg.slice(1))
    else if (arg === '-x') {
      asked.name = `${(args[++index] ?? '').split('.').reverse().join('.')}.in-addr.arpa`
      asked.type = 'PTR'
    } else if (arg === '-t') asked.type = (args[++index] ?? 'A').toUpperCase() as Type
    else if (arg === '-p' || arg === '-b') index++
    else if (/^(?:A|AAAA|SRV|PTR|CNAME|ANY|TXT|NS|SOA|MX)$/i.test(arg)) asked.type = arg.toUpperCase() as Type
    else if (!arg.startsWith('-') && arg.toUpperCase() !== 'IN') asked.name = arg
  }
  return asked
}

function apply(asked: Asked, word: string): void {
  const off = word.startsWith('no')
  const [name = '', value] = (off ? word.slice(2) : word).split('=')
  if (name === 'search') asked.search = !off
  else if (name === 'short') asked.short = !off
  else if (name === 'tcp' || name === 'vc') asked.tcp = !off
  else if (name === 'time' && value) asked.patience = Number(value) * 3000
  else if (name === 'all') asked.shown = new Set(off ? [] : sections)
  else if (off) asked.shown.delete(name)
  else asked.shown.add(name)
}

function title(asked: Asked, name: string): string {
  return asked.shown.has('comments') ? `;; ${name} SECTION:\n` : ''
}

function dotted(name: string): string {
  return name.replace(/\.?$/, '.')
}

function data(answer: DnsAnswer): string {
  if (answer.type === 'SRV') return `0 ${answer.weight} ${answer.port} ${dotted(answer.data)}`
  return answer.type === 'CNAME' || answer.type === 'PTR' ? dotted(answer.data) : answer.data
}

function authority(process: Process): string {
  return `ns.dns.cluster.local. hostmaster.cluster.local. ${Math.floor(process.machine.now() / 1000)} 7200 1800 86400 30`
}
