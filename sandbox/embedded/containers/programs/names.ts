import { type DnsAnswer, NetworkError } from '../../network/network.ts'
import type { Process, Run } from '../kernel/process.ts'
import { contentOf } from '../vfs/node.ts'
import { isTimeout } from './client.ts'
import { dig } from './dig.ts'
import { last, parseOptions } from './options.ts'

/** Programs that ask for names. */
export const namePrograms: Record<string, Run> = { nslookup, dig, host, getent }

type Type = DnsAnswer['type']

/** Nanoseconds for a question that goes through the network: a script that asks on and on lets others in between. */
const questionPrice = 2_000_000

async function query(process: Process, name: string, type: Type, server?: string): Promise<DnsAnswer[] | NetworkError> {
  try {
    const wait = process.spend(questionPrice)
    if (wait) await wait
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
      return `${answer.name}\tservice = 0 ${answer.weight} ${answer.port} ${answer.data}\n`
    default:
      return `Name:\t${answer.name}\nAddress: ${answer.data}\n`
  }
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
    const listed = hostsOf(process).filter((row) => name === '' || row.includes(name))
    if (listed.length > 0 || name === '') {
      await process.print(listed.map(([ip = '', ...names]) => `${ip.padEnd(15)} ${names.join(' ')}\n`).join(''))
      return listed.length > 0 ? 0 : 2
    }
    const result = await query(process, name, 'A')
    if (result instanceof NetworkError) return 2
    const addresses = result.filter((each) => each.type === 'A')
    await process.print(addresses.map((each) => `${each.data.padEnd(15)} ${each.name}\n`).join(''))
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

/** The rows of /etc/hosts: an address and its names. */
function hostsOf(process: Process): string[][] {
  const node = process.fs.find('/etc/hosts', process.who)
  if (node?.type !== 'file') return []
  const lines = new TextDecoder().decode(contentOf(node)).split('\n')
  return lines.map((line) => line.replace(/#.*/, '').trim().split(/\s+/)).filter((row) => row.length > 1)
}
