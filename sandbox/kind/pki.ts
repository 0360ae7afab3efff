import { createPrivateKey, X509Certificate } from 'node:crypto'
import { stringify } from 'yaml'
import {
  alternativeNames,
  certificate,
  extension,
  type KeyPair,
  type KeyUsage,
  keyPem,
  keyUsage,
  newKey,
  oid,
  type Subject,
  usageOids,
} from '../embedded/auth/certificates.ts'
import { der, parseDer } from '../embedded/auth/der.ts'

export type { KeyPair }

export interface Identity {
  username: string
  groups: readonly string[]
}

interface Leaf {
  subject: Subject
  usages: readonly KeyUsage[]
  dns?: readonly string[]
  ips?: readonly string[]
}

const year = 365 * 86_400_000
const backdate = 5 * 60_000

/** A client certificate with a key that nobody had before, signed by a cluster's authority. */
export function issueClient(authority: KeyPair, { username, groups }: Identity): KeyPair {
  const organizations = groups.filter((group) => group !== 'system:authenticated')
  return issue(authority, { subject: { commonName: username, organizations }, usages: ['client auth'] })
}

/** A kubeconfig for the cluster whose server is reached at `server`. */
export function kubeconfigOf(options: { server: string; ca: string; username: string; pair: KeyPair }): string {
  const { server, ca, username, pair } = options
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const context = `${username}@labernetes`
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'labernetes', cluster: { 'certificate-authority-data': base64(ca), server } }],
    contexts: [{ name: context, context: { cluster: 'labernetes', user: username } }],
    'current-context': context,
    users: [{ name: username, user: { 'client-certificate-data': base64(pair.certificate), 'client-key-data': base64(pair.key) } }],
  })
}

function issue(authority: KeyPair, { subject, usages, dns = [], ips = [] }: Leaf): KeyPair {
  const issuer = new X509Certificate(authority.certificate)
  const names = alternativeNames({ dnsNames: [...dns], ipAddresses: [...ips] })
  const { privateKey, publicKey } = newKey()
  const fields = {
    subject,
    issuer: subjectOf(issuer),
    publicKey,
    notBefore: Math.max(Date.now() - backdate, Date.parse(issuer.validFrom)),
    notAfter: Math.min(Date.now() + year, Date.parse(issuer.validTo)),
    extensions: [
      keyUsage(true, true, false),
      extension(oid.extendedKeyUsage, false, der.sequence(...usages.map((usage) => der.objectIdentifier(usageOids[usage])))),
      extension(oid.basicConstraints, true, der.sequence()),
      ...(dns.length + ips.length > 0 ? [extension(oid.subjectAlternativeName, false, names)] : []),
    ],
  }
  return { certificate: certificate(fields, createPrivateKey(authority.key)), key: keyPem(privateKey) }
}

/** TBSCertificate (RFC 5280 4.1): version, serial number, algorithm, issuer, validity, subject. */
function subjectOf(certificate: X509Certificate): Buffer {
  const subject = parseDer(certificate.raw).children[0]?.children[5]
  if (!subject) throw new Error('Not an X.509 version 3 certificate')
  return subject.raw
}
