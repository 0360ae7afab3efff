import { type HttpRequest, type HttpResponse, type Listener, NetworkError, type ServerTls } from '../../network/network.ts'
import { Killed, type Process } from '../kernel/process.ts'

export type Handler = (request: HttpRequest, peer: { ip: string; port: number }) => Promise<HttpResponse>

const encoder = new TextEncoder()

/** An answer with Content-Length set. */
export function answer(status: number, body: string | Uint8Array, headers: Record<string, string> = {}): HttpResponse {
  const bytes = typeof body === 'string' ? encoder.encode(body) : body
  return {
    status,
    headers: {
      ...(header(headers, 'content-type') === undefined ? { 'Content-Type': 'text/plain; charset=utf-8' } : {}),
      ...headers,
      'Content-Length': String(bytes.length),
    },
    body: bytes,
  }
}

/**
 * Listens for HTTP as long as the process lives (or until disposed). Each request is charged CPU time. Throws NetworkError
 * EADDRINUSE. A request that comes when the process has just ended is reset.
 */
export function listenHttp(
  process: Process,
  port: number,
  handler: Handler,
  options: { host?: string; cpuNanoseconds?: number; tls?: ServerTls; grpc?: Extract<Listener, { http: unknown }>['grpc'] } = {},
): Disposable {
  const listener = process.machine.network.listen(
    port,
    {
      http: async (request, peer) => {
        if (process.ended) throw new NetworkError('ECONNRESET', 'connection reset by peer')
        try {
          const wait = process.spend(options.cpuNanoseconds ?? requestPrice)
          if (wait) await wait
          const response = await handler(request, peer)
          if (process.ended) throw new NetworkError('ECONNRESET', 'connection reset by peer')
          return response
        } catch (error) {
          if (error instanceof Killed) throw new NetworkError('ECONNRESET', 'connection reset by peer')
          throw error
        }
      },
      ...(options.tls ? { tls: options.tls } : {}),
      ...(options.grpc ? { grpc: options.grpc } : {}),
    },
    options.host,
  )
  process.onEnd(() => listener[Symbol.dispose]())
  return listener
}

/** CPU time of a small request. */
const requestPrice = 400_000

/** 21/Nov/2026:10:32:05 +0000 */
export function commonLogTime(ms: number): string {
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][date.getUTCMonth()]
  return `${two(date.getUTCDate())}/${month}/${date.getUTCFullYear()}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`
}

/** A header whatever its case. */
export function header(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  const lower = name.toLowerCase()
  for (const [key, value] of Object.entries(headers)) if (key.toLowerCase() === lower) return value
  return undefined
}

/** The combined format of nginx and httpd. */
export function combinedLog(now: number, request: HttpRequest, peer: { ip: string }, response: HttpResponse, extra = ''): string {
  const agent = header(request.headers, 'user-agent') ?? '-'
  const referer = header(request.headers, 'referer') ?? '-'
  return `${peer.ip} - - [${commonLogTime(now)}] "${request.method} ${request.path} HTTP/1.1" ${response.status} ${response.body.length} "${referer}" "${agent}"${extra}\n`
}

/** The words after a status code, which the server may have chosen. */
export function reasonOf(response: HttpResponse): string {
  return response.reason ?? statusTexts[response.status] ?? ''
}

export const statusTexts: Record<number, string> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Request Entity Too Large',
  418: "I'm a teapot",
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
}
