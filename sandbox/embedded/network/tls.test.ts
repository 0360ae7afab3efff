import { createServer } from 'node:https'
import { expect, onTestFinished, test } from 'vitest'
import { ClusterIdentity } from '../auth/certificates.ts'
import { ClusterClock } from '../clock.ts'
import { connectionPair } from './connection.ts'
import { duplexOf } from './http-bridge.ts'
import type { Connection } from './network.ts'
import { httpsRequest, type TlsClientOptions } from './tls.ts'

const start = Date.parse('2040-01-01T00:00:00Z')
const day = 86_400_000

test('a request over TLS is answered to who trusts the authority, by the cluster clock', async () => {
  const { ask, ca } = secureServer()
  const answer = await ask({ host: 'kubernetes.default.svc', ca })
  expect([answer.status, Buffer.from(answer.body).toString()]).toEqual([200, 'GET /version'])
})

test.each([
  ['without an authority', { host: 'kubernetes' }, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
  ['for another name', { host: 'web.default', trusted: true }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['for another address', { host: '10.96.0.99', trusted: true }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
])('a server is refused %s', async (_, { trusted, ...options }: { host: string; trusted?: boolean }, code) => {
  const { ask, ca } = secureServer()
  await expect(ask({ ...options, ...(trusted ? { ca } : {}) })).rejects.toMatchObject({ code })
  expect((await ask({ ...options, insecure: true })).status).toBe(200)
})

test('a certificate ends with the cluster clock', async () => {
  const { ask, ca, clock } = secureServer()
  await clock.advance(365 * 11 * day)
  await expect(ask({ host: 'kubernetes', ca })).rejects.toMatchObject({ code: 'CERT_HAS_EXPIRED' })
})

test('a peer that speaks something else is told apart, and one that says nothing does not stop time', async () => {
  const clock = new ClusterClock({ start, rate: 0 })
  onTestFinished(() => clock[Symbol.dispose]())
  const [near, far] = connect(clock)
  far.onData(() => far.write(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')))
  await expect(httpsRequest(clock, near, request, { host: 'web' })).rejects.toMatchObject({ code: 'NOT_TLS' })
  const [waiting] = connect(clock)
  const abort = new AbortController()
  const asked = expect(httpsRequest(clock, waiting, request, { host: 'web' }, abort.signal)).rejects.toThrow('too late')
  await clock.advance(1000)
  abort.abort(new Error('too late'))
  await asked
})

const request = { method: 'GET', path: '/version', headers: { host: 'x' }, body: new Uint8Array() }

function connect(clock: ClusterClock): [Connection, Connection] {
  return connectionPair(clock, { ip: '10.244.0.2', port: 40000 }, { ip: '10.96.0.1', port: 443 })
}

function secureServer() {
  const clock = new ClusterClock({ start, rate: 0 })
  onTestFinished(() => clock[Symbol.dispose]())
  const records = new Map<string, unknown>()
  const identity = new ClusterIdentity(
    {
      get: <T>(key: string) => records.get(key) as T | undefined,
      put: (key, value) => void records.set(key, value),
      delete: (key) => void records.delete(key),
      keys: () => [...records.keys()],
    },
    clock,
  )
  const { certificate, key } = identity.server()
  const server = createServer({ cert: certificate, key }, (asked, answer) => answer.end(`${asked.method} ${asked.url}`))
  // A client that does not trust the certificate ends the handshake.
  server.on('tlsClientError', () => {})
  return {
    clock,
    ca: Buffer.from(identity.caCertificate),
    ask: (options: TlsClientOptions) => {
      const [near, far] = connect(clock)
      server.emit('connection', duplexOf(far))
      return httpsRequest(clock, near, request, options)
    },
  }
}
