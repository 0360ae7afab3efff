import { type HttpRequest, type HttpResponse, NetworkError } from '../../network/network.ts'
import { type Process, TimeoutFault } from '../kernel/process.ts'
import { parseTarget, redirectOf, request, type Target } from '../programs/client.ts'
import { answer, type Handler, header, listenHttp } from '../servers/http.ts'
import { logFatal } from './log.ts'

/** What a handler of Go's net/http is given: the request with its URL and form taken apart. */
export interface GoRequest {
  method: string
  path: string
  /** URL parameters, and those of an urlencoded body; the body's come first. */
  form: URLSearchParams
  query: URLSearchParams
  headers: Readonly<Record<string, string>>
  body: Uint8Array
  peer: { ip: string; port: number }
}

export type GoHandler = (request: GoRequest) => Promise<HttpResponse> | HttpResponse

/** Routes as http.ServeMux: the exact path, or the longest that ends in a slash. */
export type Routes = Readonly<Record<string, GoHandler>>

export interface ServeOptions {
  host?: string
  tls?: { certificate: string; key: string }
  /** CPU time of a request. */
  cpuNanoseconds?: number
}

/**
 * Serves HTTP as a Go program: text answers with their date, 404 for paths that no route claims. Resolves with what
 * log.Fatal makes of a port that is taken, and undefined once it listens.
 */
export async function goServe(
  process: Process,
  port: number,
  routes: Routes | GoHandler,
  options: ServeOptions = {},
): Promise<number | undefined> {
  const handle: GoHandler = typeof routes === 'function' ? routes : (incoming) => routed(routes, incoming)
  const serve: Handler = async (incoming, peer) => {
    const response = await handle(goRequest(incoming, peer))
    return { ...response, headers: { Date: new Date(process.machine.now()).toUTCString(), ...response.headers, ...sniffed(response) } }
  }
  try {
    listenHttp(process, port, serve, {
      host: options.host,
      cpuNanoseconds: options.cpuNanoseconds,
      ...(options.tls ? { tls: { ...options.tls, plain: answer(400, 'Client sent an HTTP request to an HTTPS server.\n') } } : {}),
    })
    return undefined
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    return logFatal(process, `listen tcp ${options.host ?? ''}:${port}: bind: address already in use`)
  }
}

/** A body whose type nobody has named is taken for what it begins like (http.DetectContentType, as far as it is text). */
function sniffed({ headers, body }: HttpResponse): Record<string, string> {
  if (header(headers, 'content-type') !== 'text/plain; charset=utf-8' || header(headers, 'x-content-type-options')) return {}
  const start = new TextDecoder('latin1').decode(body.subarray(0, 512)).trimStart()
  return htmlStart.test(start) ? { 'Content-Type': 'text/html; charset=utf-8' } : {}
}

const htmlStart = /^(?:<!doctype html|<(?:html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[ >]|<!--)/i

/** http.Error: the text and a line's end. */
export function httpError(text: string, status: number): HttpResponse {
  return answer(status, `${text}\n`, { 'X-Content-Type-Options': 'nosniff' })
}

/** http.Redirect: a link for those who do not follow. */
export function httpRedirect(incoming: GoRequest, location: string, status: number): HttpResponse {
  const absolute = /^[a-z][a-z\d+.-]*:/i.test(location) || location.startsWith('/')
  const to = absolute ? location : incoming.path.replace(/[^/]*$/, '') + location
  const words =
    status === 301 ? 'Moved Permanently' : status === 307 ? 'Temporary Redirect' : status === 308 ? 'Permanent Redirect' : 'Found'
  const shown = to.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&#34;')
  const body = incoming.method === 'GET' ? `<a href="${shown}">${words}</a>.\n\n` : ''
  return answer(status, body, { 'Content-Type': 'text/html; charset=utf-8', Location: to })
}

/** Header names as Go keeps them: User-Agent. */
export function canonicalHeader(name: string): string {
  return name.toLowerCase().replace(/(?:^|-)[a-z]/g, (letters) => letters.toUpperCase())
}

/** A request that failed, in the words of Go's http.Client. */
export class GoHttpError extends Error {}

/**
 * A request of Go's http.Client, redirects followed. Rejects with GoHttpError.
 * @param timeoutMs of all together; 0 is none
 */
export async function goFetch(
  process: Process,
  url: string,
  options: { method?: string; body?: string; contentType?: string; timeoutMs?: number } = {},
): Promise<HttpResponse> {
  const method = options.method ?? 'GET'
  const started = process.machine.now()
  const limit = options.timeoutMs || Number.POSITIVE_INFINITY
  let shown = url
  for (let followed = 0; ; followed++) {
    const target = parseTarget(shown)
    if (!target) throw new GoHttpError(`${verb(method)} "${shown}": unsupported protocol scheme ""`)
    if (followed > 10) throw new GoHttpError(`${verb(method)} "${shown}": stopped after 10 redirects`)
    try {
      const response = await ask(process, target, method, options, limit - (process.machine.now() - started))
      const next = redirectOf(target, response)
      if (next === undefined) return response
      shown = next
    } catch (error) {
      if (process.ended) throw error
      throw new GoHttpError(`${verb(method)} "${shown}": ${dialError(error, target)}`)
    }
  }
}

/** Why a connection could not be made, as net.Dial says it. */
export function dialError(error: unknown, { host, port }: Pick<Target, 'host' | 'port'>, network = 'tcp'): string {
  if (error instanceof TimeoutFault) return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
  if (!(error instanceof NetworkError)) return error instanceof Error ? error.message : String(error)
  switch (error.code) {
    case 'ECONNREFUSED':
      return `dial ${network} ${host}:${port}: connect: connection refused`
    case 'EHOSTUNREACH':
      return `dial ${network} ${host}:${port}: connect: no route to host`
    case 'ENETUNREACH':
      return `dial ${network} ${host}:${port}: connect: network is unreachable`
    case 'ETIMEDOUT':
      return `dial ${network} ${host}:${port}: i/o timeout`
    case 'ENOTFOUND':
      return `dial ${network}: lookup ${host}: no such host`
    default:
      return 'EOF'
  }
}

function ask(
  process: Process,
  target: Target,
  method: string,
  options: { body?: string; contentType?: string },
  timeoutMs: number,
): Promise<HttpResponse> {
  const host = target.port === (target.scheme === 'https' ? 443 : 80) ? target.host : `${target.host}:${target.port}`
  const headers: Record<string, string> = { Host: host, 'User-Agent': 'Go-http-client/1.1', 'Accept-Encoding': 'gzip' }
  if (options.contentType) headers['Content-Type'] = options.contentType
  return request(process, target, {
    method,
    headers,
    body: new TextEncoder().encode(options.body ?? ''),
    timeoutMs: Math.min(timeoutMs, longest),
    tls: { insecure: true },
  })
}

/** ms; a client without a limit waits for TCP to give up. */
const longest = 150_000

function verb(method: string): string {
  return (method[0] ?? '') + method.slice(1).toLowerCase()
}

function goRequest(incoming: HttpRequest, peer: { ip: string; port: number }): GoRequest {
  const at = incoming.path.indexOf('?')
  const query = new URLSearchParams(at === -1 ? '' : incoming.path.slice(at + 1))
  const form = new URLSearchParams()
  if (header(incoming.headers, 'content-type')?.startsWith('application/x-www-form-urlencoded')) {
    for (const [name, value] of new URLSearchParams(new TextDecoder().decode(incoming.body))) form.append(name, value)
  }
  for (const [name, value] of query) form.append(name, value)
  const raw = at === -1 ? incoming.path : incoming.path.slice(0, at)
  return { method: incoming.method, path: decoded(raw), form, query, headers: incoming.headers, body: incoming.body, peer }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function routed(routes: Routes, incoming: GoRequest): Promise<HttpResponse> | HttpResponse {
  const exact = routes[incoming.path]
  if (exact) return exact(incoming)
  const prefix = Object.keys(routes)
    .filter((path) => path.endsWith('/') && incoming.path.startsWith(path))
    .sort((a, b) => b.length - a.length)[0]
  const handler = prefix === undefined ? undefined : routes[prefix]
  return handler ? handler(incoming) : httpError('404 page not found', 404)
}
