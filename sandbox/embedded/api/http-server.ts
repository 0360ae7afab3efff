import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Authenticator } from '../auth/authenticate.ts'
import type { KeyPair } from '../auth/certificates.ts'
import { ApiError, PlainError } from '../machinery/errors.ts'
import type { Share, TurnOptions } from '../machinery/fair-share.ts'
import type { UserInfo } from '../machinery/object.ts'
import { goJson } from '../schema/go-order.ts'
import type { ApiServer } from './api-server.ts'
import type { AuditedRequest, AuditLog } from './audit.ts'
import { mediaType } from './body.ts'
import type { ApiCall, Outcome } from './call.ts'
import { compress, type Encoded, encode } from './encode.ts'
import type { FlowControl } from './flow-control.ts'
import type { Limits } from './limits.ts'
import { type Accepted, type Asking, isReadByPeople, negotiateRefusal } from './negotiation.ts'
import { uuid } from './object-meta.ts'
import { acceptTls } from './plain-http.ts'
import { requestInfo } from './request-info.ts'
import type { YamlReading } from './yaml-reading.ts'
import { largeYaml, yamlThread } from './yaml-thread.ts'

export interface ServingParts {
  api: ApiServer
  authenticator: Pick<Authenticator, 'authenticate'>
  random: () => number
  /** Cluster ms. */
  now(): number
  /** Resolves when what was written before may be told. */
  durable(): Promise<void>
  /** Takes a connection that wants to speak another protocol (exec, attach, port-forward). */
  upgrade(call: ApiCall, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>
  limits?: Pick<Limits, 'watch' | 'queue' | 'inTransit'>
  /** The cluster's part of the thread, from which all is taken that requests cost. */
  share: Pick<Share, 'turn'>
  /** Where requests are noted; nowhere without one. */
  audit?: Pick<AuditLog, 'note'>
  /** Whose headers every answer has. */
  flow?: Pick<FlowControl, 'headers'>
  /** An error that is no answer. */
  report(where: string, error: unknown): void
  /** What it shows at TLS, made when first asked for. */
  keys(): KeyPair
  /** Whose client certificates it knows, PEM. */
  ca(): string
}

export type ListenAddress = { path: string } | { host: string; port: number }

const bodyLimit = 3 * 2 ** 20
/** Answers from this size on count as long as they are unread: bytes. With its headers, a smaller one fits into a socket's buffer. */
const largeAnswer = 32 * 2 ** 10
/** ms that a client has for reading a whole answer, as an API server gives for a request. */
const longestAnswer = 60_000
/** Of one address; each keeps some memory though it says nothing. */
const connections = 2_000
/** What a connection costs after it was let in, ms. */
const handshake = 1
/** Bytes from which a body may take long to make an object of. */
const largeBody = 32 * 2 ** 10
/** Bytes of a body that are read in one turn. */
const readAtOnce = 128 * 2 ** 10
/** Why what was done for a request is given up. One for all: most requests are over by then, and an error takes its time to make. */
const connectionClosed = new Error('the connection was closed')

/** The API over TLS at one address, until it is disposed. */
export class HttpServer implements AsyncDisposable {
  readonly address: ListenAddress
  private readonly parts: ServingParts
  private server: Server | undefined
  private readonly sockets: Set<Socket>

  private constructor(parts: ServingParts, server: Server, address: ListenAddress, sockets: Set<Socket>) {
    this.parts = parts
    this.server = server
    this.address = address
    this.sockets = sockets
  }

  static async listen(parts: ServingParts, address: ListenAddress): Promise<HttpServer> {
    const sockets = new Set<Socket>()
    const server = await listening(parts, address, sockets)
    const bound = 'path' in address ? address : { host: address.host, port: (server.address() as AddressInfo).port }
    return new HttpServer(parts, server, bound, sockets)
  }

  /** Ends what is connected and refuses everybody, until `resume`. */
  async pause(): Promise<void> {
    const { server } = this
    if (!server) return
    this.server = undefined
    const closed = once(server, 'close')
    server.close()
    for (const socket of this.sockets) socket.destroy()
    await closed
  }

  /** Listens at its address again. Rejects when somebody else has taken it. */
  async resume(): Promise<void> {
    this.server ??= await listening(this.parts, this.address, this.sockets)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pause()
  }
}

async function listening(parts: ServingParts, address: ListenAddress, sockets: Set<Socket>): Promise<Server> {
  const server = secureServer(parts)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  if ('path' in address) server.listen(address.path)
  else server.listen(address.port, address.host)
  await once(server, 'listening')
  return server
}

/** The API over TLS for connections of the cluster's own network. `end`, and disposing, end all of them. */
export function inClusterServer(parts: ServingParts): { accept(connection: Duplex): void; end(): void } & Disposable {
  let server: Server | undefined
  const open = new Set<Duplex>()
  return {
    accept(connection) {
      // Keys take a moment to make: not before somebody comes.
      server ??= secureServer(parts)
      open.add(connection)
      connection.on('close', () => open.delete(connection))
      connection.on('error', () => connection.destroy())
      server.emit('connection', connection)
    },
    end() {
      for (const connection of open) connection.destroy()
    },
    [Symbol.dispose]() {
      this.end()
    },
  }
}

function secureServer(parts: ServingParts): Server {
  const { key, certificate } = parts.keys()
  const trust = { key, cert: certificate, ca: parts.ca(), requestCert: true, rejectUnauthorized: false }
  const options = { ...trust, keepAliveTimeout: 90_000, pauseOnConnect: true }
  const server = createServer(options, (request, response) => {
    serve(parts, request, response).catch((error) => {
      parts.report(`${request.method} ${request.url}`, error)
      response.destroy()
    })
  })
  letInByTurns(server, parts.share)
  // Watches and logs last as long as they like.
  server.requestTimeout = 0
  server.maxConnections = connections
  server.timeout = 0
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    upgrade(parts, request, socket, head).catch((error) => {
      if (!(error instanceof ApiError) && error !== connectionClosed) parts.report(`${request.method} ${request.url}`, error)
      refuseUpgrade(socket, error)
    })
  })
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  return server
}

/** Who connects waits until the cluster has time for a handshake. */
function letInByTurns(server: Server, share: ServingParts['share']): void {
  const listeners = server.listeners('connection') as ((this: Server, connection: Duplex) => void)[]
  server.removeAllListeners('connection')
  server.on('connection', async (connection: Duplex) => {
    await share.turn({ ahead: handshake })
    if (connection.destroyed) return
    acceptTls(connection, (taken) => {
      for (const listener of listeners) listener.call(server, taken)
    })
  })
}

async function serve(parts: ServingParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { api } = parts
  const headers = singleHeaders(request)
  const url = request.url ?? '/'
  const query = new URLSearchParams(url.includes('?') ? url.slice(url.indexOf('?')) : '')
  const id = uuid(parts.random)
  response.setHeader('audit-id', id)
  response.setHeader('cache-control', 'no-cache, private')
  let seen: ReturnType<typeof audited> | undefined
  const warnings: string[] = []
  const ended = new AbortController()
  response.on('close', () => ended.abort(connectionClosed))
  try {
    seen = audited(parts, request, id)
    const user = parts.authenticator.authenticate(credentials(request), url)
    seen.by(user)
    for (const [name, value] of Object.entries(parts.flow?.headers(user, seen.request) ?? {})) response.setHeader(name, value)
    const method = request.method ?? 'GET'
    await inTurn(parts)
    // whoever has gone meanwhile sends nothing any more, not even that
    if (ended.signal.aborted) return
    using _room = hasBody(request) ? parts.limits?.inTransit(announced(headers)) : undefined
    const body = await readBody(request, parts.share)
    if (body.length > 0) await inTurn(parts, body.length > largeBody)
    // it has waited
    if (ended.signal.aborted) return
    const { annotations } = seen
    const yaml = await readAside(parts.share, body, headers['content-type'])
    if (ended.signal.aborted) return
    const pause = () => parts.share.turn()
    const about = { annotations, warnings, pause, ...(body.length ? { body } : {}), ...(yaml ? { yaml } : {}) }
    const call: ApiCall = { method, url, headers, user, signal: ended.signal, ...about }
    const { outcome, accepted = inJson(headers) } = await api.handle(call)
    using _place = outcome.type === 'watch' ? parts.limits?.watch() : undefined
    const turn = (options?: TurnOptions) => parts.share.turn(options)
    const whole = encode(outcome, accepted, { query, now: parts.now(), turn, owner: parts.share })
    const encoded = await compress(whole, headers['accept-encoding'])
    seen.answered(encoded.status, outcome.type === 'object' ? outcome.object : undefined)
    if (method !== 'GET') await parts.durable()
    warn(response, warnings)
    await send(response, encoded, method === 'HEAD', parts.limits)
  } catch (error) {
    if (ended.signal.aborted || error === connectionClosed) return
    seen?.failed(error)
    warn(response, warnings)
    await sendError(parts, request, response, error, negotiateRefusal({ headers, query }))
  }
}

/** Where nobody has a choice. */
function inJson(headers: Asking['headers']): Accepted {
  return { mediaType: 'application/json', as: 'object', version: 'v1', pretty: isReadByPeople(headers) }
}

/** What a large body of YAML says, read beside this thread. */
async function readAside(cluster: object, body: Buffer, contentType: string | undefined): Promise<YamlReading | undefined> {
  const isYaml = ['application/yaml', 'application/apply-patch+yaml'].includes(mediaType(contentType))
  if (!isYaml || body.length < largeYaml || body[0] === brace) return undefined
  try {
    return await yamlThread.read(cluster, body.toString())
  } catch (error) {
    throw ApiError.entityTooLarge(`it could not be read: ${(error as Error).message}`)
  }
}

const brace = '{'.charCodeAt(0)

/** Also with a refusal goes what was to be warned of before it. */
function warn(response: ServerResponse, warnings: readonly string[]): void {
  if (warnings.length === 0 || response.headersSent) return
  response.setHeader(
    'warning',
    warnings.map((text) => `299 - ${JSON.stringify(text.replaceAll('\n', ' '))}`),
  )
}

/** Waits for the cluster's turn. Rejects with ApiError TooManyRequests when too many wait already. */
async function inTurn({ share, limits }: ServingParts, large = false): Promise<void> {
  using _place = limits?.queue()
  await share.turn({ large })
}

/** Gathers what the audit log is to say of a request. Throws ApiError for a URL that cannot be read. */
function audited(parts: ServingParts, message: IncomingMessage, id: string) {
  const url = message.url ?? '/'
  const received = parts.now()
  const request = requestInfo(message.method ?? 'GET', url)
  // Once the connection is given up nobody knows any more where it came from.
  const sourceIp = message.socket.remoteAddress ?? '127.0.0.1'
  const annotations: Record<string, string> = {}
  let user: UserInfo | undefined
  const note = (code: number, more: Pick<AuditedRequest, 'object' | 'failure'>) => {
    if (!parts.audit) return
    const known = user ?? { username: '', groups: [] }
    const userAgent = message.headers['user-agent']
    parts.audit.note({ id, url, user: known, request, sourceIp, userAgent, received, answered: parts.now(), code, annotations, ...more })
  }
  return {
    request,
    annotations,
    by: (who: UserInfo) => {
      user = who
    },
    answered: (code: number, object?: AuditedRequest['object']) => note(code, { object }),
    failed: (error: unknown) => {
      const { code, body } = error instanceof ApiError ? error : ApiError.internal(error)
      note(code, { failure: body })
    },
  }
}

async function sendError(
  parts: ServingParts,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  accepted: Accepted,
): Promise<void> {
  if (response.headersSent) {
    parts.report(`${request.method} ${request.url}`, error)
    response.destroy()
    return
  }
  if (!(error instanceof ApiError)) parts.report(`${request.method} ${request.url}`, error)
  const answer = error instanceof ApiError ? error : ApiError.internal(error)
  if (answer.body.details?.retryAfterSeconds) response.setHeader('retry-after', String(answer.body.details.retryAfterSeconds))
  // What is left of the body stands in the way of another request.
  if (answer.code === 413) response.setHeader('connection', 'close')
  const outcome: Outcome =
    error instanceof PlainError
      ? { type: 'text', status: answer.code, text: answer.message && `${answer.message}\n` }
      : { type: 'object', status: answer.code, object: answer.body }
  await send(
    response,
    encode(outcome, accepted, { query: new URLSearchParams(), now: 0, turn: () => parts.share.turn(), owner: parts.share }),
    false,
  )
}

async function send(response: ServerResponse, encoded: Encoded, headOnly: boolean, limits?: ServingParts['limits']): Promise<void> {
  const { status, headers, body } = encoded
  const size = body instanceof Uint8Array ? body.length : (encoded.size ?? 0)
  response.statusCode = status
  // Clients keep the headers of a 304 in place of those of the answer they know: it must not say another type.
  if (status === 304) {
    for (const [name, value] of Object.entries(headers)) if (!/^(?:content-|x-content)/.test(name)) response.setHeader(name, value)
    response.end()
    return
  }
  const large = size > largeAnswer && !headOnly
  if (large) holdUntilRead(response, limits?.inTransit(size))
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (body instanceof Uint8Array) {
    response.setHeader('content-length', body.length)
    if (headOnly || !large) {
      response.end(headOnly ? undefined : body)
      return
    }
  } else response.flushHeaders()
  if (headOnly) {
    response.end()
    return
  }
  const chunks = body instanceof Uint8Array ? [body] : body
  for await (const chunk of large ? lastByteApart(chunks) : chunks) {
    if (response.destroyed) return
    if (!response.write(chunk) && !(await readOn(response, chunk, large ? undefined : limits))) return
  }
  response.end()
}

/**
 * Node breaks a connection on which a large request comes before it has noticed that a large answer is written (HPE_PAUSED:
 * over TLS its parser is paused amid what was read). Until then the client is not to have all of the answer.
 */
async function* lastByteApart(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let last: Uint8Array | undefined
  for await (const chunk of chunks) {
    if (last) yield last
    last = chunk
  }
  if (!last) return
  yield last.subarray(0, -1)
  yield last.subarray(-1)
}

/** Ends the connection of one who takes too long to read a whole answer; keeps the room that it takes until then. */
function holdUntilRead(response: ServerResponse, room: Disposable | undefined): void {
  // real time: it is for the network, which the cluster's clock does not move
  const impatient = setTimeout(() => response.destroy(), longestAnswer)
  response.on('close', () => {
    clearTimeout(impatient)
    room?.[Symbol.dispose]()
  })
}

/** Waits until the client has read; false when it has gone, or must go since too much is unread already. */
async function readOn(response: ServerResponse, chunk: Uint8Array, limits: ServingParts['limits']): Promise<boolean> {
  try {
    using _room = limits?.inTransit(chunk.length)
    await drained(response)
    return !response.destroyed
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    response.destroy()
    return false
  }
}

/** Resolves when more may be written, or nobody reads any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

async function upgrade(parts: ServingParts, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
  const url = request.url ?? '/'
  const seen = audited(parts, request, uuid(parts.random))
  try {
    const user = parts.authenticator.authenticate(credentials(request), url)
    seen.by(user)
    const ended = new AbortController()
    socket.on('close', () => ended.abort(connectionClosed))
    const { annotations } = seen
    const call: ApiCall = { method: request.method ?? 'GET', url, headers: singleHeaders(request), user, signal: ended.signal, annotations }
    await parts.upgrade(call, request, socket, head)
    seen.answered(101)
  } catch (error) {
    seen.failed(error)
    throw error
  }
}

function refuseUpgrade(socket: Duplex, error: unknown): void {
  const { code, body } = error instanceof ApiError ? error : ApiError.internal(error)
  const text = goJson(body)
  socket.end(
    `HTTP/1.1 ${code} ${body.reason ?? 'Error'}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  )
}

function credentials(request: IncomingMessage) {
  return { certificate: certificateOf(request.socket), rawHeaders: request.rawHeaders }
}

const certificates = new WeakMap<Socket, X509Certificate | null>()

/** What a connection has shown at TLS; one from inside the cluster shows nothing. */
function certificateOf(socket: Socket): X509Certificate | undefined {
  let certificate = certificates.get(socket)
  if (certificate === undefined) {
    certificate = ('getPeerX509Certificate' in socket ? (socket as TLSSocket).getPeerX509Certificate() : undefined) ?? null
    certificates.set(socket, certificate)
  }
  return certificate ?? undefined
}

function singleHeaders({ headers }: IncomingMessage): Record<string, string | undefined> {
  const single: Record<string, string | undefined> = {}
  for (const name in headers) {
    const value = headers[name]
    single[name] = Array.isArray(value) ? value.join(',') : value
  }
  return single
}

function hasBody({ method, headers }: IncomingMessage): boolean {
  return method !== 'GET' && method !== 'HEAD' && (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined)
}

/** Bytes that a body may have by its headers. */
function announced(headers: Readonly<Record<string, string | undefined>>): number {
  return Math.min(Number(headers['content-length'] ?? bodyLimit) || 0, bodyLimit)
}

/** Rejects with ApiError for a body that is too large, and with the connection's end. A large one is read in turns. */
function readBody(request: IncomingMessage, share: ServingParts['share']): Promise<Buffer> {
  if (request.method === 'GET' || request.method === 'HEAD') return Promise.resolve(nothing)
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    let inTurn = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      inTurn += chunk.length
      if (size > bodyLimit) {
        request.pause()
        request.removeAllListeners('data')
        reject(ApiError.entityTooLarge(`limit is ${bodyLimit}`))
        return
      }
      chunks.push(chunk)
      if (inTurn < readAtOnce) return
      inTurn = 0
      request.pause()
      void share.turn().then(() => request.resume())
    })
    request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
    request.on('error', reject)
    request.on('close', () => reject(connectionClosed))
  })
}

const nothing = Buffer.alloc(0)
