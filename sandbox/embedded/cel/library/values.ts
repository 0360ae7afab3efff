import { isIP } from 'node:net'
import { type Environment, Optional } from '@marcbachmann/cel-js'
import { formats } from '../../crd/formats.ts'
import { isDns1035Label, isDns1123Label, isDns1123Subdomain, isLabelValue, isQualifiedName } from '../../registry/names.ts'
import { formatQuantity, parseQuantity, type Quantity, QuantityError } from '../../schema/quantity.ts'
import { namespace } from './collections.ts'

/** Kubernetes' own types of CEL: URL, Quantity, Format and Semver. */
export function registerValues(environment: Environment): void {
  registerUrls(environment)
  registerQuantities(environment)
  registerFormats(environment)
  registerVersions(environment)
}

class CelUrl {
  readonly url: URL
  readonly text: string
  constructor(text: string) {
    this.text = text
    // A path alone is an URL to Go, without a host.
    this.url = new URL(text, text.startsWith('/') ? nowhere : undefined)
  }
}
const nowhere = 'nowhere:///'

function isUrl(text: string): boolean {
  return (text.startsWith('/') || /^[a-z][a-z0-9+.-]*:/i.test(text)) && URL.canParse(text, text.startsWith('/') ? nowhere : undefined)
}

function registerUrls(environment: Environment): void {
  const type = 'kubernetes.URL'
  const ofUrl = (name: string, returns: string, read: (url: CelUrl) => unknown) =>
    environment.registerFunction(`${type}.${name}(): ${returns}`, (value: CelUrl) => read(value))
  const host = ({ url, text }: CelUrl) => {
    if (url.host || text.startsWith('/')) return url.host
    return url.host
  }
  environment
    .registerType(type, CelUrl)
    .registerFunction('isURL(string): bool', isUrl)
    .registerFunction(`url(string): ${type}`, (text: string) => {
      if (!isUrl(text))
        throw new Error(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`)
      return new CelUrl(text)
    })
    .registerOperator(`${type} == ${type}`, (a: CelUrl, b: CelUrl) => a.text === b.text)
  ofUrl('getScheme', 'string', ({ url, text }) => (text.startsWith('/') ? '' : url.protocol.replace(/:$/, '')))
  ofUrl('getHost', 'string', (url) => explicitHost(url) ?? host(url))
  ofUrl('getHostname', 'string', ({ url }) => url.hostname.replace(/^\[|\]$/g, ''))
  ofUrl('getPort', 'string', (url) => /:(\d+)$/.exec(explicitHost(url) ?? '')?.[1] ?? '')
  ofUrl('getEscapedPath', 'string', ({ url, text }) =>
    url.pathname === '/' && !/^[a-z][^:]*:\/\/[^/?#]*\/|^\//i.test(text) ? '' : url.pathname,
  )
  ofUrl('getQuery', 'map', ({ url }) =>
    Object.fromEntries([...new Set(url.searchParams.keys())].map((key) => [key, url.searchParams.getAll(key)])),
  )
}

/** The host as it was written: JavaScript leaves a scheme's usual port out. */
function explicitHost({ text }: CelUrl): string | undefined {
  return /^[a-z][a-z0-9+.-]*:\/\/(?:[^@/?#]*@)?([^/?#]*)/i.exec(text)?.[1]
}

class CelQuantity {
  readonly value: Quantity
  constructor(value: Quantity) {
    this.value = value
  }
  toString(): string {
    return formatQuantity(this.value)
  }
}

function registerQuantities(environment: Environment): void {
  const type = 'kubernetes.Quantity'
  const unit = 1_000_000_000n
  const sum = (a: CelQuantity, nano: bigint) => new CelQuantity({ nano: a.value.nano + nano, format: a.value.format })
  const difference = (a: CelQuantity, b: CelQuantity) => a.value.nano - b.value.nano
  const nanoOf = (other: CelQuantity | bigint) => (other instanceof CelQuantity ? other.value.nano : other * unit)
  environment
    .registerType(type, CelQuantity)
    .registerFunction('isQuantity(string): bool', (text: string) => quantityOf(text) !== undefined)
    .registerFunction(`quantity(string): ${type}`, (text: string) => new CelQuantity(parseQuantity(text)))
    .registerFunction(`${type}.sign(): int`, ({ value }: CelQuantity) => (value.nano < 0n ? -1n : value.nano > 0n ? 1n : 0n))
    .registerFunction(`${type}.isInteger(): bool`, ({ value }: CelQuantity) => value.nano % unit === 0n)
    .registerFunction(`${type}.asInteger(): int`, ({ value }: CelQuantity) => {
      if (value.nano % unit !== 0n) throw new Error('cannot convert value to integer')
      return value.nano / unit
    })
    .registerFunction(`${type}.asApproximateFloat(): double`, ({ value }: CelQuantity) => Number(value.nano) / Number(unit))
    .registerFunction(`${type}.isLessThan(${type}): bool`, (a: CelQuantity, b: CelQuantity) => difference(a, b) < 0n)
    .registerFunction(`${type}.isGreaterThan(${type}): bool`, (a: CelQuantity, b: CelQuantity) => difference(a, b) > 0n)
    .registerFunction(`${type}.compareTo(${type}): int`, (a: CelQuantity, b: CelQuantity) =>
      difference(a, b) < 0n ? -1n : difference(a, b) > 0n ? 1n : 0n,
    )
    .registerOperator(`${type} == ${type}`, (a: CelQuantity, b: CelQuantity) => difference(a, b) === 0n)
  for (const other of [type, 'int']) {
    environment
      .registerFunction(`${type}.add(${other}): ${type}`, (a: CelQuantity, b: CelQuantity | bigint) => sum(a, nanoOf(b)))
      .registerFunction(`${type}.sub(${other}): ${type}`, (a: CelQuantity, b: CelQuantity | bigint) => sum(a, -nanoOf(b)))
  }
}

function quantityOf(text: string): Quantity | undefined {
  try {
    return parseQuantity(text)
  } catch (error) {
    if (error instanceof QuantityError) return undefined
    throw error
  }
}

class CelFormat {
  readonly check: (text: string) => string[]
  constructor(check: (text: string) => string[]) {
    this.check = check
  }
}

/** A prefix may end with a dash. */
const asPrefix = (check: (text: string) => string[]) => (text: string) => check(text.endsWith('-') ? `${text.slice(0, -1)}a` : text)
const standard = (name: string, why: string) => (text: string) => (formats[name]?.(text) ? [] : [why])

const named: Record<string, (text: string) => string[]> = {
  dns1123Label: isDns1123Label,
  dns1123Subdomain: isDns1123Subdomain,
  dns1035Label: isDns1035Label,
  qualifiedName: isQualifiedName,
  dns1123LabelPrefix: asPrefix(isDns1123Label),
  dns1123SubdomainPrefix: asPrefix(isDns1123Subdomain),
  dns1035LabelPrefix: asPrefix(isDns1035Label),
  labelValue: isLabelValue,
  uri: (text) => (isUrl(text) ? [] : [`parse ${JSON.stringify(text)}: invalid URI for request`]),
  uuid: standard('uuid', 'does not match the UUID format'),
  byte: standard('byte', 'invalid base64'),
  date: standard('date', 'invalid date'),
  datetime: standard('datetime', 'invalid datetime'),
}

function registerFormats(environment: Environment): void {
  const type = 'kubernetes.NamedFormat'
  environment.registerType(type, CelFormat)
  const space = namespace(environment, 'format', 'kubernetes.FormatNamespace')
  const known = new Map(Object.entries(named).map(([name, check]) => [name, new CelFormat(check)]))
  for (const [name, format] of known) environment.registerFunction(`${space}.${name}(): ${type}`, () => format)
  environment
    .registerFunction(`${space}.named(string): optional`, (_: unknown, name: string) => optional(known.get(name)))
    .registerFunction(`${type}.validate(string): optional`, ({ check }: CelFormat, text: string) => {
      const faults = check(text)
      return optional(faults.length > 0 ? faults : undefined)
    })
}

function optional(value: unknown): Optional {
  return value === undefined ? Optional.none() : Optional.of(value)
}

class CelVersion {
  readonly numbers: readonly [bigint, bigint, bigint]
  readonly pre: readonly string[]
  constructor(numbers: readonly [bigint, bigint, bigint], pre: readonly string[]) {
    this.numbers = numbers
    this.pre = pre
  }
}

const number = '(0|[1-9]\\d*)'
const semver = new RegExp(
  `^${number}\\.${number}\\.${number}(?:-([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
)

function versionOf(text: string, normalize = false): CelVersion | undefined {
  const match = semver.exec(normalize ? normalized(text) : text)
  if (!match) return undefined
  const [, major = '0', minor = '0', patch = '0', pre] = match
  return new CelVersion([BigInt(major), BigInt(minor), BigInt(patch)], pre ? pre.split('.') : [])
}

/** v1, 1.2 and 01.2.3 as the versions that they mean. */
function normalized(text: string): string {
  const [, core = '', rest = ''] = /^v?([^-+]*)(.*)$/.exec(text) ?? []
  const parts = core.split('.').map((part) => part.replace(/^0+(?=\d)/, ''))
  while (parts.length < 3) parts.push('0')
  return parts.join('.') + rest
}

function registerVersions(environment: Environment): void {
  const type = 'kubernetes.Semver'
  const parse = (text: string, normalize = false) => {
    const version = versionOf(text, normalize)
    if (!version) throw new Error(`No Major.Minor.Patch elements found`)
    return version
  }
  environment
    .registerType(type, CelVersion)
    .registerFunction('isSemver(string): bool', (text: string) => versionOf(text) !== undefined)
    .registerFunction('isSemver(string, bool): bool', (text: string, normalize: boolean) => versionOf(text, normalize) !== undefined)
    .registerFunction(`semver(string): ${type}`, (text: string) => parse(text))
    .registerFunction(`semver(string, bool): ${type}`, parse)
    .registerFunction(`${type}.isLessThan(${type}): bool`, (a: CelVersion, b: CelVersion) => compareVersions(a, b) < 0)
    .registerFunction(`${type}.isGreaterThan(${type}): bool`, (a: CelVersion, b: CelVersion) => compareVersions(a, b) > 0)
    .registerFunction(`${type}.compareTo(${type}): int`, (a: CelVersion, b: CelVersion) => BigInt(compareVersions(a, b)))
    .registerOperator(`${type} == ${type}`, (a: CelVersion, b: CelVersion) => compareVersions(a, b) === 0)
  for (const [at, name] of ['major', 'minor', 'patch'].entries()) {
    environment.registerFunction(`${type}.${name}(): int`, ({ numbers }: CelVersion) => numbers[at])
  }
}

function compareVersions(a: CelVersion, b: CelVersion): number {
  for (const at of [0, 1, 2] as const) if (a.numbers[at] !== b.numbers[at]) return a.numbers[at] < b.numbers[at] ? -1 : 1
  // What is not yet released comes before what is.
  if (a.pre.length === 0 || b.pre.length === 0) return Math.sign(b.pre.length - a.pre.length)
  for (let at = 0; at < Math.max(a.pre.length, b.pre.length); at++) {
    const [left, right] = [a.pre[at], b.pre[at]]
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1
    if (left === right) continue
    const [leftNumber, rightNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)]
    if (leftNumber && rightNumber) return Number(left) < Number(right) ? -1 : 1
    if (leftNumber !== rightNumber) return leftNumber ? -1 : 1
    return left < right ? -1 : 1
  }
  return 0
}

/** Whether a text is an IP address as CEL's library takes it: no zone, no IPv4 in IPv6's dress. */
export function isPlainIp(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%') && !/^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(text)
}
