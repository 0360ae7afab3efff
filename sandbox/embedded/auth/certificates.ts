import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Records } from '../machinery/context.ts'
import { der, parseDer, pemEncode } from './der.ts'

/** A PEM certificate and its PEM (PKCS #8) private key. */
export interface KeyPair {
  certificate: string
  key: string
}

export interface ClientIdentity {
  /** Becomes the common name. */
  username: string
  /** Become the organisations. */
  groups: string[]
  /** Seconds that the certificate is good for; a year unless given. */
  ttl?: number
}

export interface Subject {
  commonName: string
  organizations?: string[]
}

export type KeyUsage = 'server auth' | 'client auth'

export interface SigningRequest {
  subject: Subject
  /** SubjectPublicKeyInfo in DER. */
  publicKey: Buffer
  /** ms since the epoch. */
  notBefore: number
  notAfter: number
  extendedUsages: KeyUsage[]
  digitalSignature?: boolean
  keyEncipherment?: boolean
  dnsNames?: string[]
  ipAddresses?: string[]
}

/**
 * Who a cluster is: its certificate authority, its API server's certificate and the key that signs ServiceAccount
 * tokens. Keys are made when first asked for and kept in the cluster's records, so that a restarted cluster or a fork
 * of it is the same one to its clients.
 */
export class ClusterIdentity {
  private readonly records: Records
  private readonly clock: Clock
  private readonly loaded = new Map<string, Authority>()
  private tokenKey: KeyObject | undefined

  constructor(records: Records, clock: Clock) {
    this.records = records
    this.clock = clock
  }

  /** The cluster CA's certificate, PEM. */
  get caCertificate(): string {
    return this.authority().certificate
  }

  /** For verifying what the CA has signed. */
  get ca(): X509Certificate {
    return this.authority().x509
  }

  /**
   * What the API server shows at TLS, also by the name and address of the node that it runs on. Good for as long as the CA, so that
   * a clock that skips ahead does not end it.
   */
  server(node?: { name: string; address: string }): KeyPair {
    return this.lasting(serverRecord, clusterCa, {
      subject: { commonName: 'kube-apiserver' },
      extendedUsages: ['server auth'],
      dnsNames: node ? [...serverNames, node.name] : serverNames,
      ipAddresses: ['10.96.0.1', ...(node ? [node.address] : []), '127.0.0.1'],
    })
  }

  /** The certificate authority of the cluster's etcd, as kubeadm gives it one of its own: PEM. */
  get etcdCertificate(): string {
    return this.authority(etcdCa).certificate
  }

  /** What the etcd member of this name and address shows, to its peers too. */
  etcdServer(name: string, address: string): KeyPair {
    return this.lasting(etcdServerRecord, etcdCa, {
      subject: { commonName: name },
      extendedUsages: ['server auth', 'client auth'],
      dnsNames: ['localhost', name],
      ipAddresses: [address, '127.0.0.1', '::1'],
    })
  }

  /** A client certificate for etcd, which lets its holder do everything there. Nothing of it is kept. */
  etcdClient(): KeyPair {
    const subject = { commonName: 'kube-etcd-healthcheck-client' }
    return this.issue({ subject, extendedUsages: ['client auth'], keyEncipherment: true, ...this.lifetime(etcdCa) }, etcdCa)
  }

  /** A new client certificate with its key. Nothing of it is kept. */
  client(identity: ClientIdentity): KeyPair {
    return this.issue({
      subject: { commonName: identity.username, organizations: identity.groups },
      notBefore: this.authority().validFrom,
      notAfter: this.clock.now() + (identity.ttl ?? 365 * 86_400) * 1000,
      extendedUsages: ['client auth'],
      keyEncipherment: true,
    })
  }

  /** Signs a certificate, PEM, that ends no later than the CA. */
  sign(request: SigningRequest, by: AuthorityName = clusterCa): string {
    const { key, validTo, identifier } = this.authority(by)
    const notAfter = Math.min(request.notAfter, validTo)
    const { digitalSignature = true, keyEncipherment = false } = request
    // An extension without any bit is not a valid one.
    const usesKey = digitalSignature || keyEncipherment
    const extensions = [
      ...(usesKey ? [keyUsage(digitalSignature, keyEncipherment, false)] : []),
      extension(
        oid.extendedKeyUsage,
        false,
        der.sequence(...request.extendedUsages.map((usage) => der.objectIdentifier(usageOids[usage]))),
      ),
      extension(oid.basicConstraints, true, der.sequence()),
      extension(oid.authorityKeyIdentifier, false, der.sequence(der.implicit(0, identifier))),
    ]
    if (request.dnsNames?.length || request.ipAddresses?.length) {
      extensions.push(extension(oid.subjectAlternativeName, false, alternativeNames(request)))
    }
    return certificate({ ...request, notAfter, issuer: { commonName: by.commonName }, extensions }, key)
  }

  /** The ECDSA P-256 key of ServiceAccount tokens. */
  serviceAccountKey(): KeyObject {
    if (this.tokenKey) return this.tokenKey
    const stored = this.records.get<string>(serviceAccountRecord)
    this.tokenKey = stored ? createPrivateKey(stored) : newKey().privateKey
    if (!stored) this.records.put(serviceAccountRecord, keyPem(this.tokenKey))
    return this.tokenKey
  }

  /** An authority itself, with its key: what lies on a control plane. */
  authorityPair(name: 'cluster' | 'etcd' | 'front-proxy'): KeyPair {
    const { certificate: text, key } = this.authority(authorities[name])
    return { certificate: text, key: keyPem(key) }
  }

  /** A new pair by one of the authorities, good for as long as that is. Nothing of it is kept. */
  pair(by: 'cluster' | 'etcd' | 'front-proxy', request: Omit<SigningRequest, 'publicKey' | 'notBefore' | 'notAfter'>): KeyPair {
    return this.issue({ keyEncipherment: true, ...request, ...this.lifetime(authorities[by]) }, authorities[by])
  }

  /** A pair for as long as its authority, made once. */
  private lasting(record: string, by: AuthorityName, request: Omit<SigningRequest, 'publicKey' | 'notBefore' | 'notAfter'>): KeyPair {
    const stored = this.records.get<KeyPair>(record)
    if (stored) return stored
    const pair = this.issue({ keyEncipherment: true, ...request, ...this.lifetime(by) }, by)
    this.records.put(record, pair)
    return pair
  }

  private lifetime(by: AuthorityName): Pick<SigningRequest, 'notBefore' | 'notAfter'> {
    const { validFrom, validTo } = this.authority(by)
    return { notBefore: validFrom, notAfter: validTo }
  }

  private issue(request: Omit<SigningRequest, 'publicKey'>, by: AuthorityName = clusterCa): KeyPair {
    const { privateKey, publicKey } = newKey()
    return { certificate: this.sign({ ...request, publicKey }, by), key: keyPem(privateKey) }
  }

  private authority(name: AuthorityName = clusterCa): Authority {
    const known = this.loaded.get(name.record)
    if (known) return known
    const stored = this.records.get<KeyPair>(name.record)
    const { certificate: text, key } = stored ? { ...stored, key: createPrivateKey(stored.key) } : this.createAuthority(name)
    const x509 = new X509Certificate(text)
    const authority = {
      certificate: text,
      key,
      x509,
      identifier: keyIdentifier(publicKeyOf(x509)),
      validFrom: Date.parse(x509.validFrom),
      validTo: Date.parse(x509.validTo),
    }
    this.loaded.set(name.record, authority)
    return authority
  }

  private createAuthority({ record, commonName }: AuthorityName): { certificate: string; key: KeyObject } {
    const { privateKey, publicKey } = newKey()
    const now = Math.floor(this.clock.now() / 1000) * 1000
    const text = certificate(
      {
        subject: { commonName },
        issuer: { commonName },
        publicKey,
        notBefore: now - backdate,
        notAfter: now - backdate + 10 * 365 * 86_400_000,
        extensions: [
          keyUsage(true, true, true),
          extension(oid.basicConstraints, true, der.sequence(der.boolean(true))),
          extension(oid.subjectKeyIdentifier, false, der.octetString(keyIdentifier(publicKey))),
          extension(oid.subjectAlternativeName, false, alternativeNames({ dnsNames: [commonName] })),
        ],
      },
      privateKey,
    )
    this.records.put(record, { certificate: text, key: keyPem(privateKey) })
    return { certificate: text, key: privateKey }
  }
}

/** A server's certificate that nobody has signed but itself, good for these names from one time (ms) to another. */
export function selfSigned(names: { dnsNames?: string[]; ipAddresses?: string[] }, notBefore: number, notAfter: number): KeyPair {
  const { privateKey, publicKey } = newKey()
  const subject = { commonName: names.dnsNames?.[0] ?? '' }
  const extensions = [
    keyUsage(true, true, true),
    extension(oid.extendedKeyUsage, false, der.sequence(der.objectIdentifier(usageOids['server auth']))),
    extension(oid.basicConstraints, true, der.sequence(der.boolean(true))),
    extension(oid.subjectAlternativeName, false, alternativeNames(names)),
  ]
  return {
    certificate: certificate({ subject, issuer: subject, publicKey, notBefore, notAfter, extensions }, privateKey),
    key: keyPem(privateKey),
  }
}

/** An X.501 name in DER: organisations first, then the common name, as Go's crypto/x509 writes it. */
function distinguishedName(subject: Subject): Buffer {
  const attribute = (type: string, value: string) => der.sequence(der.objectIdentifier(type), der.utf8String(value))
  const names: Uint8Array[] = []
  if (subject.organizations?.length) names.push(der.set(...subject.organizations.map((name) => attribute(oid.organization, name))))
  if (subject.commonName) names.push(der.set(attribute(oid.commonName, subject.commonName)))
  return der.sequence(...names)
}

export const oid = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  extensionRequest: '1.2.840.113549.1.9.14',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  rsaWithSha256: '1.2.840.113549.1.1.11',
}

export const usageOids: Record<KeyUsage, string> = {
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
}

/** A certificate authority of the cluster: what it is called and where it is kept. */
interface AuthorityName {
  record: string
  commonName: string
}

interface Authority {
  certificate: string
  key: KeyObject
  x509: X509Certificate
  /** Of its key, as what it signs names it. */
  identifier: Buffer
  /** ms since the epoch. */
  validFrom: number
  validTo: number
}

const clusterCa: AuthorityName = { record: 'auth/ca', commonName: 'kubernetes' }
const etcdCa: AuthorityName = { record: 'auth/etcd-ca', commonName: 'etcd-ca' }
const frontProxyCa: AuthorityName = { record: 'auth/front-proxy-ca', commonName: 'front-proxy-ca' }
const authorities = { cluster: clusterCa, etcd: etcdCa, 'front-proxy': frontProxyCa }
const etcdServerRecord = 'auth/etcd-server'
const serverRecord = 'auth/server'
const serviceAccountRecord = 'auth/service-account-key'
const serverNames = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local', 'localhost']
/** Clients' clocks may lag a little. */
const backdate = 5 * 60_000

export interface CertificateFields {
  subject: Subject
  /** An authority that others made may spell its name otherwise: then the name's DER, as its certificate has it. */
  issuer: Subject | Buffer
  publicKey: Buffer
  /** ms since the epoch. */
  notBefore: number
  notAfter: number
  extensions: Uint8Array[]
}

/** An X.509 certificate (PEM) signed with an ECDSA P-256 or RSA key. */
export function certificate(fields: CertificateFields, key: KeyObject): string {
  const algorithm =
    key.asymmetricKeyType === 'rsa'
      ? der.sequence(der.objectIdentifier(oid.rsaWithSha256), der.null())
      : der.sequence(der.objectIdentifier(oid.ecdsaWithSha256))
  const serial = randomBytes(16)
  serial[0] = ((serial[0] as number) & 0x7f) | 0x40
  const body = der.sequence(
    der.explicit(0, der.integer(Uint8Array.of(2))),
    der.integer(serial),
    algorithm,
    Buffer.isBuffer(fields.issuer) ? fields.issuer : distinguishedName(fields.issuer),
    der.sequence(der.time(fields.notBefore), der.time(fields.notAfter)),
    distinguishedName(fields.subject),
    fields.publicKey,
    der.explicit(3, der.sequence(...fields.extensions)),
  )
  return pemEncode('CERTIFICATE', der.sequence(body, algorithm, der.bitString(sign('sha256', body, key))))
}

/** A certificate extension around its value in DER. */
export function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  const parts: Uint8Array[] = [der.objectIdentifier(id)]
  if (critical) parts.push(der.boolean(true))
  return der.sequence(...parts, der.octetString(value))
}

/** The key usage extension (RFC 5280 4.2.1.3). */
export function keyUsage(digitalSignature: boolean, keyEncipherment: boolean, signsCertificates: boolean): Buffer {
  const bits = (digitalSignature ? 0x80 : 0) | (keyEncipherment ? 0x20 : 0) | (signsCertificates ? 0x04 : 0)
  const unused = signsCertificates ? 2 : keyEncipherment ? 5 : 7
  return extension(oid.keyUsage, true, der.bitString(Uint8Array.of(bits), unused))
}

/** GeneralNames for a subjectAltName extension. */
export function alternativeNames(names: { dnsNames?: string[]; ipAddresses?: string[] }): Buffer {
  return der.sequence(
    ...(names.dnsNames ?? []).map((name) => der.implicit(2, Buffer.from(name))),
    ...(names.ipAddresses ?? []).map((address) => der.implicit(7, addressBytes(address))),
  )
}

function addressBytes(address: string): Uint8Array {
  if (!address.includes(':')) return Uint8Array.from(address.split('.').map(Number))
  const [head = '', tail] = address.split('::')
  const left = head ? head.split(':') : []
  const right = tail ? tail.split(':') : []
  const groups = tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right]
  return Uint8Array.from(groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]))
}

/** A fresh ECDSA P-256 key, its public half as SubjectPublicKeyInfo. */
export function newKey(): { privateKey: KeyObject; publicKey: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  // OpenSSL takes longer to write this than to make the key
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  return { privateKey, publicKey: Buffer.concat([spkiOfP256, Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]) }
}

/** A SubjectPublicKeyInfo of P-256 up to the two coordinates of its point (RFC 5480). */
const spkiOfP256 = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex')

/** PKCS #8. */
export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string
}

function publicKeyOf(x509: X509Certificate): Buffer {
  return x509.publicKey.export({ type: 'spki', format: 'der' })
}

/** RFC 7093: the first 20 bytes of the digest of the key's bits. */
export function keyIdentifier(publicKey: Buffer): Buffer {
  const bits = parseDer(publicKey).children[1] as { content: Buffer }
  return createHash('sha256').update(bits.content.subarray(1)).digest().subarray(0, 20)
}
