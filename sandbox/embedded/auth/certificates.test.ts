import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { connect, createServer } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { ClusterClock } from '../clock.ts'
import { ClusterIdentity } from './certificates.ts'
import { memoryRecords } from './records.fixture.ts'

describe('ClusterIdentity', () => {
  it('issues client certificates that the CA verifies, with user and groups in the subject', () => {
    const identity = new ClusterIdentity(memoryRecords(), new ClusterClock())
    const client = identity.client({ username: 'jane', groups: ['dev', 'ops'], ttl: 3600 })
    const x509 = new X509Certificate(client.certificate)
    expect(x509.verify(identity.ca.publicKey)).toBe(true)
    expect(x509.checkIssued(identity.ca)).toBe(true)
    expect(x509.subject.split('\n').sort()).toEqual(['CN=jane', 'O=dev + O=ops'])
    expect(x509.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
  })

  it('is the same cluster again after a restart', () => {
    const records = memoryRecords()
    const first = new ClusterIdentity(records, new ClusterClock())
    const server = first.server()
    const key = first.serviceAccountKey().export({ type: 'pkcs8', format: 'pem' })
    const second = new ClusterIdentity(records, new ClusterClock())
    expect(second.caCertificate).toBe(first.caCertificate)
    expect(second.server()).toEqual(server)
    expect(second.serviceAccountKey().export({ type: 'pkcs8', format: 'pem' })).toBe(key)
  })

  it("the API server's certificate is good for what kubeadm writes into it on a node", () => {
    const identity = new ClusterIdentity(memoryRecords(), new ClusterClock())
    const { certificate } = identity.server({ name: 'real-control-plane', address: '172.18.0.2' })
    expect(new X509Certificate(certificate).subjectAltName).toBe(
      'DNS:kubernetes, DNS:kubernetes.default, DNS:kubernetes.default.svc, DNS:kubernetes.default.svc.cluster.local, DNS:localhost, ' +
        'DNS:real-control-plane, IP Address:10.96.0.1, IP Address:172.18.0.2, IP Address:127.0.0.1',
    )
  })

  it('serves TLS under every name that clients use, and knows its clients', async () => {
    const identity = new ClusterIdentity(memoryRecords(), new ClusterClock())
    const pair = identity.server()
    const client = identity.client({ username: 'jane', groups: ['dev'] })
    const server = createServer(
      { cert: pair.certificate, key: pair.key, ca: identity.caCertificate, requestCert: true, rejectUnauthorized: true },
      (socket) => socket.end(String(socket.getPeerCertificate().subject.CN)),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    for (const servername of ['kubernetes', 'kubernetes.default.svc.cluster.local', 'localhost']) {
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect({
          port,
          host: '127.0.0.1',
          servername,
          ca: identity.caCertificate,
          cert: client.certificate,
          key: client.key,
        })
        let text = ''
        socket.on('data', (data) => {
          text += data
        })
        socket.on('end', () => resolve(text))
        socket.on('error', reject)
      })
      expect(answer).toBe('jane')
    }
    server.close()
    expect(new X509Certificate(pair.certificate).checkIP('10.96.0.1')).toBe('10.96.0.1')
  })

  it('writes certificates that openssl accepts', () => {
    const identity = new ClusterIdentity(memoryRecords(), new ClusterClock())
    const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: identity.server().certificate }).toString()
    expect(text).toContain('DNS:kubernetes.default.svc')
    expect(text).toContain('Digital Signature, Key Encipherment')
    expect(text).toContain('CA:FALSE')
  })
})
