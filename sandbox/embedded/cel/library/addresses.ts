import { BlockList, isIPv4 } from 'node:net'
import type { Environment } from '@marcbachmann/cel-js'
import { namespace } from './collections.ts'
import { isPlainIp } from './values.ts'

class CelIp {
  readonly text: string
  constructor(text: string) {
    this.text = canonicalIp(text)
  }
  get family(): 4 | 6 {
    return isIPv4(this.text) ? 4 : 6
  }
  toString(): string {
    return this.text
  }
}

class CelCidr {
  readonly ip: CelIp
  readonly length: number
  constructor(ip: CelIp, length: number) {
    this.ip = ip
    this.length = length
  }
  toString(): string {
    return `${this.ip.text}/${this.length}`
  }
}

/** Kubernetes' ip() and cidr(). */
export function registerAddresses(environment: Environment): void {
  const ipType = 'net.IP'
  const cidrType = 'net.CIDR'
  environment.registerType(ipType, CelIp).registerType(cidrType, CelCidr)
  const space = namespace(environment, 'ip', 'kubernetes.IpNamespace')
  const ofIp = (name: string, test: (ip: CelIp) => boolean) => environment.registerFunction(`${ipType}.${name}(): bool`, test)
  const within = (family: 4 | 6, prefixes: readonly [string, number][]) => {
    const list = new BlockList()
    for (const [prefix, length] of prefixes) list.addSubnet(prefix, length, `ipv${family}`)
    return (ip: CelIp) => ip.family === family && list.check(ip.text, `ipv${family}`)
  }
  const either = (four: readonly [string, number][], six: readonly [string, number][]) => {
    const [inFour, inSix] = [within(4, four), within(6, six)]
    return (ip: CelIp) => inFour(ip) || inSix(ip)
  }
  const isLoopback = either([['127.0.0.0', 8]], [['::1', 128]])
  const isLinkLocalUnicast = either([['169.254.0.0', 16]], [['fe80::', 10]])
  const isUnspecified = (ip: CelIp) => ip.text === '0.0.0.0' || ip.text === '::'
  const isMulticast = either([['224.0.0.0', 4]], [['ff00::', 8]])
  environment
    .registerFunction('isIP(string): bool', isPlainIp)
    .registerFunction(`ip(string): ${ipType}`, parseIp)
    .registerFunction(`${space}.isCanonical(string): bool`, (_: unknown, text: string) => parseIp(text).text === text)
    .registerFunction(`${ipType}.family(): int`, ({ family }: CelIp) => BigInt(family))
    .registerFunction(`string(${ipType}): string`, String)
    .registerOperator(`${ipType} == ${ipType}`, (a: CelIp, b: CelIp) => a.text === b.text)
  ofIp('isLoopback', isLoopback)
  ofIp('isUnspecified', isUnspecified)
  ofIp('isLinkLocalMulticast', either([['224.0.0.0', 24]], [['ff02::', 16]]))
  ofIp('isLinkLocalUnicast', isLinkLocalUnicast)
  ofIp(
    'isGlobalUnicast',
    (ip) => !isLoopback(ip) && !isLinkLocalUnicast(ip) && !isUnspecified(ip) && !isMulticast(ip) && ip.text !== '255.255.255.255',
  )
  environment
    .registerFunction('isCIDR(string): bool', (text: string) => cidrOf(text) !== undefined)
    .registerFunction(`cidr(string): ${cidrType}`, parseCidr)
    .registerFunction(`${cidrType}.ip(): ${ipType}`, ({ ip }: CelCidr) => ip)
    .registerFunction(`${cidrType}.prefixLength(): int`, ({ length }: CelCidr) => BigInt(length))
    .registerFunction(`${cidrType}.masked(): ${cidrType}`, (cidr: CelCidr) => new CelCidr(firstOf(cidr), cidr.length))
    .registerFunction(`string(${cidrType}): string`, String)
    .registerOperator(`${cidrType} == ${cidrType}`, (a: CelCidr, b: CelCidr) => a.toString() === b.toString())
  for (const [argument, read] of [
    [ipType, (value: unknown) => value as CelIp],
    ['string', (value: unknown) => parseIp(value as string)],
  ] as const) {
    environment.registerFunction(`${cidrType}.containsIP(${argument}): bool`, (cidr: CelCidr, ip: unknown) => contains(cidr, read(ip)))
  }
  for (const [argument, read] of [
    [cidrType, (value: unknown) => value as CelCidr],
    ['string', (value: unknown) => parseCidr(value as string)],
  ] as const) {
    environment.registerFunction(`${cidrType}.containsCIDR(${argument}): bool`, (cidr: CelCidr, inner: unknown) => {
      const other = read(inner)
      return other.length >= cidr.length && contains(cidr, other.ip)
    })
  }
}

function parseIp(text: string): CelIp {
  if (!isPlainIp(text))
    throw new Error(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`,
    )
  return new CelIp(text)
}

function parseCidr(text: string): CelCidr {
  const cidr = cidrOf(text)
  if (!cidr)
    throw new Error(`network address parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): no '/'`)
  return cidr
}

function cidrOf(text: string): CelCidr | undefined {
  const match = /^(.+)\/(\d{1,3})$/.exec(text)
  if (!match || !isPlainIp(match[1] as string)) return undefined
  const ip = new CelIp(match[1] as string)
  const length = Number(match[2])
  return length <= (ip.family === 4 ? 32 : 128) ? new CelCidr(ip, length) : undefined
}

function contains({ ip, length }: CelCidr, other: CelIp): boolean {
  if (ip.family !== other.family) return false
  const shift = BigInt((ip.family === 4 ? 32 : 128) - length)
  return bitsOf(ip) >> shift === bitsOf(other) >> shift
}

function firstOf({ ip, length }: CelCidr): CelIp {
  const shift = BigInt((ip.family === 4 ? 32 : 128) - length)
  const bits = (bitsOf(ip) >> shift) << shift
  if (ip.family === 4) return new CelIp([24n, 16n, 8n, 0n].map((at) => (bits >> at) & 255n).join('.'))
  return new CelIp(Array.from({ length: 8 }, (_, at) => ((bits >> BigInt(112 - 16 * at)) & 0xffffn).toString(16)).join(':'))
}

function bitsOf({ text, family }: CelIp): bigint {
  if (family === 4) return text.split('.').reduce((bits, part) => (bits << 8n) | BigInt(part), 0n)
  const [head = '', tail] = text.split('::')
  const left = head ? head.split(':') : []
  const right = tail ? tail.split(':') : []
  const groups = tail === undefined ? left : [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n)
}

/** IPv6 in RFC 5952's form, as URLs are written. */
function canonicalIp(text: string): string {
  return isIPv4(text) ? text : new URL(`http://[${text}]`).hostname.slice(1, -1)
}
