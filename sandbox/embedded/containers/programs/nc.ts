import { type Connection, NetworkError } from '../../network/network.ts'
import { Pipe } from '../kernel/pipe.ts'
import type { Process, Run } from '../kernel/process.ts'
import { isTimeout } from './client.ts'
import { last, parseOptions } from './options.ts'
import { startCommand } from './run-command.ts'

/** nc and telnet: a connection by hand. */
export const connectionPrograms: Record<string, Run> = { nc, netcat: nc, telnet }

const connectTimeout = 900_000

async function nc(process: Process): Promise<number> {
  const options = parseOptions(process.args, 'lp:zw:e:vnuks:i:q:N')
  const { flags } = options
  if (flags.has('l')) return listen(process, options)
  const [host, portText] = options.operands
  if (host === undefined || portText === undefined) {
    await process.complain(
      'BusyBox v1.36.1 multi-call binary.\n\nUsage: nc [OPTIONS] HOST PORT  - connect\nnc [OPTIONS] -l -p PORT [HOST] [PORT]  - listen\n',
    )
    return 1
  }
  const [first = 0, end = first] = portText.split('-').map(Number)
  const wait = last(options, 'w')
  const timeout = wait === undefined ? connectTimeout : Number(wait) * 1000
  const verbose = flags.has('v')
  const tell = async (text: string) => {
    if (!flags.has('z') || verbose) await process.complain(`nc: ${text}\n`)
  }
  let ip: string
  try {
    ip = await process.until(() => process.machine.network.lookup(host))
  } catch (error) {
    if (process.ended || !(error instanceof NetworkError)) throw error
    return process.fail(`bad address '${host}'`)
  }
  let status = 1
  for (let port = first; port <= end; port++) {
    try {
      const connection = await process.within(timeout, (signal) =>
        process.machine.network.connect(ip, port, signal, flags.has('u') ? 'UDP' : 'TCP'),
      )
      if (verbose) await process.complain(`${host} (${ip}:${port}) open\n`)
      status = 0
      if (flags.has('z')) connection[Symbol.dispose]()
      else await relay(process, connection, wait === undefined ? undefined : timeout)
    } catch (error) {
      if (process.ended) throw error
      if (isTimeout(error) && flags.has('u')) {
        // A datagram that is lost is no error: only who waits for an answer is at an end.
        if (flags.has('z') && verbose) await process.complain(`${host} (${ip}:${port}) open\n`)
        if (!flags.has('z') && wait === undefined) await process.block<never>(() => undefined)
        status = 0
      } else if (isTimeout(error)) await tell(`${host} (${ip}:${port}): Connection timed out`)
      else if (error instanceof NetworkError) await tell(`${host} (${ip}:${port}): ${reasonOf(error)}`)
      else throw error
    }
  }
  return status
}

function reasonOf(error: NetworkError): string {
  if (error.code === 'ENETUNREACH') return 'Network is unreachable'
  return error.code === 'EHOSTUNREACH' ? 'No route to host' : error.code === 'ETIMEDOUT' ? 'Connection timed out' : 'Connection refused'
}

async function listen(process: Process, options: ReturnType<typeof parseOptions>): Promise<number> {
  const { flags } = options
  const verbose = flags.has('v')
  const port = Number(last(options, 'p') ?? options.operands.at(-1))
  if (!Number.isInteger(port)) return process.fail('missing port')
  const waiting: Connection[] = []
  let wake = (): void => {}
  let listener: Disposable
  try {
    const accept = (connection: Connection) => {
      waiting.push(connection)
      wake()
    }
    listener = process.machine.network.listen(port, { accept }, last(options, 's') ?? '::', flags.has('u') ? 'UDP' : 'TCP')
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    return process.fail('bind: Address already in use')
  }
  process.onEnd(() => listener[Symbol.dispose]())
  if (verbose) await process.complain(`listening on [::]:${port} ...\n`)
  // -k and -ll serve one after the other; without them the port is free again with the first connection.
  const persistent = flags.has('k') || (flags.get('l') ?? 0) > 1
  do {
    if (waiting.length === 0) {
      await process.block<void>((resolve) => {
        wake = resolve
      })
    }
    const connection = waiting.shift()
    if (!connection) continue
    if (!persistent) listener[Symbol.dispose]()
    if (verbose) {
      const { local, remote } = connection
      await process.complain(`connect to [::ffff:${local.ip}]:${port} from [::ffff:${remote.ip}]:${remote.port}\n`)
    }
    const program = last(options, 'e')
    // What follows -e is the program and all its arguments.
    const words = program === undefined ? [] : process.args.slice(process.args.lastIndexOf(program))
    if (program === undefined) await relay(process, connection)
    else await serve(process, connection, program.includes(' ') ? program.split(' ') : words)
  } while (persistent)
  return 0
}

/** Carries bytes between a connection and this process's stdin and stdout until the other side ends. */
/** Until the other side ends, or nothing came or went for `idle` ms (-w). */
async function relay(process: Process, connection: Connection, idle?: number): Promise<void> {
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
  let active = process.machine.now()
  const sending = async () => {
    for (;;) {
      const chunk = stdin ? await stdin.read(65536, process) : new Uint8Array(0)
      if (chunk.length === 0) break
      active = process.machine.now()
      connection.write(chunk)
    }
    connection.end()
  }
  sending().catch((error: unknown) => {
    if (!process.ended) throw error
  })
  for (;;) {
    const chunk = queue.shift()
    if (chunk) {
      active = process.machine.now()
      await process.print(chunk)
    } else if (ended) return
    else {
      const left = idle === undefined ? undefined : active + idle - process.machine.now()
      if (left !== undefined && left <= 0) return
      await process.block<void>((resolve) => {
        const timer = left === undefined ? undefined : process.machine.after(left, resolve)
        wake = () => {
          timer?.cancel()
          resolve()
        }
        if (queue.length > 0 || ended) wake()
      })
    }
  }
}

/** nc -e: the program's stdin and stdout are the connection. */
async function serve(process: Process, connection: Connection, argv: string[]): Promise<void> {
  const input = new Pipe()
  const output = new Pipe()
  const writer = input.writer().retain()
  const reader = output.reader().retain()
  connection.onData((data) => input.feed(data))
  connection.onEnd(() => writer.release())
  const child = await startCommand(
    process,
    argv,
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
  const [host = '', port = '23'] = process.args
  let ip = host
  try {
    ip = await process.until(() => process.machine.network.lookup(host))
    const connection = await process.until((signal) => process.machine.network.connect(ip, Number(port), signal))
    await process.print(`Connected to ${host}\n`)
    await relay(process, connection)
    await process.complain('Connection closed by foreign host\n')
    return 1
  } catch (error) {
    if (process.ended || !(error instanceof NetworkError)) throw error
    return process.fail(error.code === 'ENOTFOUND' ? `bad address '${host}'` : `can't connect to remote host (${ip}): ${reasonOf(error)}`)
  }
}
