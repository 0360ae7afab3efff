import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { Duplex } from 'node:stream'
import { checkServerIdentity, connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import { duplexOf, requestOver } from './http-bridge.ts'
import type { Connection, HttpRequest, HttpResponse } from './network.ts'
import { inFewTurns } from './waiting.ts'

export interface TlsClientOptions {
  /** The name or address that the certificate must be for. */
  host: string
  /** Trusted authorities, PEM; without them nobody is trusted. */
  ca?: Uint8Array
  /** Takes any certificate. */
  insecure?: boolean
  /** The client's own certificate and key, PEM. */
  cert?: Uint8Array
  key?: Uint8Array
}

/** A handshake that did not work. `code` is OpenSSL's or Node's word for it, NOT_TLS where the other side speaks something else. */
export class TlsError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** One HTTPS request over a raw connection, which it ends. Rejects with TlsError, NetworkError ECONNRESET or the signal's reason. */
export function httpsRequest(
  clock: Clock,
  connection: Connection | Duplex,
  request: HttpRequest,
  options: TlsClientOptions,
  signal?: AbortSignal,
): Promise<HttpResponse> {
  const work = handshake(clock, connection, options, signal).then((socket) => requestOver(socket, request, signal))
  return inFewTurns(clock, work)
}

/** TLS over a raw connection, for who speaks more than one request over it. Rejects with TlsError or the signal's reason. */
export function openTls(clock: Clock, connection: Connection, options: TlsClientOptions, signal?: AbortSignal): Promise<TLSSocket> {
  return inFewTurns(clock, handshake(clock, connection, options, signal))
}

/** Go's words for a handshake that did not work. */
export function tlsText({ code, message }: TlsError): string {
  switch (code) {
    case 'NOT_TLS':
      return 'http: server gave HTTP response to HTTPS client'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `tls: failed to verify certificate: x509: ${message}`
    case 'CERT_HAS_EXPIRED':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid'
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority'
    default:
      return `tls: ${message}`
  }
}

async function handshake(
  clock: Clock,
  connection: Connection | Duplex,
  options: TlsClientOptions,
  signal?: AbortSignal,
): Promise<TLSSocket> {
  const { host, cert, key, insecure } = options
  signal?.throwIfAborted()
  const socket = connect({
    socket: connection instanceof Duplex ? connection : duplexOf(connection),
    ...(isIP(host) ? {} : { servername: host }),
    ...(cert && key ? { cert: Buffer.from(cert), key: Buffer.from(key) } : {}),
    // Judged below: OpenSSL would compare the certificate's dates with the machine's clock, not with the cluster's.
    rejectUnauthorized: false,
  })
  const abort = () => socket.destroy(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', (error: Error & { code?: string }) => {
        if (signal?.aborted) reject(signal.reason)
        else reject(new TlsError(/^ERR_SSL_|^EPROTO/.test(error.code ?? '') ? 'NOT_TLS' : (error.code ?? 'ECONNRESET'), error.message))
      })
      socket.once('close', () => reject(new TlsError('ECONNRESET', 'the connection ended during the handshake')))
    })
    if (!insecure) judge(socket, options, clock.now())
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** Verifies who answered: the chain up to a trusted authority, the dates by the cluster's clock, the name. */
function judge(socket: TLSSocket, { host, ca }: TlsClientOptions, now: number): void {
  const certificate = socket.getPeerCertificate(true)
  const trusted = authoritiesOf(ca)
  let untrusted: TlsError | undefined
  for (let link: DetailedPeerCertificate | undefined = certificate, depth = 0; link; depth++) {
    const shown = new X509Certificate(link.raw)
    if (now < shown.validFromDate.getTime()) throw new TlsError('CERT_NOT_YET_VALID', 'certificate is not yet valid')
    if (now > shown.validToDate.getTime()) throw new TlsError('CERT_HAS_EXPIRED', 'certificate has expired')
    if (trusted.some((authority) => shown.checkIssued(authority) && shown.verify(authority.publicKey))) {
      untrusted = undefined
      break
    }
    const selfSigned = shown.checkIssued(shown)
    const code = selfSigned
      ? depth === 0
        ? 'DEPTH_ZERO_SELF_SIGNED_CERT'
        : 'SELF_SIGNED_CERT_IN_CHAIN'
      : 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'
    untrusted = new TlsError(code, 'the certificate is not from a trusted authority')
    link = selfSigned || link.issuerCertificate === link ? undefined : link.issuerCertificate
  }
  if (untrusted) throw untrusted
  const mismatch = checkServerIdentity(host, certificate)
  if (mismatch) throw new TlsError('ERR_TLS_CERT_ALTNAME_INVALID', mismatchText(certificate, host))
}

/** Go's words for a certificate of somebody else (crypto/x509, HostnameError). */
function mismatchText({ subject, subjectaltname }: DetailedPeerCertificate, host: string): string {
  if (!subjectaltname && subject.CN === host) return 'certificate relies on legacy Common Name field, use SANs instead'
  const kind = isIP(host) ? 'IP Address:' : 'DNS:'
  const names = (subjectaltname ?? '').split(', ').flatMap((name) => (name.startsWith(kind) ? [name.slice(kind.length)] : []))
  if (names.length > 0) return `certificate is valid for ${names.join(', ')}, not ${host}`
  if (isIP(host)) return `cannot validate certificate for ${host} because it doesn't contain any IP SANs`
  return `certificate is not valid for any names, but wanted to match ${host}`
}

function authoritiesOf(ca: Uint8Array | undefined): X509Certificate[] {
  const blocks = ca
    ? (Buffer.from(ca)
        .toString('latin1')
        .match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [])
    : []
  return blocks.map((block) => new X509Certificate(block))
}
