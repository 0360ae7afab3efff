import { linearRegExp } from '../../machinery/linear-regexp.ts'
import { type Connection, NetworkError } from '../../network/network.ts'
import type { Process, Program } from '../kernel/process.ts'
import { last, parseOptions } from '../programs/options.ts'
import { lines } from '../programs/text.ts'

/** Redis with strings, counters, lists and key commands, over its wire protocol; the data survive a restart of the platform. */
export const redisServer: Program = { run: server, memoryBytes: 9 * 1024 * 1024 }
export const redisCli: Program = { run: client }

type Reply = string | number | null | { error: string } | { status: string } | Reply[]

async function server(process: Process): Promise<number> {
  const options = parseOptions(process.args, '', { 'port=': 'p', 'appendonly=': 'a', 'save=': 's', 'requirepass=': 'r', 'maxmemory=': 'm' })
  const port = Number(last(options, 'p') ?? 6379)
  const data = new Map<string, string | string[]>(process.resume<[string, string | string[]][]>() ?? [])
  const stamp = () => `${process.pid}:M ${new Date(process.machine.now()).toUTCString().slice(5, 25)}.000`
  await process.print(`${stamp()} * Running mode=standalone, port=${port}.\n${stamp()} * Ready to accept connections tcp\n`)
  for (const signal of ['TERM', 'INT'] as const) {
    process.trap(signal, () => {
      void process
        .print(`${stamp()} # User requested shutdown...\n${stamp()} # Redis is now ready to exit, bye bye...\n`)
        .then(() => process.end({ code: 0 }))
    })
  }
  let listener: Disposable
  try {
    listener = process.machine.network.listen(port, { accept: (connection) => converse(process, connection, data) })
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    await process.print(`${stamp()} # Warning: Could not create server TCP listening socket *:${port}: bind: Address already in use\n`)
    return 1
  }
  process.onEnd(() => listener[Symbol.dispose]())
  return process.block<number>(() => undefined)
}

function converse(process: Process, connection: Connection, data: Map<string, string | string[]>): void {
  let buffer = ''
  process.onEnd(() => connection[Symbol.dispose]())
  connection.onData((chunk) => {
    buffer += Buffer.from(chunk).toString('latin1')
    for (;;) {
      const parsed = parseRequest(buffer)
      if (!parsed) return
      buffer = buffer.slice(parsed.length)
      if (process.ended || parsed.words.length === 0) continue
      const reply = execute(process, data, parsed.words)
      process.save([...data])
      connection.write(Buffer.from(encode(reply), 'latin1'))
    }
  })
}

function parseRequest(text: string): { words: string[]; length: number } | undefined {
  const end = text.indexOf('\r\n')
  if (!text.startsWith('*')) {
    const newline = text.indexOf('\n')
    return newline === -1 ? undefined : { words: text.slice(0, newline).trim().split(/\s+/).filter(Boolean), length: newline + 1 }
  }
  if (end === -1) return undefined
  const words: string[] = []
  let at = end + 2
  for (let left = Number(text.slice(1, end)); left > 0; left--) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number(text.slice(at + 1, lineEnd))
    if (text.length < lineEnd + 2 + size + 2) return undefined
    words.push(text.slice(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
  return { words, length: at }
}

function execute(process: Process, data: Map<string, string | string[]>, words: readonly string[]): Reply {
  const [name = '', ...args] = words
  const [key = '', value = ''] = args
  const text = (each: string) => {
    const found = data.get(each)
    return typeof found === 'string' ? found : null
  }
  const list = (): string[] => {
    const found = data.get(key)
    if (Array.isArray(found)) return found
    const made: string[] = []
    data.set(key, made)
    return made
  }
  const add = (by: number): Reply => {
    const next = Number(text(key) ?? 0) + by
    if (Number.isNaN(next)) return { error: 'ERR value is not an integer or out of range' }
    data.set(key, String(next))
    return next
  }
  switch (name.toUpperCase()) {
    case 'PING':
      return args.length > 0 ? key : { status: 'PONG' }
    case 'ECHO':
      return key
    case 'SET':
      if (args.length < 2) return { error: "ERR wrong number of arguments for 'set' command" }
      if (args.some((each) => each.toUpperCase() === 'NX') && data.has(key)) return null
      data.set(key, value)
      return { status: 'OK' }
    case 'SETNX':
      if (data.has(key)) return 0
      data.set(key, value)
      return 1
    case 'GET':
      return text(key)
    case 'MGET':
      return args.map(text)
    case 'APPEND':
      data.set(key, (text(key) ?? '') + value)
      return (text(key) ?? '').length
    case 'INCR':
      return add(1)
    case 'DECR':
      return add(-1)
    case 'INCRBY':
      return add(Number(value))
    case 'DECRBY':
      return add(-Number(value))
    case 'DEL':
      return args.filter((each) => data.delete(each)).length
    case 'EXISTS':
      return args.filter((each) => data.has(each)).length
    case 'KEYS':
      return [...data.keys()].filter((each) =>
        linearRegExp(
          `^${key
            .replace(/[.+^${}()|[\]\\]/g, '\\$&')
            .replaceAll('*', '.*')
            .replaceAll('?', '.')}$`,
        ).test(each),
      )
    case 'DBSIZE':
      return data.size
    case 'FLUSHALL':
    case 'FLUSHDB':
      data.clear()
      return { status: 'OK' }
    case 'LPUSH':
      for (const each of args.slice(1)) list().unshift(each)
      return list().length
    case 'RPUSH':
      for (const each of args.slice(1)) list().push(each)
      return list().length
    case 'LPOP':
      return list().shift() ?? null
    case 'RPOP':
      return list().pop() ?? null
    case 'LLEN':
      return list().length
    case 'LRANGE': {
      const all = list()
      const end = Number(args[2] ?? -1)
      return all.slice(Number(value), end < 0 ? all.length + end + 1 : end + 1)
    }
    case 'TYPE':
      return { status: !data.has(key) ? 'none' : Array.isArray(data.get(key)) ? 'list' : 'string' }
    case 'EXPIRE': {
      if (!data.has(key)) return 0
      process.machine.after(Number(value) * 1000, () => data.delete(key))
      return 1
    }
    case 'INFO':
      return `# Server\r\nredis_version:7.4.2\r\nredis_mode:standalone\r\nos:Linux\r\ntcp_port:6379\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n# Keyspace\r\n${data.size > 0 ? `db0:keys=${data.size},expires=0,avg_ttl=0\r\n` : ''}`
    case 'SELECT':
    case 'AUTH':
    case 'SAVE':
    case 'BGSAVE':
    case 'CLIENT':
    case 'CONFIG':
      return { status: 'OK' }
    case 'COMMAND':
      return []
    default:
      return { error: `ERR unknown command '${name}', with args beginning with: ${args.map((each) => `'${each}' `).join('')}` }
  }
}

function encode(reply: Reply): string {
  if (reply === null) return '$-1\r\n'
  if (typeof reply === 'number') return `:${reply}\r\n`
  if (typeof reply === 'string') return `$${reply.length}\r\n${reply}\r\n`
  if (Array.isArray(reply)) return `*${reply.length}\r\n${reply.map(encode).join('')}`
  return 'error' in reply ? `-${reply.error}\r\n` : `+${reply.status}\r\n`
}

async function client(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'h:p:a:n:r:x', { raw: 'R', 'no-auth-warning': 'w' }, true)
  const host = last(options, 'h') ?? '127.0.0.1'
  const port = Number(last(options, 'p') ?? 6379)
  let connection: Connection
  try {
    connection = await process.within(30_000, (signal) =>
      process.machine.network.connect(host === 'localhost' ? '127.0.0.1' : host, port, signal),
    )
  } catch (error) {
    if (process.ended) throw error
    const text =
      error instanceof NetworkError && error.code === 'ECONNREFUSED'
        ? 'Connection refused'
        : error instanceof NetworkError && error.code === 'ENOTFOUND'
          ? 'Name or service not known'
          : 'Connection timed out'
    await process.complain(`Could not connect to Redis at ${host}:${port}: ${text}\n`)
    return 1
  }
  process.onEnd(() => connection[Symbol.dispose]())
  let received = ''
  let wake = (): void => {}
  connection.onData((chunk) => {
    received += Buffer.from(chunk).toString('latin1')
    wake()
  })
  connection.onEnd(() => wake())
  const tty = process.files.get(1)?.kind === 'tty'
  const ask = async (words: readonly string[]): Promise<void> => {
    received = ''
    connection.write(
      Buffer.from(
        `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${Buffer.from(word).toString('latin1')}\r\n`).join('')}`,
        'latin1',
      ),
    )
    if (received === '') {
      await process.block<void>((resolve) => {
        wake = resolve
        if (received !== '') resolve()
      })
    }
    await process.print(`${show(received, tty && !options.flags.has('R')).text}\n`)
  }
  if (options.operands.length > 0) {
    await ask(options.operands)
    return received.startsWith('-') ? 1 : 0
  }
  const stdin = process.files.get(0)
  if (!stdin) return 0
  if (tty) await process.print(`${host}:${port}> `)
  for await (const line of lines(process, stdin)) {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? (match[2] as string))
    if (/^(?:quit|exit)$/i.test(words[0] ?? '')) return 0
    if (words.length > 0) await ask(words)
    if (tty) await process.print(`${host}:${port}> `)
  }
  return 0
}

function show(text: string, pretty: boolean, prefix = ''): { text: string; length: number } {
  const end = text.indexOf('\r\n')
  const head = text.slice(1, end)
  switch (text[0]) {
    case '+':
      return { text: head, length: end + 2 }
    case '-':
      return { text: pretty ? `(error) ${head}` : head, length: end + 2 }
    case ':':
      return { text: pretty ? `(integer) ${head}` : head, length: end + 2 }
    case '$': {
      const size = Number(head)
      if (size < 0) return { text: pretty ? '(nil)' : '', length: end + 2 }
      const value = Buffer.from(text.slice(end + 2, end + 2 + size), 'latin1').toString()
      return { text: pretty ? JSON.stringify(value) : value, length: end + 4 + size }
    }
    default: {
      const count = Number(head)
      if (count <= 0) return { text: pretty ? '(empty array)' : '', length: end + 2 }
      let at = end + 2
      const rows: string[] = []
      for (let index = 0; index < count; index++) {
        const item = show(text.slice(at), pretty, `${prefix}   `)
        at += item.length
        rows.push(pretty ? `${index > 0 ? prefix : ''}${index + 1}) ${item.text}` : item.text)
      }
      return { text: rows.join('\n'), length: at }
    }
  }
}
