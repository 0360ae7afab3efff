import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { createSecureContext, TLSSocket, type TLSSocketOptions } from 'node:tls'
import { type Connection, type HttpRequest, type HttpResponse, type Listener, NetworkError, type ServerTls } from './network.ts'

type HttpListener = Extract<Listener, { http: unknown }>
type Handler = HttpListener['http']

/** HTTP/1.1 where one end of a connection speaks bytes and the other speaks requests (port-forward, nc, a raw server). */
export class HttpBridge implements Disposable {
  private readonly server: Server
  private readonly handlers = new WeakMap<object, { handler: Handler; connection: Connection }>()

  constructor() {
    this.server = createServer((request, response) => {
      void this.answer(request, response)
    })
    // Who has sent its request may close its side and still wants the answer: printf ... | nc.
    Object.assign(this.server, { httpAllowHalfOpen: true })
    // Node's own limits count real time; the ends of an embedded cluster's connections set their own.
    this.server.keepAliveTimeout = 0
    this.server.requestTimeout = 0
    this.server.headersTimeout = 0
  }

  /** Answers the requests that arrive on a raw connection. */
  serve(connection: Connection, listener: HttpListener): void {
    const { http: handler, tls, grpc } = listener
    if (!tls && !grpc) {
      this.take(duplexOf(connection), connection, handler)
      return
    }
    const heard = connection.onData((first) => {
      heard[Symbol.dispose]()
      const duplex = duplexOf(connection)
      duplex.unshift(Buffer.from(first))
      if (!tls) {
        if (Buffer.from(first.subarray(0, preface.length)).toString('latin1') === preface) takeHttp2(duplex, connection, listener)
        else this.take(duplex, connection, handler)
        return
      }
      if (first[0] !== handshakeRecord) {
        this.take(duplex, connection, async () => tls.plain)
        return
      }
      const protocols = grpc ? { ALPNProtocols: ['h2', 'http/1.1'] } : {}
      const socket = new TLSSocket(duplex, { isServer: true, ...certificates(tls), ...protocols })
      // A client that does not trust the certificate says so and goes.
      socket.on('error', () => connection[Symbol.dispose]())
      if (!grpc) {
        this.take(socket, connection, handler)
        return
      }
      socket.once('secure', () => {
        if (socket.alpnProtocol === 'h2') takeHttp2(socket, connection, listener)
        else this.take(socket, connection, handler)
      })
    })
  }

  [Symbol.dispose](): void {
    this.server.close()
  }

  private take(stream: Duplex, connection: Connection, handler: Handler): void {
    this.handlers.set(stream, { handler, connection })
    this.server.emit('connection', stream)
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const served = this.handlers.get(request.socket)
    if (!served) return
    try {
      const body = await readAll(request)
      const answer = await served.handler(
        { method: request.method ?? 'GET', path: request.url ?? '/', headers: plainHeaders(request), body },
        served.connection.remote,
      )
      response.sendDate = false
      if (answer.reason !== undefined) response.statusMessage = answer.reason
      const sized = Object.keys(answer.headers).some((name) => name.toLowerCase() === 'content-length')
      const headers = response.shouldKeepAlive ? answer.headers : closing(answer.headers)
      response.writeHead(answer.status, { ...headers, ...(sized ? {} : { 'Content-Length': String(answer.body.length) }) })
      response.end(request.method === 'HEAD' ? undefined : answer.body)
    } catch {
      // The program died or gave up while it answered: its peer sees the connection go, as on a real network.
      served.connection[Symbol.dispose]()
    }
  }
}

/** Answers what comes over HTTP/2. */
function takeHttp2(stream: Duplex, connection: Connection, { http, grpc }: HttpListener): void {
  const session = performServerHandshake(stream)
  // A client that speaks something else, or goes.
  session.on('error', () => connection[Symbol.dispose]())
  session.on('stream', (call, sent) => {
    call.on('error', () => undefined)
    const headers = headersOf(sent)
    const path = String(sent[':path'] ?? '/')
    const answered =
      grpc && headers['content-type']?.startsWith('application/grpc')
        ? grpc({ path, headers, stream: call }, connection.remote)
        : answerHttp2(call, { method: String(sent[':method']), path, headers, body: new Uint8Array() }, http, connection)
    answered.catch(() => call.destroy())
  })
}

async function answerHttp2(call: ServerHttp2Stream, request: HttpRequest, handler: Handler, { remote }: Connection): Promise<void> {
  const body = Buffer.concat((await call.toArray()) as Uint8Array[])
  const answer = await handler({ ...request, body }, remote)
  if (call.destroyed) return
  const kept = Object.entries(answer.headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  const headers = Object.fromEntries(kept.filter(([name]) => !ofConnections.has(name)))
  call.respond({ ':status': answer.status, ...headers }, { endStream: request.method === 'HEAD' })
  if (request.method !== 'HEAD') call.end(answer.body)
}

/** Headers that HTTP/2 does not have. */
const ofConnections = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

function headersOf(sent: IncomingHttpHeaders): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(sent)) {
    if (value !== undefined && !name.startsWith(':')) headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  const authority = sent[':authority']
  return { ...headers, ...(authority !== undefined && { host: String(authority) }) }
}

/** What a client that knows that the server speaks HTTP/2 begins with. */
const preface = 'PRI * HTTP/2'

/** The pair of the name that a client asks for; the usual one for who asks for none. */
function certificates(tls: ServerTls): TLSSocketOptions {
  const contextOf = (pair: { certificate: string; key: string }) => createSecureContext({ cert: pair.certificate, key: pair.key })
  if ('certificate' in tls) return { secureContext: contextOf(tls) }
  const usual = tls.select(undefined)
  return {
    ...(usual && { secureContext: contextOf(usual) }),
    SNICallback(serverName, done) {
      const pair = tls.select(serverName)
      done(null, pair && contextOf(pair))
    },
  }
}

/** Sends one request over a stream, which it ends, and collects the whole answer. Rejects with NetworkError ECONNRESET. */
export function requestOver(stream: Duplex, request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      createConnection: () => stream as Socket,
      method: request.method,
      path: request.path,
      headers: { ...(request.body.length > 0 ? { 'content-length': String(request.body.length) } : {}), ...request.headers },
      setHost: false,
      signal,
    })
    const fail = (error: Error) => {
      stream.destroy()
      reject(signal?.aborted ? signal.reason : new NetworkError('ECONNRESET', error.message))
    }
    outgoing.on('error', fail)
    outgoing.on('response', (incoming) => {
      const head = { status: incoming.statusCode ?? 0, reason: incoming.statusMessage, headers: plainHeaders(incoming) }
      if (request.progress) request.progress.head = head
      readAll(incoming, request.progress?.body).then((body) => {
        resolve({ ...head, body })
        stream.destroy()
      }, fail)
    })
    outgoing.end(request.body)
  })
}

/** The first byte of a TLS record that carries a handshake. */
const handshakeRecord = 0x16

/** A connection as a Node stream, for Node's own HTTP and TLS. */
export function duplexOf(connection: Connection): Duplex {
  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {},
    write(chunk: Uint8Array, _encoding, done) {
      connection.write(chunk)
      done()
    },
    final(done) {
      connection.end()
      done()
    },
    destroy(error, done) {
      connection[Symbol.dispose]()
      done(error)
    },
  })
  Object.assign(duplex, { remoteAddress: connection.remote.ip, remotePort: connection.remote.port })
  connection.onData((data) => duplex.push(data))
  connection.onEnd(() => duplex.push(null))
  return duplex
}

/** To who asked for one answer alone (HTTP/1.0, or Connection: close), a server that else keeps connections says that it does not. */
function closing(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, name.toLowerCase() === 'connection' ? 'close' : value]))
}

async function readAll(stream: IncomingMessage, chunks: Uint8Array[] = []): Promise<Uint8Array> {
  for await (const chunk of stream) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}

function plainHeaders(message: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return headers
}
