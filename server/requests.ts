import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { addressHeader, guestHeader } from '../platform/sign-in.ts'
import type { Config } from './config.ts'

/** bytes */
const largestBody = 1_000_000

export interface Refusal {
  status: number
  sentence: string
}

/**
 * What every request goes through before anything answers it. Returns why it is refused, or null; changes the headers:
 * those that only the server may set are dropped and set anew.
 */
export function admit(request: IncomingMessage, config: Config): Refusal | null {
  for (const name of Object.keys(request.headers)) if (name.startsWith('x-labernetes-')) delete request.headers[name]
  if (!isOurHost(request.headers.host, config))
    return { status: 421, sentence: 'This server does not answer for that host name. Set PUBLIC_URL.' }
  const refusal = changesState(request) ? (refuseForeign(request) ?? refuseLarge(request)) : null
  if (refusal) return refusal
  request.headers[addressHeader] = request.socket.remoteAddress ?? 'unknown'
  request.headers[guestHeader] = config.GUESTS === 'loopback' && isLocal(request) ? 'allowed' : 'refused'
  return null
}

/**
 * Whether the request comes from this machine itself: from its loopback address, to a loopback name, through no proxy (a
 * proxy on this machine would make the whole world look local).
 */
export function isLocal(request: IncomingMessage): boolean {
  const address = request.socket.remoteAddress
  if (!address || !isLoopbackAddress(address)) return false
  if (['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'].some((name) => request.headers[name] !== undefined))
    return false
  const name = hostNameOf(request.headers.host)
  return name !== null && (name === 'localhost' || isLoopbackAddress(name))
}

/** Whether the Origin of a request is the host it was sent to. A WebSocket or a change without an Origin is nobody's. */
export function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers
  if (!origin || !host || !URL.canParse(origin)) return false
  return new URL(origin).host.toLowerCase() === host.toLowerCase()
}

/** Security headers for an answer. The nonce is told to Next, which puts it on its own inline scripts. */
export function protect(request: IncomingMessage, response: ServerResponse, publicUrl: string): void {
  const nonce = randomBytes(16).toString('base64')
  const { host } = request.headers
  const policy = [
    `default-src 'self'`,
    // asciinema's player is WebAssembly.
    `script-src 'self' 'nonce-${nonce}' 'wasm-unsafe-eval'`,
    // xterm and shiki set colours and sizes by style attributes.
    `style-src 'self' 'unsafe-inline'`,
    `img-src 'self' data: blob:`,
    `font-src 'self' data:`,
    `connect-src 'self' ws://${host} wss://${host}`,
    `worker-src 'self' blob:`,
    `object-src 'none'`,
    `base-uri 'none'`,
    `form-action 'self'`,
    `frame-ancestors 'none'`,
  ].join('; ')
  request.headers['content-security-policy'] = policy
  request.headers['x-nonce'] = nonce
  response.setHeader('Content-Security-Policy', policy)
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.setHeader('X-Frame-Options', 'DENY')
  response.setHeader('Referrer-Policy', 'same-origin')
  response.setHeader('Permissions-Policy', 'camera=(), microphone=(), geolocation=(), payment=()')
  response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
  response.setHeader('Cross-Origin-Resource-Policy', 'same-origin')
  if (publicUrl.startsWith('https:')) response.setHeader('Strict-Transport-Security', 'max-age=31536000')
}

export function refuse(response: ServerResponse, { status, sentence }: Refusal): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', connection: 'close' })
  response.end(JSON.stringify({ error: { code: 'refused', message: sentence, sentence: { en: sentence, zh: sentence } } }))
}

/**
 * Host names this server answers for: those of the machine, addresses, and PUBLIC_URL's. Any other name may be one that an
 * attacker points at this machine to make a browser believe that their page is ours (DNS rebinding).
 */
function isOurHost(host: string | undefined, config: Config): boolean {
  const name = hostNameOf(host)
  if (name === null) return false
  if (isIP(name) !== 0 || name === 'localhost' || name === config.HOST.toLowerCase() || name === hostname().toLowerCase()) return true
  return config.PUBLIC_URL !== undefined && hostNameOf(new URL(config.PUBLIC_URL).host) === name
}

function hostNameOf(host: string | undefined): string | null {
  if (!host || !URL.canParse(`http://${host}`)) return null
  const url = new URL(`http://${host}`)
  if (url.username || url.password || url.pathname !== '/' || url.search || url.hash) return null
  return url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
}

function isLoopbackAddress(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address)
}

function changesState(request: IncomingMessage): boolean {
  return request.method !== 'GET' && request.method !== 'HEAD'
}

/** Browsers send an Origin with every change; without cookies there is nothing that another site could misuse. */
function refuseForeign(request: IncomingMessage): Refusal | null {
  const foreign = request.headers.origin === undefined ? request.headers.cookie !== undefined : !isSameOrigin(request)
  return foreign ? { status: 403, sentence: 'This request came from another site.' } : null
}

function refuseLarge(request: IncomingMessage): Refusal | null {
  if (request.headers['transfer-encoding'] !== undefined)
    return { status: 411, sentence: 'A request says how long it is (Content-Length).' }
  return Number(request.headers['content-length'] ?? 0) > largestBody ? { status: 413, sentence: 'This request is too large.' } : null
}
