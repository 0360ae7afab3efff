import { BlockList, isIP, isIPv4 } from 'node:net'
import { noSuchOverload } from '../comparison.ts'
import { kubernetesTypes, Library } from '../declarations.ts'
import { Failure, OpaqueValue } from '../values.ts'

class Ip extends OpaqueValue {
  readonly type = kubernetesTypes.IP
  readonly text: string
  constructor(text: string) {
    super()
    this.text = canonical(text)
  }
  get family(): 4 | 6 {
    return isIPv4(this.text) ? 4 : 6
  }
  /** Bytes. */
  override get size(): number {
    return this.family === 4 ? 4 : 16
  }
  get bits(): number {
    return this.size * 8
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof Ip && other.text === this.text
  }
  override toString(): string {
    return this.text
  }
}

class Cidr extends OpaqueValue {
  readonly type = kubernetesTypes.CIDR
  readonly ip: Ip
  readonly length: number
  constructor(ip: Ip, length: number) {
    super()
    this.ip = ip
    this.length = length
  }
  /** Bytes of the part that all its addresses share. */
  override get size(): number {
    return Math.ceil(this.length / 8)
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof Cidr && String(other) === String(this)
  }
  override toString(): string {
    return `${this.ip.text}/${this.length}`
  }
}

type Prefixes = readonly [string, number][]

function within(four: Prefixes, six: Prefixes): (ip: Ip) => boolean {
  const list = new BlockList()
  for (const [prefix, length] of four) list.addSubnet(prefix, length, 'ipv4')
  for (const [prefix, length] of six) list.addSubnet(prefix, length, 'ipv6')
  return ({ text, family }) => list.check(text, `ipv${family}`)
}

const isLoopback = within([['127.0.0.0', 8]], [['::1', 128]])
const isLinkLocalUnicast = within([['169.254.0.0', 16]], [['fe80::', 10]])
const isLinkLocalMulticast = within([['224.0.0.0', 24]], [['ff02::', 16]])
const isMulticast = within([['224.0.0.0', 4]], [['ff00::', 8]])
const isUnspecified = ({ text }: Ip) => text === '0.0.0.0' || text === '::'
const isGlobalUnicast = (ip: Ip) =>
  !isLoopback(ip) && !isLinkLocalUnicast(ip) && !isUnspecified(ip) && !isMulticast(ip) && ip.text !== '255.255.255.255'

/** Kubernetes' IP and CIDR libraries. */
export const addresses = new Library()
  .declare('string_to_ip', 'ip(string): IP', ([text]) => parsedIp(text as string))
  .declare('ip_family', 'IP::family(): int', ([ip]) => BigInt((ip as Ip).family))
  .declare('ip_is_canonical', 'ip.isCanonical(string): bool', ([text]) => {
    const ip = parsedIp(text as string)
    return ip instanceof Ip ? ip.text === text : ip
  })
  .declare('is_ip', 'isIP(string): bool', ([text]) => parsedIp(text as string) instanceof Ip)
  .declare('ip_to_string', 'string(IP): string', ([ip]) => String(ip))
  .declare('string_to_cidr', 'cidr(string): CIDR', ([text]) => parsedCidr(text as string))
  .declare('cidr_contains_ip_string', 'CIDR::containsIP(string): bool', ([cidr, text]) => {
    const ip = parsedIp(text as string)
    return ip instanceof Ip ? contains(cidr as Cidr, ip) : noSuchOverload
  })
  .declare('cidr_contains_ip_ip', 'CIDR::containsIP(IP): bool', ([cidr, ip]) => contains(cidr as Cidr, ip as Ip))
  .declare('cidr_contains_cidr_string', 'CIDR::containsCIDR(string): bool', ([cidr, text]) => {
    const inner = parsedCidr(text as string)
    return inner instanceof Cidr ? covers(cidr as Cidr, inner) : inner
  })
  .declare('cidr_contains_cidr', 'CIDR::containsCIDR(CIDR): bool', ([cidr, inner]) => covers(cidr as Cidr, inner as Cidr))
  .declare('cidr_ip', 'CIDR::ip(): IP', ([cidr]) => (cidr as Cidr).ip)
  .declare('cidr_prefix_length', 'CIDR::prefixLength(): int', ([cidr]) => BigInt((cidr as Cidr).length))
  .declare('cidr_masked', 'CIDR::masked(): CIDR', ([cidr]) => new Cidr(firstOf(cidr as Cidr), (cidr as Cidr).length))
  .declare('is_cidr', 'isCIDR(string): bool', ([text]) => parsedCidr(text as string) instanceof Cidr)
  .declare('cidr_to_string', 'string(CIDR): string', ([cidr]) => String(cidr))
for (const [id, name, test] of [
  ['ip_is_unspecified', 'isUnspecified', isUnspecified],
  ['ip_is_loopback', 'isLoopback', isLoopback],
  ['ip_is_link_local_multicast', 'isLinkLocalMulticast', isLinkLocalMulticast],
  ['ip_is_link_local_unicast', 'isLinkLocalUnicast', isLinkLocalUnicast],
  ['ip_is_global_unicast', 'isGlobalUnicast', isGlobalUnicast],
] as const) {
  addresses.declare(id, `IP::${name}(): bool`, ([ip]) => test(ip as Ip))
}

function parsedIp(text: string): Ip | Failure {
  const why = addressFault(text)
  if (why)
    return new Failure(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): ${why}`,
    )
  if (text.includes('%')) return new Failure(`IP address ${JSON.stringify(text)} with zone value is not allowed`)
  return isMapped(text) ? new Failure(`IPv4-mapped IPv6 address ${JSON.stringify(text)} is not allowed`) : new Ip(text)
}

/** Why Go's netip.ParseAddr does not take a text, in its words. */
function addressFault(text: string): string | undefined {
  if (isIP(text) !== 0) return undefined
  const first = /[.:%]/.exec(text)?.[0]
  if (first === undefined) return 'unable to parse IP'
  if (first === '%') return 'missing IPv6 address'
  return first === '.' ? dottedFault(text) : colonFault(text)
}

function dottedFault(text: string): string {
  let [value, digits, fields] = [0, 0, 0]
  for (const [index, character] of [...text].entries()) {
    const at = text.slice(index)
    if (/\d/.test(character)) {
      if (digits === 1 && value === 0) return 'IPv4 field has octet with leading zero'
      value = value * 10 + Number(character)
      digits++
      if (value > 255) return 'IPv4 field has value >255'
    } else if (character === '.') {
      if (index === 0 || index === text.length - 1 || text[index - 1] === '.') {
        return `IPv4 field must have at least one digit (at ${JSON.stringify(at)})`
      }
      if (fields === 3) return 'IPv4 address too long'
      fields++
      value = 0
      digits = 0
    } else return `unexpected character (at ${JSON.stringify(at)})`
  }
  return 'IPv4 address too short'
}

/** Of the many that there are the usual ones. */
function colonFault(text: string): string {
  let rest = text.startsWith('::') ? text.slice(2) : text
  let count = 0
  let hasGap = text.startsWith('::')
  while (count < 8) {
    const group = /^[0-9a-fA-F]*/.exec(rest)?.[0] ?? ''
    if (group.length > 4) return `each group must have 4 or less digits (at ${JSON.stringify(rest)})`
    if (group === '') return `each colon-separated field must have at least one digit (at ${JSON.stringify(rest)})`
    rest = rest.slice(group.length)
    count++
    if (rest === '') break
    if (!rest.startsWith(':')) return `unexpected character, want colon (at ${JSON.stringify(rest)})`
    if (rest.length === 1) return `colon must be followed by more characters (at ${JSON.stringify(rest)})`
    rest = rest.slice(1)
    if (rest.startsWith(':')) {
      if (hasGap) return `multiple :: in address (at ${JSON.stringify(rest)})`
      hasGap = true
      rest = rest.slice(1)
      if (rest === '') break
    }
  }
  if (rest !== '') return `trailing garbage after address (at ${JSON.stringify(rest)})`
  return count < 8 && !hasGap ? 'address string too short' : 'the :: must expand to at least one field of zeros'
}

function isMapped(text: string): boolean {
  return /^(?:0{0,4}:){0,5}:?ffff:/i.test(text) && canonical(text).startsWith('::ffff:')
}

function parsedCidr(text: string): Cidr | Failure {
  const slash = text.lastIndexOf('/')
  const head = 'network address parse error during conversion from string: network address parse error during conversion from string: '
  const failed = (why: string) => new Failure(`${head}netip.ParsePrefix(${JSON.stringify(text)}): ${why}`)
  if (slash < 0) return failed("no '/'")
  const address = text.slice(0, slash)
  const why = addressFault(address)
  if (why) return failed(`ParseAddr(${JSON.stringify(address)}): ${why}`)
  if (address.includes('%')) return failed('IPv6 zones cannot be present in a prefix')
  const bits = text.slice(slash + 1)
  if (!/^(?:0|[1-9]\d*)$/.test(bits)) return failed(`bad bits after slash: ${JSON.stringify(bits)}`)
  const length = Number(bits)
  const ip = new Ip(address)
  if (length > ip.bits) return failed('prefix length out of range')
  const mapped = 'network address parse error during conversion from string: IPv4-mapped IPv6 address'
  return isMapped(address) ? new Failure(`${mapped} ${JSON.stringify(text)} is not allowed`) : new Cidr(ip, length)
}

function contains({ ip, length }: Cidr, other: Ip): boolean {
  if (ip.family !== other.family) return false
  const shift = BigInt(ip.bits - length)
  return bitsOf(ip) >> shift === bitsOf(other) >> shift
}

function covers(cidr: Cidr, inner: Cidr): boolean {
  return inner.length >= cidr.length && contains(cidr, inner.ip)
}

function firstOf({ ip, length }: Cidr): Ip {
  const shift = BigInt(ip.bits - length)
  const bits = (bitsOf(ip) >> shift) << shift
  if (ip.family === 4) return new Ip([24n, 16n, 8n, 0n].map((at) => (bits >> at) & 255n).join('.'))
  return new Ip(Array.from({ length: 8 }, (_, at) => ((bits >> BigInt(112 - 16 * at)) & 0xffffn).toString(16)).join(':'))
}

function bitsOf({ text, family }: Ip): bigint {
  if (family === 4) return text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n)
  const [head = '', tail] = text.split('::')
  const left = head ? head.split(':') : []
  const right = tail ? tail.split(':') : []
  const groups = tail === undefined ? left : [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n)
}

/** IPv6 in RFC 5952's form, as URLs are written. */
function canonical(text: string): string {
  return isIPv4(text) ? text : new URL(`http://[${text}]`).hostname.slice(1, -1)
}
