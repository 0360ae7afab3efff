import { connect, type IncomingHttpHeaders } from 'node:http2'
import { filteredRequest, filteredResponse } from '../../gateway/filters.ts'
import { type ResolvedGateway, resolveBackend } from '../../gateway/resolve.ts'
import { findRule } from '../../gateway/routes.ts'
import type { GatewaySeat } from '../../gateway/seat.ts'
import { grpcCode, type grpcCodes } from '../../network/grpc.ts'
import { duplexOf } from '../../network/http-bridge.ts'
import { type GrpcCall, type HttpRequest, NetworkError } from '../../network/network.ts'
import { inFewTurns } from '../../network/waiting.ts'
import type { Process } from '../kernel/process.ts'
import { weighted } from './gateway.ts'
import { chooseTarget, type Peer } from './gateway-backend.ts'
import { combinedLog } from './http.ts'

interface Carried {
  /** Of the log: the route, and the Pod. */
  route: string
  upstream: string
}

/** ms in which a Pod must take the connection. */
const connectTimeout = 5000

/**
 * Takes a gRPC call to the Pod that the Gateway's routes say, message by message and with its trailers. UNIMPLEMENTED where no
 * route matches, UNAVAILABLE where the route leads nowhere.
 * @see https://gateway-api.sigs.k8s.io/reference/spec/#grpcrouterule
 */
export async function carryCall(
  process: Process,
  seat: GatewaySeat,
  gateway: ResolvedGateway | undefined,
  port: number,
  call: GrpcCall,
  peer: Peer,
): Promise<void> {
  const { clock } = process.machine
  const carried = await inFewTurns(clock, carry(process, seat, gateway, port, call))
  if (process.ended) return
  const request = requestOf(call)
  const line = ` ${request.headers['host'] ?? '-'} ${carried.route} ${carried.upstream}`
  await process.print(combinedLog(process.machine.now(), request, peer, { status: 200, headers: {}, body: new Uint8Array() }, line))
}

async function carry(
  process: Process,
  seat: GatewaySeat,
  gateway: ResolvedGateway | undefined,
  port: number,
  call: GrpcCall,
): Promise<Carried> {
  const request = requestOf(call)
  const matched = gateway && findRule(gateway, port, request)
  if (!matched) return refuse(call, 'Unimplemented', 'no route matches', '-')
  const { metadata } = matched.route
  const route = `${metadata.namespace}/${metadata.name}`
  const ref = weighted(matched.rule.backendRefs ?? [], process.machine.random)
  const backend = ref && resolveBackend(seat.ctx, matched.route, ref)
  if (!ref || !backend || 'problem' in backend) return refuse(call, 'Unavailable', 'the route has no backend', route)
  const target = chooseTarget(process, seat, backend.service, backend.port)
  if (!target) return refuse(call, 'Unavailable', 'no healthy upstream', route)
  const filters = [...(matched.rule.filters ?? []), ...(ref.filters ?? [])]
  const sent = filteredRequest(filters, request, '/')
  const upstream = `${target.ip}:${target.port}`
  try {
    const connection = await process.machine.network.connect(target.ip, target.port, undefined, 'TCP', connectTimeout)
    const answered = (head: IncomingHttpHeaders) => {
      const headers = Object.fromEntries(
        Object.entries(head).flatMap(([name, value]) => (name.startsWith(':') ? [] : [[name, `${value}`]])),
      )
      return filteredResponse(filters, { status: 200, headers, body: new Uint8Array() }).headers
    }
    const arrived = await pass(call, sent, target, duplexOf(connection), answered)
    return arrived ? { route, upstream } : refuse(call, 'Unavailable', 'upstream reset before headers', route, upstream)
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    return refuse(call, 'Unavailable', 'upstream connect error', route, upstream)
  }
}

/** Joins a call to the same call at a Pod. Resolves with whether an answer came, when the call is over. */
function pass(
  { stream }: GrpcCall,
  { path, headers }: HttpRequest,
  { ip, port }: Peer,
  wire: ReturnType<typeof duplexOf>,
  answered: (head: IncomingHttpHeaders) => Record<string, string>,
): Promise<boolean> {
  return new Promise((resolve) => {
    const session = connect(`http://${ip}:${port}`, { createConnection: () => wire })
    const { host = `${ip}:${port}`, ...rest } = headers
    let came = false
    const over = () => {
      session.destroy()
      wire.destroy()
      resolve(came)
    }
    session.on('error', over)
    const far = session.request({ ':method': 'POST', ':path': path, ':authority': host, ...rest })
    let trailers: IncomingHttpHeaders = {}
    far.on('trailers', (tail) => {
      trailers = tail
    })
    far.on('error', () => undefined)
    far.on('close', () => {
      if (came && !stream.closed && !stream.writableEnded) stream.destroy()
      if (!came || stream.closed) over()
    })
    far.on('response', (head, flags) => {
      came = true
      const endStream = (flags & endOfStream) !== 0
      stream.respond({ ':status': head[':status'] ?? 200, ...answered(head) }, { endStream, waitForTrailers: !endStream })
      if (endStream) return
      stream.on('wantTrailers', () => stream.sendTrailers(trailers))
      far.pipe(stream)
    })
    stream.on('close', () => {
      if (came || stream.aborted) over()
    })
    stream.pipe(far)
  })
}

/** NGHTTP2_FLAG_END_STREAM */
const endOfStream = 0x1

function requestOf({ path, headers }: GrpcCall): HttpRequest {
  return { method: 'POST', path, headers, body: new Uint8Array() }
}

/** Answers with a status alone. */
function refuse({ stream }: GrpcCall, code: (typeof grpcCodes)[number], message: string, route: string, upstream = '-'): Carried {
  if (!stream.destroyed && !stream.headersSent) {
    const status = { 'grpc-status': String(grpcCode(code)), 'grpc-message': encodeURI(message) }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...status }, { endStream: true })
  }
  return { route, upstream }
}
