import { STATUS_CODES } from 'node:http'
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Duplex, Readable } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import { duplexOf } from './http-bridge.ts'
import { type Connection, NetworkError } from './network.ts'
import { inFewTurns, unlessAborted } from './waiting.ts'

/** How a gRPC call ended: its status and, where that is OK, the one message of the answer. */
export interface GrpcResult {
  code: number
  message: string
  reply: Uint8Array
}

/** Answers one unary call. */
export type GrpcMethod = (message: Uint8Array) => Promise<GrpcResult>

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md, by number. */
export const grpcCodes = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const

export function grpcCode(name: (typeof grpcCodes)[number]): number {
  return grpcCodes.indexOf(name)
}

/** A client's end of HTTP/2 over a raw connection, which it ends when it is disposed. */
export class GrpcChannel implements Disposable {
  private readonly session: ClientHttp2Session
  private readonly clock: Clock

  private constructor(session: ClientHttp2Session, clock: Clock) {
    this.session = session
    this.clock = clock
  }

  /** Resolves when the server has sent its settings. Rejects with NetworkError ECONNRESET, or the signal's reason. */
  static async open(clock: Clock, connection: Connection, signal?: AbortSignal): Promise<GrpcChannel> {
    const stream = duplexOf(connection)
    const session = connect(`http://${connection.remote.ip}:${connection.remote.port}`, { createConnection: () => stream })
    const ready = new Promise<void>((resolve, reject) => {
      session.once('remoteSettings', () => resolve())
      session.on('error', (error: Error) => reject(new NetworkError('ECONNRESET', error.message)))
      session.once('close', () => reject(new NetworkError('ECONNRESET', 'the connection ended before the settings')))
    })
    try {
      await inFewTurns(clock, unlessAborted(ready, [signal]))
      return new GrpcChannel(session, clock)
    } catch (error) {
      session.destroy()
      connection[Symbol.dispose]()
      throw error
    }
  }

  /** One unary call; a connection that ends is status Unavailable. Rejects with the signal's reason. */
  async call(
    path: string,
    message: Uint8Array,
    options: { authority: string; userAgent: string; signal?: AbortSignal },
  ): Promise<GrpcResult> {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': path,
      ':authority': options.authority,
      'content-type': 'application/grpc',
      'user-agent': options.userAgent,
      te: 'trailers',
    })
    const chunks: Uint8Array[] = []
    let head: IncomingHttpHeaders & IncomingHttpStatusHeader = {}
    let tail: IncomingHttpHeaders = {}
    const ended = new Promise<GrpcResult>((resolve) => {
      const lost = (why: string) => resolve(failure('Unavailable', why))
      stream.on('response', (headers) => {
        head = headers
      })
      stream.on('trailers', (headers) => {
        tail = headers
      })
      stream.on('data', (chunk: Uint8Array) => chunks.push(chunk))
      stream.on('error', () => lost('error reading from server: EOF'))
      stream.on('close', () =>
        head[':status'] === undefined ? lost('error reading from server: EOF') : resolve(resultOf(head, tail, Buffer.concat(chunks))),
      )
    })
    stream.end(framed(message))
    try {
      return await inFewTurns(this.clock, unlessAborted(ended, [options.signal]))
    } finally {
      stream.close()
    }
  }

  [Symbol.dispose](): void {
    this.session.destroy()
  }
}

/** The server's end: methods by path (/package.Service/Method), as Go's gRPC server answers. */
export class GrpcServer implements Disposable {
  private readonly server: Http2Server
  private readonly methods: Readonly<Record<string, GrpcMethod>>
  private readonly tls: { certificate: string; key: string } | undefined
  private readonly open = new Set<Duplex>()

  constructor(clock: Clock, methods: Readonly<Record<string, GrpcMethod>>, tls?: { certificate: string; key: string }) {
    this.methods = methods
    this.tls = tls
    this.server = createServer()
    this.server.on('stream', (stream, headers) => void inFewTurns(clock, this.answer(stream, headers)))
    // A client that speaks something else, or goes: its connection is closed.
    this.server.on('sessionError', () => {})
  }

  accept(connection: Connection): void {
    const stream = duplexOf(connection)
    this.open.add(stream)
    stream.once('close', () => this.open.delete(stream))
    if (!this.tls) {
      this.server.emit('connection', stream)
      return
    }
    const { certificate: cert, key } = this.tls
    const socket = new TLSSocket(stream, { isServer: true, cert, key, ALPNProtocols: ['h2'] })
    socket.on('error', () => stream.destroy())
    socket.once('secure', () => this.server.emit('connection', socket))
  }

  [Symbol.dispose](): void {
    for (const stream of this.open) stream.destroy()
    this.server.close()
  }

  private async answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    stream.on('error', () => {})
    const path = String(headers[':path'])
    if (!headers['content-type']?.startsWith('application/grpc')) {
      stream.respond({ ':status': 415 }, { endStream: true })
      return
    }
    const method = this.methods[path]
    const { code, message, reply } = method ? await method(unframed(await whole(stream))) : unknown(path, Object.keys(this.methods))
    if (stream.destroyed) return
    const trailers = { 'grpc-status': String(code), ...(message && { 'grpc-message': encodeURI(message) }) }
    if (code !== 0) {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true })
      return
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers(trailers))
    stream.end(framed(reply))
  }
}

/** What becomes of a call of this path, as google.golang.org/grpc says it. */
function unknown(path: string, known: readonly string[]): GrpcResult {
  const [, service = '', method = ''] = /^\/(.*)\/([^/]*)$/.exec(path) ?? []
  const there = known.some((other) => other.startsWith(`/${service}/`))
  return failure('Unimplemented', there ? `unknown method ${method} for service ${service}` : `unknown service ${service}`)
}

/** A call that failed. */
export function failure(code: (typeof grpcCodes)[number], message: string): GrpcResult {
  return { code: grpcCode(code), message, reply: new Uint8Array() }
}

/** What google.golang.org/grpc makes of an answer, also of one that is no gRPC. */
function resultOf(head: IncomingHttpHeaders & IncomingHttpStatusHeader, tail: IncomingHttpHeaders, body: Uint8Array): GrpcResult {
  const status = head[':status'] ?? 0
  const type = head['content-type']
  const faults: string[] = []
  if (status !== 200) faults.push(`unexpected HTTP status code received from server: ${status} (${STATUS_CODES[status] ?? ''})`)
  if (type === undefined) faults.push('malformed header: missing HTTP content-type')
  else if (!type.startsWith('application/grpc')) faults.push(`transport: received unexpected content-type ${JSON.stringify(type)}`)
  if (!type?.startsWith('application/grpc') || status !== 200) return failure(codeOfHttp[status] ?? 'Unknown', faults.join('; '))
  const ended = 'grpc-status' in tail ? tail : head
  const code = Number(ended['grpc-status'] ?? grpcCode('Internal'))
  const message = decodeURIComponent(String(ended['grpc-message'] ?? ''))
  return { code, message, reply: code === 0 ? unframed(body) : new Uint8Array() }
}

/** https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md */
const codeOfHttp: Readonly<Record<number, (typeof grpcCodes)[number]>> = {
  400: 'Internal',
  401: 'Unauthenticated',
  403: 'PermissionDenied',
  404: 'Unimplemented',
  429: 'Unavailable',
  502: 'Unavailable',
  503: 'Unavailable',
  504: 'Unavailable',
}

/** A message behind its five bytes: not compressed, and its length. */
function framed(message: Uint8Array): Uint8Array {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function unframed(data: Uint8Array): Uint8Array {
  return data.length < 5 ? new Uint8Array() : data.subarray(5, 5 + Buffer.from(data).readUInt32BE(1))
}

async function whole(stream: Readable): Promise<Uint8Array> {
  return Buffer.concat((await stream.toArray()) as Uint8Array[])
}
