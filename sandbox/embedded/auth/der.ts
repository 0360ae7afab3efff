/**
 * ASN.1 in its distinguished encoding (X.690): as much of it as X.509 certificates (RFC 5280) and certificate requests
 * (RFC 2986) need. Written by hand because a certificate must be made synchronously and within a millisecond.
 */
export const der = {
  sequence: (...parts: Uint8Array[]) => encode(0x30, ...parts),
  /** A SET OF: its elements are ordered by their bytes. */
  set: (...parts: Uint8Array[]) => encode(0x31, ...parts.toSorted(Buffer.compare)),
  boolean: (value: boolean) => encode(0x01, Uint8Array.of(value ? 0xff : 0)),
  null: () => encode(0x05),
  /** A non-negative integer of big-endian bytes. */
  integer: (bytes: Uint8Array) => encode(0x02, unsigned(bytes)),
  bitString: (bytes: Uint8Array, unusedBits = 0) => encode(0x03, Uint8Array.of(unusedBits), bytes),
  octetString: (bytes: Uint8Array) => encode(0x04, bytes),
  objectIdentifier: (dotted: string) => {
    let encoded = identifiers.get(dotted)
    if (!encoded) identifiers.set(dotted, (encoded = encode(0x06, objectIdentifierBytes(dotted))))
    return encoded
  },
  utf8String: (text: string) => encode(0x0c, new TextEncoder().encode(text)),
  /** UTCTime until 2049 and GeneralizedTime after, as RFC 5280 4.1.2.5 demands. `ms` since the epoch. */
  time: (ms: number) => {
    const digits = new Date(ms).toISOString().replace(/\.\d+/, '').replace(/[-:T]/g, '')
    return Number(digits.slice(0, 4)) < 2050
      ? encode(0x17, new TextEncoder().encode(digits.slice(2)))
      : encode(0x18, new TextEncoder().encode(digits))
  },
  /** A context-specific tag around other elements. */
  explicit: (tag: number, ...parts: Uint8Array[]) => encode(0xa0 | tag, ...parts),
  /** A context-specific tag that stands for the primitive type it replaces. */
  implicit: (tag: number, bytes: Uint8Array) => encode(0x80 | tag, bytes),
}

export interface DerNode {
  tag: number
  /** The element without tag and length. */
  content: Buffer
  /** The whole element. */
  raw: Buffer
  /** The elements inside a constructed one. */
  children: DerNode[]
}

/** The element at the start of the bytes. Throws on a truncated or indefinite one. */
export function parseDer(bytes: Buffer): DerNode {
  const tag = bytes[0]
  let length = bytes[1]
  if (tag === undefined || length === undefined) throw new Error('asn1: syntax error: data truncated')
  let start = 2
  if (length & 0x80) {
    const count = length & 0x7f
    if (count === 0 || count > 4) throw new Error('asn1: syntax error: unsupported length')
    length = 0
    for (const byte of bytes.subarray(2, 2 + count)) length = length * 256 + byte
    start += count
  }
  if (bytes.length < start + length) throw new Error('asn1: syntax error: data truncated')
  const content = bytes.subarray(start, start + length)
  const children: DerNode[] = []
  if (tag & 0x20) {
    for (let rest = content; rest.length > 0; ) {
      const child = parseDer(rest)
      children.push(child)
      rest = rest.subarray(child.raw.length)
    }
  }
  return { tag, content, raw: bytes.subarray(0, start + length), children }
}

/** Dotted text of an OBJECT IDENTIFIER's content. */
export function objectIdentifier(content: Buffer): string {
  const numbers: number[] = []
  let value = 0
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f)
    if (byte & 0x80) continue
    if (numbers.length === 0) numbers.push(Math.min(2, Math.floor(value / 40)), value - 40 * Math.min(2, Math.floor(value / 40)))
    else numbers.push(value)
    value = 0
  }
  return numbers.join('.')
}

/** Common name and organisations of an X.501 name, or of the subject of a whole certificate. */
export function subjectOf(node: DerNode): { commonName: string; organizations: string[] } {
  const body = node.children[0]
  const isCertificate = body?.children[0]?.tag === 0xa0
  const name = isCertificate ? (body.children[5] as DerNode) : node
  let commonName = ''
  const organizations: string[] = []
  for (const attribute of name.children.flatMap((set) => set.children)) {
    const [type, value] = attribute.children
    if (!type || !value) continue
    const id = objectIdentifier(type.content)
    if (id === '2.5.4.3') commonName = value.content.toString()
    if (id === '2.5.4.10') organizations.push(value.content.toString())
  }
  return { commonName, organizations }
}

export function pemEncode(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** The bytes of the first block with this label; undefined when there is none. */
export function pemDecode(label: string, text: string): Buffer | undefined {
  const block = text.match(new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`))
  return block ? Buffer.from(block[1] as string, 'base64') : undefined
}

/** There are few of them. */
const identifiers = new Map<string, Buffer>()

function encode(tag: number, ...parts: Uint8Array[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  if (length > 0xffff) throw new RangeError('element too long')
  let at = length < 0x80 ? 2 : length < 0x100 ? 3 : 4
  const bytes = Buffer.allocUnsafe(at + length)
  bytes[0] = tag
  if (at > 2) bytes[1] = 0x80 | (at - 2)
  if (at > 3) bytes[2] = length >> 8
  bytes[at - 1] = length & 0xff
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function unsigned(bytes: Uint8Array): Uint8Array {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const trimmed = bytes.subarray(start)
  return (trimmed[0] ?? 0) & 0x80 ? Buffer.concat([Uint8Array.of(0), trimmed]) : trimmed
}

function objectIdentifierBytes(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes: number[] = []
  for (const number of [first * 40 + second, ...rest]) {
    const group = [number & 0x7f]
    for (let high = Math.floor(number / 128); high > 0; high = Math.floor(high / 128)) group.unshift((high & 0x7f) | 0x80)
    bytes.push(...group)
  }
  return Uint8Array.from(bytes)
}
