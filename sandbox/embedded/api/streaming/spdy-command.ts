import type { Duplex } from 'node:stream'
import { ApiError } from '../../machinery/errors.ts'
import type { StreamOptions } from '../../machinery/node-api.ts'
import type { CommandListener, CommandStatus, CommandStreams } from './remote-command.ts'
import { SpdySession, type SpdyStream } from './spdy.ts'

const versionHeader = 'x-stream-protocol-version'
const commandProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io']
const forwardProtocols = ['portforward.k8s.io']

/** The protocol over SPDY that both sides speak. Throws ApiError for a client that offers none of ours. */
export function spdyProtocol(headers: Readonly<Record<string, string | undefined>>, kind: 'command' | 'forward'): string {
  const supported = kind === 'command' ? commandProtocols : forwardProtocols
  const offered = (headers[versionHeader] ?? '').split(',').flatMap((text) => text.trim() || [])
  if (offered.length === 0) throw ApiError.badRequest('unable to upgrade: X-Stream-Protocol-Version is required')
  const chosen = offered.find((protocol) => supported.includes(protocol))
  if (chosen) return chosen
  const lists = `client supports [${offered.join(' ')}], server accepts [${supported.join(' ')}]`
  throw new ApiError(403, 'Forbidden', `unable to upgrade: unable to negotiate protocol: ${lists}`)
}

/** Answers the request with 101 and speaks SPDY/3.1 on the socket from then on. */
export function acceptSpdy(
  socket: Duplex,
  head: Uint8Array,
  protocol: string,
  onStream: (stream: SpdyStream) => void,
  report: (error: unknown) => void,
): SpdySession {
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  )
  const session = new SpdySession({ send: (data) => void (socket.writable && socket.write(data)), onStream })
  const receive = (data: Uint8Array) => {
    session.receive(data).catch((error: unknown) => {
      report(error)
      socket.destroy()
    })
  }
  if (head.length > 0) receive(head)
  socket.on('data', receive)
  socket.on('error', () => socket.destroy())
  socket.on('close', () => session[Symbol.dispose]())
  return session
}

/** Exec and attach over SPDY: a stream for each of error, stdin, stdout, stderr and resize, opened by the client. */
export class SpdyCommand implements CommandStreams {
  private readonly socket: Duplex
  private readonly json: boolean
  private readonly streams = new Map<string, SpdyStream>()
  /** What came before anybody listened. */
  private readonly early = new Map<SpdyStream, Uint8Array[]>()
  private readonly expected: number
  private ready = (): void => {}

  private constructor(socket: Duplex, protocol: string, { stdin, stdout, stderr, tty }: StreamOptions) {
    this.socket = socket
    this.json = protocol === 'v4.channel.k8s.io'
    const resizes = tty && /^v[34]/.test(protocol)
    this.expected = 1 + [stdin, stdout, stderr, resizes].filter(Boolean).length
  }

  /** Resolves once the client has opened all its streams. */
  static accept(
    socket: Duplex,
    head: Uint8Array,
    protocol: string,
    options: StreamOptions,
    report: (error: unknown) => void,
  ): Promise<SpdyCommand> {
    const command = new SpdyCommand(socket, protocol, options)
    return new Promise((resolve) => {
      command.ready = () => resolve(command)
      acceptSpdy(socket, head, protocol, (stream) => command.opened(stream), report)
    })
  }

  write(name: 'stdout' | 'stderr', data: Uint8Array): void {
    this.streams.get(name)?.write(data)
  }

  finish(status: CommandStatus): void {
    const error = this.streams.get('error')
    if (this.json) error?.write(Buffer.from(JSON.stringify(status)))
    else if (status.status === 'Failure') error?.write(Buffer.from(status.message ?? ''))
    for (const stream of this.streams.values()) stream.end()
    this.socket.end()
  }

  listen(listener: CommandListener): void {
    this.hear('stdin', (data) => (data.length > 0 ? listener.stdin(data) : listener.closeStdin()))
    let rest = ''
    this.hear('resize', (data) => {
      // A JSON object a line.
      const lines = (rest + Buffer.from(data).toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines.filter((each) => each.trim() !== '')) {
        const { Width, Height } = JSON.parse(line) as { Width: number; Height: number }
        listener.resize(Width, Height)
      }
    })
    this.socket.on('close', () => listener.close())
  }

  private opened(stream: SpdyStream): void {
    const early: Uint8Array[] = []
    stream.onData = (data) => void early.push(data)
    this.early.set(stream, early)
    this.streams.set(stream.headers['streamtype'] ?? '', stream)
    if (this.streams.size === this.expected) this.ready()
  }

  private hear(name: string, listener: (data: Uint8Array) => void): void {
    const stream = this.streams.get(name)
    if (!stream) return
    stream.onData = listener
    for (const data of this.early.get(stream) ?? []) listener(data)
    this.early.delete(stream)
  }
}
