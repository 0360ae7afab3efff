import type { Clock } from '../../clock.ts'
import type { Cache } from '../../machinery/context.ts'
import { ApiError } from '../../machinery/errors.ts'
import type { NodeApi } from '../../machinery/node-api.ts'
import { resources } from '../../machinery/object.ts'
import { type HttpRequest, type HttpResponse, type Network, NetworkError } from '../../network/network.ts'
import { httpsRequest, TlsError } from '../../network/tls.ts'
import type { Endpoints, Node, Pod, Service } from '../../schema/types/core.v1.ts'
import type { SpecialHandler } from '../api-server.ts'
import type { Outcome, ResourceCall } from '../call.ts'
import { rewriteLinks, throughProxy } from './proxy-links.ts'

export interface ProxyParts {
  cache: Cache
  clock: Clock
  random: () => number
  nodes(): NodeApi
  network(): Network
  /** The node that the API server runs on: its requests come from there. */
  controlPlane: string
}

interface Target {
  scheme: 'http' | 'https'
  ip: string
  port: number
}

/** Where a kubelet listens. */
const kubeletPort = '10250'

/** nodes/NAME/proxy, pods/NAME/proxy and services/NAME/proxy: requests that the API server passes on, links put right. */
export function proxyHandlers(parts: ProxyParts): [string, SpecialHandler][] {
  return [
    ['pods/proxy', (call) => pass(parts, call, podTarget(parts, call))],
    ['services/proxy', (call) => pass(parts, call, serviceTarget(parts, call))],
    ['nodes/proxy', (call) => nodeProxy(parts, call)],
  ]
}

/** Every request of the kubelet's own port is answered by the node; other ports are somebody's on the node. */
function nodeProxy(parts: ProxyParts, call: ResourceCall): Promise<Outcome> {
  const { scheme, name, port } = identifier(call)
  const node = parts.cache.get<Node>(resources.nodes, name)
  if (!node) throw ApiError.notFound(call.info, name)
  const ip = node.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? ''
  if (port !== '' && port !== kubeletPort) return pass(parts, call, { scheme, ip, port: Number(port) })
  const kubelet: Target = { scheme: 'https', ip, port: Number(kubeletPort) }
  return pass(parts, call, kubelet, (request) => parts.nodes().kubelet(name, request, call.signal))
}

/** podname, podname:port or scheme:podname:port; without a port the first that a container declares. */
function podTarget({ cache }: ProxyParts, call: ResourceCall): Target {
  const { scheme, name, port } = identifier(call)
  const pod = cache.get<Pod>(resources.pods, name, call.path.namespace)
  if (!pod) throw ApiError.notFound(call.info, name)
  const declared = pod.spec?.containers.flatMap(({ ports = [] }) => ports)[0]?.containerPort
  const ip = pod.status?.podIP
  if (!ip) throw ApiError.badRequest('address not allowed')
  return { scheme, ip, port: Number(port || declared || (scheme === 'https' ? 443 : 80)) }
}

/** A ready endpoint of the Service's port, by chance. */
function serviceTarget({ cache, random }: ProxyParts, call: ResourceCall): Target {
  const { scheme, name, port } = identifier(call)
  const { namespace } = call.path
  let portName = port
  const service = cache.get<Service>(resources.services, name, namespace)
  if (!service) throw ApiError.notFound(call.info, name)
  if (/^\d+$/.test(port)) {
    const declared = service.spec?.ports?.find((each) => each.port === Number(port))
    if (!declared) throw unavailable(`no service port ${port} found for service "${name}"`)
    portName = declared.name ?? ''
  }
  const endpoints = cache.get<Endpoints>(resources.endpoints, name, namespace)
  if (!endpoints) throw ApiError.notFound(resources.endpoints, name)
  const found = (endpoints.subsets ?? []).flatMap(({ addresses = [], ports = [] }) => {
    const matching = ports.find((each) => (each.name ?? '') === portName)
    // Only to pods: an address that somebody has written by hand may lead anywhere.
    return matching ? addresses.filter(({ targetRef }) => targetRef?.kind === 'Pod').map(({ ip }) => ({ ip, port: matching.port })) : []
  })
  const chosen = found[Math.floor(random() * found.length)]
  if (!chosen) throw unavailable(`no endpoints available for service "${(endpoints.subsets ?? []).length === 0 ? name : call.path.name}"`)
  return { scheme, ...chosen }
}

/** [scheme:]name[:port] as the API server splits it. Throws ApiError BadRequest. */
function identifier(call: ResourceCall): { scheme: 'http' | 'https'; name: string; port: string } {
  const { name: id } = call.path
  const parts = id.split(':')
  const [scheme, name, port] = parts.length === 3 ? parts : ['', parts[0], parts[1] ?? '']
  if (parts.length > 3 || !name || !['', 'http', 'https'].includes(scheme ?? '')) {
    throw ApiError.badRequest(`invalid ${call.info.resource.replace(/s$/, '')} request ${JSON.stringify(id)}`)
  }
  return { scheme: scheme === 'https' ? 'https' : 'http', name, port: port ?? '' }
}

async function pass(
  parts: ProxyParts,
  call: ResourceCall,
  target: Target,
  answerer?: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<Outcome> {
  const mark = call.url.indexOf('?')
  const path = mark === -1 ? call.url : call.url.slice(0, mark)
  const query = mark === -1 ? '' : call.url.slice(mark)
  const [, prefix = path, rest = ''] = /^(.*?\/(?:pods|services|nodes)\/[^/]+\/proxy)(\/.*)?$/.exec(path) ?? []
  if (rest === '' && ['GET', 'HEAD'].includes(call.method)) {
    // Relative links of the page would lead past it.
    return { type: 'raw', status: 301, headers: { Location: `${path}/${query}` }, body: new Uint8Array(0) }
  }
  const request: HttpRequest = {
    method: call.method,
    path: (rest || '/') + query,
    headers: forwardedHeaders(call, target, prefix + rest),
    body: call.body ?? new Uint8Array(0),
  }
  const response = answerer ? await answerer(request) : await ask(parts, target, request, call.signal)
  const way = { prefix, target: `${target.ip}:${target.port}`, host: call.headers['host'] ?? '' }
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(response.headers)) if (!hopByHop.has(name.toLowerCase())) headers[name] = value
  const location = Object.keys(headers).find((name) => name.toLowerCase() === 'location')
  if (location) headers[location] = throughProxy(headers[location] as string, way)
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? ''
  const encoded = Object.keys(headers).some((name) => name.toLowerCase() === 'content-encoding')
  const html = !location && !encoded && type.split(';')[0]?.trim() === 'text/html'
  return { type: 'raw', status: response.status, headers, body: html ? rewriteLinks(response.body, way) : response.body }
}

/** Headers that are about one connection alone; the length is counted anew. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
])

function forwardedHeaders(call: ResourceCall, { ip, port }: Target, uri: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(call.headers)) {
    if (value !== undefined && !hopByHop.has(name) && name !== 'authorization') headers[name] = value
  }
  headers['x-forwarded-host'] = call.headers['host'] ?? ''
  headers['x-forwarded-proto'] = 'https'
  headers['x-forwarded-uri'] = uri
  headers['host'] = `${ip}:${port}`
  return headers
}

async function ask(parts: ProxyParts, { scheme, ip, port }: Target, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  const network = parts.network().node(parts.controlPlane)
  try {
    if (scheme === 'http') return await network.http(ip, port, request, signal)
    const connection = await network.connect(ip, port, signal)
    return await httpsRequest(parts.clock, connection, request, { host: ip, insecure: true }, signal)
  } catch (error) {
    if (error instanceof TlsError) throw unavailable(`error trying to reach service: ${tlsReason(error)}`)
    if (error instanceof NetworkError) throw unavailable(`error trying to reach service: ${dialReason(error, ip, port)}`)
    throw error
  }
}

function tlsReason(error: TlsError): string {
  return error.code === 'NOT_TLS' ? 'tls: first record does not look like a TLS handshake' : 'EOF'
}

function dialReason(error: NetworkError, ip: string, port: number): string {
  const why = {
    ECONNREFUSED: 'connect: connection refused',
    ETIMEDOUT: 'connect: connection timed out',
    EHOSTUNREACH: 'connect: no route to host',
    ENETUNREACH: 'connect: network is unreachable',
    ENOTFOUND: 'no such host',
    ECONNRESET: 'EOF',
    EADDRINUSE: error.message,
  }[error.code]
  return error.code === 'ECONNRESET' ? why : `dial tcp ${ip}:${port}: ${why}`
}

function unavailable(message: string): ApiError {
  return new ApiError(503, 'ServiceUnavailable', message)
}
