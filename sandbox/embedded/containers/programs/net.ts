import { type Connection, type DnsAnswer, NetworkError } from '../../network/network.ts'
import { Pipe } from '../kernel/pipe.ts'
import type { Process, Run } from '../kernel/process.ts'
import { answer, listenHttp } from '../servers/http.ts'
import { contentOf } from '../vfs/node.ts'
import { address, isTimeout } from './client.ts'
import { last, parseOptions } from './options.ts'
import { startCommand } from './run-command.ts'

/** Programs about the network, over the pod's model of it. */
export const netPrograms: Record<string, Run> = {
  nslookup,
  dig,
  host,
  nc,
  netcat: nc,
  telnet,
  ping,
  ip,
  ifconfig,
  netstat,
  ss: netstat,
  route,
  httpd,
  getent,
  traceroute,
  arp,
}

type Type = DnsAnswer['type']

async function query(process: Process, name: string, type: Type): Promise<DnsAnswer[] | NetworkError> {
  try {
    return await process.within(5000, () => process.machine.network.resolve(name, type))
  } catch (error) {
    if (process.ended) throw error
    if (isTimeout(error)) return new NetworkError('ETIMEDOUT', 'timed out')
    if (error instanceof NetworkError) return error
    throw error
  }
}

async function nslookup(process: Process): Promise<number> {
  const options = parseOptions(
    process.args.map((arg) => arg.replace(/^-(?:query|type|q)=/, '--type=')),
    'd',
    { 'type=': 't', debug: 'd', 'timeout=': 'o' },
  )
  const [name] = options.operands
  if (name === undefined) return process.fail('missing operand')
  const [server = '10.96.0.10'] = process.machine.network.dns.nameservers
  const types = last(options, 't') === undefined ? (['A', 'AAAA'] as const) : ([(last(options, 't') as string).toUpperCase()] as Type[])
  const shown = /^[\d.]+$/.test(name) ? `${name.split('.').reverse().join('.')}.in-addr.arpa` : name
  const kinds: readonly Type[] = /^[\d.]+$/.test(name) ? ['PTR'] : (types as readonly Type[])
  let text = `Server:\t\t${server}\nAddress:\t${server}:53\n\n`
  let found = false
  let failed = false
  for (const type of kinds) {
    const result = await query(process, type === 'PTR' ? name : name, type)
    if (result instanceof NetworkError) {
      if (result.code === 'ETIMEDOUT') {
        await process.print(';; connection timed out; no servers could be reached\n\n')
        return 1
      }
      failed = true
      text += `** server can't find ${shown}: NXDOMAIN\n\n`
      continue
    }
    found = true
    for (const each of result) {
      if (each.type === 'CNAME') text += `${each.name}\tcanonical name = ${each.data}\n`
      else if (each.type === 'PTR') text += `${shown}\tname = ${each.data}\n`
      else if (each.type === 'SRV') text += `${each.name}\tservice = 0 100 ${each.port} ${each.data}\n`
      else text += `Name:\t${each.name}\nAddress: ${each.data}\n`
    }
    text += '\n'
  }
  await process.print(text)
  return found && !failed ? 0 : failed ? 1 : 0
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

/** Carries bytes between a connection and this process's stdin and stdout until the other side ends. */
async function relay(process: Process, connection: Connection): Promise<void> {
  const queue: Uint8Array[] = []
  let wake = (): void => {}
  let ended = false
  connection.onData((data) => {
    queue.push(data)
    wake()
  })
  connection.onEnd(() => {
    ended = true
    wake()
  })
  process.onEnd(() => connection[Symbol.dispose]())
  const stdin = process.files.get(0)
  const sending = async () => {
    for (;;) {
      const chunk = stdin ? await stdin.read(65536, process) : new Uint8Array(0)
      if (chunk.length === 0) break
      connection.write(chunk)
    }
    connection.end()
  }
  sending().catch((error: unknown) => {
    if (!process.ended) throw error
  })
  for (;;) {
    const chunk = queue.shift()
    if (chunk) await process.print(chunk)
    else if (ended) return
    else {
      await process.block<void>((resolve) => {
        wake = resolve
        if (queue.length > 0 || ended) resolve()
      })
    }
  }
}

async function nc(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'lp:zw:e:vnuks:i:q:N', {}, false)
  const { flags } = options
  const at = options.operands
  const verbose = flags.has('v')
  if (flags.has('l')) {
    const port = Number(last(options, 'p') ?? at.at(-1))
    if (!Number.isInteger(port)) return process.fail('missing port')
    const waiting: Connection[] = []
    let wake = (): void => {}
    let listener: Disposable
    try {
      listener = process.machine.network.listen(port, {
        accept: (connection) => {
          waiting.push(connection)
          wake()
        },
      })
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error
      return process.fail('bind: Address already in use')
    }
    process.onEnd(() => listener[Symbol.dispose]())
    if (verbose) await process.complain(`listening on [::]:${port} ...\n`)
    do {
      if (waiting.length === 0) {
        await process.block<void>((resolve) => {
          wake = resolve
        })
      }
      const connection = waiting.shift()
      if (!connection) continue
      if (verbose)
        await process.complain(
          `connect to [::ffff:${connection.local.ip}]:${port} from [::ffff:${connection.remote.ip}]:${connection.remote.port}\n`,
        )
      const program = last(options, 'e')
      if (program === undefined) await relay(process, connection)
      else await serve(process, connection, program)
    } while (flags.has('k'))
    return 0
  }
  const [target, portText] = at
  if (target === undefined || portText === undefined) return process.fail('missing host or port')
  const [first, end = first] = portText.split('-').map(Number)
  const wait = last(options, 'w')
  let status = 1
  for (let port = first as number; port <= (end as number); port++) {
    try {
      const connection = await process.within(wait === undefined ? 900_000 : Number(wait) * 1000, (signal) =>
        process.machine.network.connect(target === 'localhost' ? '127.0.0.1' : target, port, signal),
      )
      if (verbose) await process.complain(`${target} (${connection.remote.ip}:${port}) open\n`)
      status = 0
      if (flags.has('z')) connection[Symbol.dispose]()
      else await relay(process, connection)
    } catch (error) {
      if (process.ended) throw error
      if (isTimeout(error)) {
        if (!flags.has('z') || verbose) await process.complain(`nc: ${target} (${target}:${port}): Connection timed out\n`)
      } else if (error instanceof NetworkError) {
        if (error.code === 'ENOTFOUND') return process.fail(`bad address '${target}'`)
        if (!flags.has('z') || verbose)
          await process.complain(
            `nc: ${target} (${target}:${port}): ${error.code === 'EHOSTUNREACH' ? 'No route to host' : 'Connection refused'}\n`,
          )
      } else throw error
    }
  }
  return status
}

/** nc -e: the program's stdin and stdout are the connection. */
async function serve(process: Process, connection: Connection, program: string): Promise<void> {
  const input = new Pipe()
  const output = new Pipe()
  const writer = input.writer().retain()
  const reader = output.reader().retain()
  connection.onData((data) => input.feed(data))
  connection.onEnd(() => writer.release())
  const child = await startCommand(
    process,
    program.split(' '),
    new Map([
      [0, input.reader()],
      [1, output.writer()],
    ]),
  )
  if (typeof child === 'number') return connection.end()
  for (;;) {
    const chunk = await reader.read(65536, process)
    if (chunk.length === 0) break
    connection.write(chunk)
  }
  connection.end()
}

async function telnet(process: Process): Promise<number> {
  const [target = '', port = '23'] = process.args
  try {
    const connection = await process.until((signal) => process.machine.network.connect(target, Number(port), signal))
    await process.print(`Connected to ${target}\n`)
    await relay(process, connection)
    await process.complain('Connection closed by foreign host\n')
    return 1
  } catch (error) {
    if (process.ended || !(error instanceof NetworkError)) throw error
    return process.fail(
      error.code === 'ENOTFOUND'
        ? `bad address '${target}'`
        : `can't connect to remote host (${target}): ${error.code === 'ECONNREFUSED' ? 'Connection refused' : 'Connection timed out'}`,
    )
  }
}

/** Reachability by the model: a refused connection is an answer, silence is none. */
async function reachable(process: Process, ip: string): Promise<boolean> {
  try {
    const connection = await process.within(1000, (signal) => process.machine.network.connect(ip, 7, signal))
    connection[Symbol.dispose]()
    return true
  } catch (error) {
    if (process.ended) throw error
    return error instanceof NetworkError && error.code === 'ECONNREFUSED'
  }
}

async function ping(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'c:w:W:i:s:qn46I:t:M:')
  const [target] = options.operands
  if (target === undefined) return process.fail('missing operand')
  const found = /^[\d.]+$/.test(target) ? target : await query(process, target, 'A')
  if (found instanceof NetworkError) return process.fail(`bad address '${target}'`)
  const ip = typeof found === 'string' ? found : address(found)
  const size = Number(last(options, 's') ?? 56)
  await process.print(`PING ${target} (${ip}): ${size} data bytes\n`)
  const wanted = Number(last(options, 'c') ?? Number.POSITIVE_INFINITY)
  const deadline = process.machine.now() + Number(last(options, 'w') ?? Number.POSITIVE_INFINITY) * 1000
  const times: number[] = []
  let sent = 0
  const summary = async () => {
    await process.print(
      `\n--- ${target} ping statistics ---\n${sent} packets transmitted, ${times.length} packets received, ${sent === 0 ? 0 : Math.round((1 - times.length / sent) * 100)}% packet loss\n${times.length > 0 ? `round-trip min/avg/max = ${Math.min(...times).toFixed(3)}/${(times.reduce((a, b) => a + b, 0) / times.length).toFixed(3)}/${Math.max(...times).toFixed(3)} ms\n` : ''}`,
    )
  }
  let interrupted = false
  process.trap('INT', () => {
    interrupted = true
    void summary().then(() => process.end({ code: times.length > 0 ? 0 : 1 }))
  })
  while (sent < wanted && process.machine.now() < deadline && !interrupted) {
    const sequence = sent++
    if (await reachable(process, ip as string)) {
      const time = 0.05 + process.machine.random() * 0.08
      times.push(time)
      const near = (ip as string).split('.').slice(0, 3).join('.') === process.machine.network.ip.split('.').slice(0, 3).join('.')
      await process.print(`${size + 8} bytes from ${ip}: seq=${sequence} ttl=${near ? 64 : 62} time=${time.toFixed(3)} ms\n`)
    }
    if (sent < wanted) await process.sleep(Number(last(options, 'i') ?? 1) * 1000)
  }
  await summary()
  return times.length > 0 ? 0 : 1
}

async function traceroute(process: Process): Promise<number> {
  const target = process.args.findLast((arg) => !arg.startsWith('-')) ?? ''
  await process.print(
    `traceroute to ${target} (${target}), 30 hops max, 46 byte packets\n 1  ${gateway(process)} (${gateway(process)})  0.010 ms  0.008 ms  0.006 ms\n 2  ${target} (${target})  0.045 ms  0.040 ms  0.038 ms\n`,
  )
  return 0
}

function gateway(process: Process): string {
  return `${process.machine.network.ip.split('.').slice(0, 3).join('.')}.1`
}

/** A MAC that belongs to an address. */
function hardware(ip: string): string {
  return ['0a', '58', ...ip.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':')
}

async function ip(process: Process): Promise<number> {
  const words = process.args.filter((arg) => !arg.startsWith('-'))
  const brief = process.args.includes('-br') || process.args.includes('-brief')
  const own = process.machine.network.ip
  const net = own.split('.').slice(0, 3).join('.')
  const [object = '', action = ''] = words
  if ('address'.startsWith(object) && object !== '' && /^(?:|s.*|l.*|dev)$/.test(action)) {
    if (brief) await process.print(`lo               UNKNOWN        127.0.0.1/8 ::1/128 \neth0@if7         UP             ${own}/24 \n`)
    else
      await process.print(
        `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 1450 qdisc noqueue \n    link/ether ${hardware(own)} brd ff:ff:ff:ff:ff:ff\n    inet ${own}/24 brd ${net}.255 scope global eth0\n       valid_lft forever preferred_lft forever\n`,
      )
    return 0
  }
  if ('route'.startsWith(object) && object !== '' && /^(?:|s.*|l.*|get)$/.test(action)) {
    if (action === 'get') await process.print(`${words[2]} via ${gateway(process)} dev eth0  src ${own} \n`)
    else
      await process.print(
        `default via ${gateway(process)} dev eth0 \n10.244.0.0/16 via ${gateway(process)} dev eth0 \n${net}.0/24 dev eth0 scope link  src ${own} \n`,
      )
    return 0
  }
  if ('link'.startsWith(object) && object !== '' && /^(?:|s.*|l.*)$/.test(action)) {
    await process.print(
      `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 1450 qdisc noqueue \n    link/ether ${hardware(own)} brd ff:ff:ff:ff:ff:ff\n`,
    )
    return 0
  }
  if ('neighbour'.startsWith(object) && object.length > 0) {
    await process.print(`${gateway(process)} dev eth0 lladdr ${hardware(gateway(process))} ref 1 used 0/0/0 probes 1 REACHABLE \n`)
    return 0
  }
  return process.fail(
    /^(?:add|del|set|change|replace)/.test(action) ? `RTNETLINK answers: Operation not permitted` : `unknown object '${object}'`,
    2,
  )
}

async function ifconfig(process: Process): Promise<number> {
  const own = process.machine.network.ip
  const net = own.split('.').slice(0, 3).join('.')
  await process.print(
    `eth0      Link encap:Ethernet  HWaddr ${hardware(own).toUpperCase()}  \n          inet addr:${own}  Bcast:${net}.255  Mask:255.255.255.0\n          UP BROADCAST RUNNING MULTICAST  MTU:1450  Metric:1\n\nlo        Link encap:Local Loopback  \n          inet addr:127.0.0.1  Mask:255.0.0.0\n          UP LOOPBACK RUNNING  MTU:65536  Metric:1\n\n`,
  )
  return 0
}

async function route(process: Process): Promise<number> {
  const net = process.machine.network.ip.split('.').slice(0, 3).join('.')
  await process.print(
    `Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n0.0.0.0         ${gateway(process).padEnd(15)} 0.0.0.0         UG    0      0        0 eth0\n10.244.0.0      ${gateway(process).padEnd(15)} 255.255.0.0     UG    0      0        0 eth0\n${`${net}.0`.padEnd(15)} 0.0.0.0         255.255.255.0   U     0      0        0 eth0\n`,
  )
  return 0
}

async function arp(process: Process): Promise<number> {
  await process.print(`? (${gateway(process)}) at ${hardware(gateway(process))} [ether]  on eth0\n`)
  return 0
}

async function netstat(process: Process): Promise<number> {
  const flags = process.args.join('')
  const listeners = process.machine.network
    .listeners()
    .filter((each) =>
      flags.includes('u') && !flags.includes('t')
        ? each.protocol === 'udp'
        : flags.includes('t') && !flags.includes('u')
          ? each.protocol === 'tcp'
          : true,
    )
  const local = (each: { host: string; port: number }) => `${each.host === '' ? '0.0.0.0' : each.host}:${each.port}`
  if (process.name === 'ss')
    await process.print(
      `State  Recv-Q Send-Q Local Address:Port Peer Address:Port${flags.includes('p') ? 'Process' : ''}\n${listeners.map((each) => `LISTEN 0      4096   ${local(each).padStart(18)}      0.0.0.0:*   \n`).join('')}`,
    )
  else
    await process.print(
      `Active Internet connections (${flags.includes('a') ? 'servers and established' : 'only servers'})\nProto Recv-Q Send-Q Local Address           Foreign Address         State       ${flags.includes('p') ? 'PID/Program name    ' : ''}\n${listeners.map((each) => `${each.protocol.padEnd(6)}     0      0 ${local(each).padEnd(23)} 0.0.0.0:*               LISTEN      ${flags.includes('p') ? '-' : ''}\n`).join('')}`,
    )
  return 0
}

const types: Record<string, string> = {
  html: 'text/html',
  htm: 'text/html',
  css: 'text/css',
  js: 'application/javascript',
  json: 'application/json',
  txt: 'text/plain',
  png: 'image/png',
  svg: 'image/svg+xml',
  xml: 'application/xml',
}

export function contentType(path: string): string {
  return types[path.slice(path.lastIndexOf('.') + 1).toLowerCase()] ?? 'application/octet-stream'
}

/** busybox' httpd: -f in the foreground, -p port, -h folder. */
async function httpd(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'fvp:h:u:c:r:')
  const root = last(options, 'h') ?? process.cwd
  const port = Number((last(options, 'p') ?? '80').split(':').at(-1))
  const start = (server: Process) =>
    listenHttp(server, port, async (request) => {
      const path = decodeURIComponent(request.path.split('?')[0] as string)
      const at = `${root}/${path
        .split('/')
        .filter((part) => part !== '..')
        .join('/')}${path.endsWith('/') ? 'index.html' : ''}`
      const node = server.fs.find(at, server.who)
      const response =
        node?.type === 'file'
          ? answer(200, contentOf(node, server).slice(), { 'Content-Type': contentType(at) })
          : answer(
              404,
              '<HTML><HEAD><TITLE>404 Not Found</TITLE></HEAD>\n<BODY><H1>404 Not Found</H1>\nThe requested URL was not found\n</BODY></HTML>\n',
              { 'Content-Type': 'text/html' },
            )
      if (options.flags.has('v'))
        await server.complain(
          `[::ffff:${request.headers['x-forwarded-for'] ?? '0.0.0.0'}]: url:${request.path}\n[::ffff:0.0.0.0]: response:${response.status}\n`,
        )
      return response
    })
  try {
    if (options.flags.has('f')) {
      start(process)
      return await process.block<number>(() => undefined)
    }
    const child = process.machine.fork(process)
    start(child)
    void process.machine.run(child, () => child.block<number>(() => undefined))
    return 0
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    return process.fail('bind: Address already in use')
  }
}
