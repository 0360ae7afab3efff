import { type DnsAnswer, NetworkError } from '../../network/network.ts'
import type { Process, Run } from '../kernel/process.ts'
import { contentOf } from '../vfs/node.ts'
import { isTimeout } from './client.ts'
import { last, parseOptions } from './options.ts'

/** Programs that ask for names. */
export const namePrograms: Record<string, Run> = { nslookup, dig, host, getent }

type Type = DnsAnswer['type']

async function query(process: Process, name: string, type: Type, server?: string): Promise<DnsAnswer[] | NetworkError> {
  try {
    return await process.within(10_000, () => process.machine.network.resolve(name, type, server))
  } catch (error) {
    if (process.ended) throw error
    if (isTimeout(error)) return new NetworkError('ETIMEDOUT', 'timed out')
    if (error instanceof NetworkError) return error
    throw error
  }
}

/**
 * busybox' nslookup, which reads the search list by its own rule: a name with a dot is taken as it is, whatever ndots
 * says, and one without is asked for in every domain of the list, each answer shown.
 */
async function nslookup(process: Process): Promise<number> {
  const args = process.args.map((arg) => arg.replace(/^-(?:query|type|q)=/, '--type='))
  const options = parseOptions(args, 'd', { 'type=': 't', debug: 'd', 'timeout=': 'o' })
  const [name, asked] = options.operands
  if (name === undefined) {
    await process.complain(
      'BusyBox v1.36.1 multi-call binary.\n\nUsage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]\n\nQuery DNS about HOST\n\nQUERY_TYPE: soa,ns,a,aaaa,cname,mx,txt,ptr,srv,any\n',
    )
    return 1
  }
  const { dns } = process.machine.network
  const server = asked ?? dns.nameservers[0] ?? '10.96.0.10'
  const given = last(options, 't')?.toUpperCase() as Type | undefined
  const reversed = /^[\d.]+$/.test(name) && (given === undefined || given === 'PTR')
  const types: readonly Type[] = reversed ? ['PTR'] : given === undefined ? ['A', 'AAAA'] : [given]
  const searched = !reversed && !name.includes('.') && dns.searches.length > 0
  let text = `Server:\t\t${server}\nAddress:\t${server}:53\n\n`
  let code = 0
  for (const type of types) {
    for (const each of searched ? dns.searches.map((domain) => `${name}.${domain}`) : [name]) {
      const shown = reversed ? `${name.split('.').reverse().join('.')}.in-addr.arpa` : each.replace(/\.$/, '')
      const result = await query(process, reversed ? name : `${shown}.`, type, asked)
      if (result instanceof NetworkError && result.code === 'ETIMEDOUT') {
        await process.print(';; connection timed out; no servers could be reached\n\n')
        return 1
      }
      if (result instanceof NetworkError) {
        code = 1
        text += `** server can't find ${shown}: NXDOMAIN\n`
      } else text += result.map((answer) => record(answer, shown)).join('')
      text += '\n'
    }
  }
  await process.print(text)
  return code
}

function record(answer: DnsAnswer, asked: string): string {
  switch (answer.type) {
    case 'CNAME':
      return `${answer.name}\tcanonical name = ${answer.data}\n`
    case 'PTR':
      return `${asked}\tname = ${answer.data}\n`
    case 'SRV':
      return `${answer.name}\tservice = 0 100 ${answer.port} ${answer.data}\n`
    default:
      return `Name:\t${answer.name}\nAddress: ${answer.data}\n`
  }
}

async function dig(process: Process): Promise<number> {
  const words = process.args.filter((arg) => !/^[+@-]/.test(arg) && arg !== 'IN')
  const short = process.args.includes('+short')
  const type = (words.find((word) => /^(?:A|AAAA|SRV|PTR|CNAME|ANY)$/i.test(word))?.toUpperCase() ?? 'A') as Type
  const name = words.find((word) => word.toUpperCase() !== type) ?? ''
  const search = process.args.includes('+search')
  const result = await query(process, search || name.endsWith('.') ? name : `${name}.`, type)
  if (result instanceof NetworkError && result.code === 'ETIMEDOUT') {
    await process.print(';; communications error: timed out\n;; no servers could be reached\n')
    return 9
  }
  const answers = result instanceof NetworkError ? [] : result
  const data = (each: DnsAnswer) => (each.type === 'SRV' ? `0 100 ${each.port} ${each.data.replace(/\.?$/, '.')}` : each.data)
  if (short) {
    await process.print(answers.map((each) => `${data(each)}\n`).join(''))
    return 0
  }
  const full = name.replace(/\.?$/, '.')
  await process.print(
    `\n; <<>> DiG 9.18 <<>> ${process.args.join(' ')}\n;; global options: +cmd\n;; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: ${result instanceof NetworkError ? 'NXDOMAIN' : 'NOERROR'}, id: ${Math.floor(process.machine.random() * 65536)}\n;; flags: qr aa rd; QUERY: 1, ANSWER: ${answers.length}, AUTHORITY: 0, ADDITIONAL: 1\n\n;; QUESTION SECTION:\n;${full}\t\tIN\t${type}\n\n${answers.length > 0 ? `;; ANSWER SECTION:\n${answers.map((each) => `${each.name.replace(/\.?$/, '.')}\t${each.ttl}\tIN\t${each.type}\t${data(each)}\n`).join('')}\n` : ''};; Query time: 1 msec\n;; SERVER: ${process.machine.network.dns.nameservers[0] ?? '10.96.0.10'}#53\n\n`,
  )
  return 0
}

async function host(process: Process): Promise<number> {
  const name = process.args.findLast((arg) => !arg.startsWith('-')) ?? ''
  const result = await query(process, name, 'A')
  if (result instanceof NetworkError) {
    await process.print(
      result.code === 'ETIMEDOUT' ? ';; connection timed out; no servers could be reached\n' : `Host ${name} not found: 3(NXDOMAIN)\n`,
    )
    return 1
  }
  await process.print(
    result
      .map((each) => (each.type === 'CNAME' ? `${each.name} is an alias for ${each.data}.\n` : `${each.name} has address ${each.data}\n`))
      .join(''),
  )
  return 0
}

async function getent(process: Process): Promise<number> {
  const [table, name = ''] = process.args
  if (table === 'hosts' || table === 'ahosts' || table === 'ahostsv4') {
    const result = await query(process, name, 'A')
    if (result instanceof NetworkError) return 2
    await process.print(
      result
        .filter((each) => each.type === 'A')
        .map((each) => `${each.data.padEnd(16)}${each.name}\n`)
        .join(''),
    )
    return 0
  }
  const node = process.fs.find(`/etc/${table}`, process.who)
  if (node?.type !== 'file') return 1
  const rows = new TextDecoder()
    .decode(contentOf(node))
    .split('\n')
    .filter((line) => line !== '' && (name === '' || line.split(':')[0] === name || line.split(':')[2] === name))
  await process.print(rows.map((row) => `${row}\n`).join(''))
  return rows.length > 0 ? 0 : 2
}
