import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { oid } from './certificates.ts'
import { type DerNode, objectIdentifier, parseDer, pemDecode, subjectOf } from './der.ts'

/** A PKCS #10 request (RFC 2986), its signature checked. */
export interface ParsedSigningRequest {
  subject: { commonName: string; organizations: string[] }
  /** SubjectPublicKeyInfo in DER. */
  publicKey: Buffer
  dnsNames: string[]
  ipAddresses: string[]
  emailAddresses: string[]
  uris: string[]
}

/** Reads `spec.request` of a CertificateSigningRequest: base64 of a PEM block. A string says what is wrong with it. */
export function parseSigningRequest(request: string): ParsedSigningRequest | string {
  const bytes = pemDecode('CERTIFICATE REQUEST', Buffer.from(request, 'base64').toString())
  if (!bytes) return 'PEM block type must be CERTIFICATE REQUEST'
  try {
    return read(parseDer(bytes))
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function read(root: DerNode): ParsedSigningRequest | string {
  const [info, algorithm, signature] = root.children
  const [, subject, key, attributes] = info?.children ?? []
  if (!info || !subject || !key || !algorithm || !signature) return 'asn1: syntax error: sequence truncated'
  const publicKey = createPublicKey({ key: key.raw, format: 'der', type: 'spki' })
  if (!isSigned(info.raw, algorithm, signature, publicKey)) return 'x509: signature check failed'
  const names = alternativeNames(attributes)
  const texts = (tag: number) => names.filter((name) => name.tag === tag).map((name) => name.content.toString())
  return {
    subject: subjectOf(subject),
    publicKey: key.raw,
    dnsNames: texts(0x82),
    emailAddresses: texts(0x81),
    uris: texts(0x86),
    ipAddresses: names.filter((name) => name.tag === 0x87).map((name) => addressText(name.content)),
  }
}

function isSigned(data: Buffer, algorithm: DerNode, signature: DerNode, key: KeyObject): boolean {
  const id = objectIdentifier((algorithm.children[0] as DerNode).content)
  const digest = digests[id]
  if (digest === undefined) throw new Error(`x509: cannot verify signature: algorithm unimplemented`)
  return verify(digest, data, key, signature.content.subarray(1))
}

/** Signature algorithms by what they hash with; Ed25519 hashes for itself. */
const digests: Record<string, string | null> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
}

function alternativeNames(attributes: DerNode | undefined): DerNode[] {
  for (const attribute of attributes?.children ?? []) {
    const [type, values] = attribute.children
    if (!type || objectIdentifier(type.content) !== oid.extensionRequest) continue
    for (const extension of values?.children[0]?.children ?? []) {
      const [id, ...rest] = extension.children
      const value = rest.at(-1)
      if (id && value && objectIdentifier(id.content) === oid.subjectAlternativeName) return parseDer(value.content).children
    }
  }
  return []
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.')
  return Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':')
}
