import { type HttpProgress, type HttpResponse, NetworkError } from '../../network/network.ts'
import { httpsRequest, type TlsClientOptions } from '../../network/tls.ts'
import { type Process, TimeoutFault } from '../kernel/process.ts'
import { header } from '../servers/http.ts'

export interface Target {
  scheme: string
  host: string
  port: number
  path: string
  user?: string
  /** What stands where a port should. */
  badPort?: string
}

/** The parts of a URL, http:// when it says none; undefined when it makes no sense. */
export function parseTarget(text: string): Target | undefined {
  const match = /^(?:([a-zA-Z][\w+.-]*):\/\/)?(?:([^@/]*)@)?(\[[^\]]+\]|[^:/?#]*)(?::([^/?#]*))?([/?][^#]*)?/.exec(text)
  if (!match?.[3]) return undefined
  const scheme = (match[1] ?? 'http').toLowerCase()
  const path = match[5] ?? '/'
  return {
    scheme,
    host: match[3].replace(/^\[|\]$/g, ''),
    port: /^\d+$/.test(match[4] ?? '') ? Number(match[4]) : scheme === 'https' ? 443 : 80,
    path: path.startsWith('/') ? path : `/${path}`,
    user: match[2],
    ...(match[4] && !/^\d+$/.test(match[4]) ? { badPort: match[4] } : {}),
  }
}

/** One request over the pod's network, given up after ms. Rejects with NetworkError, TlsError or TimeoutFault. */
export function request(
  process: Process,
  target: Target,
  options: {
    method: string
    headers: Record<string, string>
    body: Uint8Array
    timeoutMs: number
    /** For the connection alone. */
    connectMs?: number
    /** Where to connect, instead of the target's own host and port. */
    at?: { host: string; port: number }
    tls: Omit<TlsClientOptions, 'host'>
    progress?: HttpProgress
  },
): Promise<HttpResponse> {
  const { network, clock } = process.machine
  const { host, port } = options.at ?? target
  const { method, headers, body, progress } = options
  const message = { method, path: target.path, headers, body, ...(progress && { progress }) }
  if (target.scheme === 'https') {
    return process.within(options.timeoutMs, async (signal) => {
      const connection = await network.connect(host, port, signal, 'TCP', options.connectMs)
      if (progress) progress.connected = true
      return await httpsRequest(clock, connection, message, { ...options.tls, host: target.host }, signal)
    })
  }
  return process.within(options.timeoutMs, (signal) => network.http(host, port, message, signal, options.connectMs))
}

export function isTimeout(error: unknown): boolean {
  return error instanceof TimeoutFault || (error instanceof NetworkError && error.code === 'ETIMEDOUT')
}

/** Where a redirect leads, absolute. */
export function redirectOf(target: Target, response: HttpResponse): string | undefined {
  const location = header(response.headers, 'location')
  if (location === undefined || response.status < 300 || response.status >= 400) return undefined
  if (/^[a-z]+:\/\//i.test(location)) return location
  const base = `${target.scheme}://${target.host}${target.port === (target.scheme === 'https' ? 443 : 80) ? '' : `:${target.port}`}`
  return location.startsWith('/') ? base + location : `${base}${target.path.replace(/[^/]*$/, '')}${location}`
}
