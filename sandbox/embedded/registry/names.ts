/**
 * The rules for names, labels and keys, each answering with the sentences of what is wrong (none: the value is good).
 * Rules and words: k8s.io/apimachinery/pkg/util/validation.
 */
export type NameRule = (name: string, prefix?: boolean) => string[]

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomain1123 = `${label1123}(\\.${label1123})*`
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?'
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const qualifiedMessage = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
const subdomainMessage =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
const wildcard = `\\*\\.${subdomain1123}`

/** For names of objects: a DNS subdomain, or the beginning of one when it is a generateName. */
export const dnsSubdomain: NameRule = (name, prefix) => isDns1123Subdomain(prefix ? withoutTrailingDash(name) : name)
export const dnsLabel: NameRule = (name, prefix) => isDns1123Label(prefix ? withoutTrailingDash(name) : name)
export const dns1035Label: NameRule = (name, prefix) => isDns1035Label(prefix ? withoutTrailingDash(name) : name)

/** For RBAC and other objects whose name is only part of a URL path. */
export const pathSegment: NameRule = (name, prefix) => {
  if (!prefix && name === '.') return ["may not be '.'"]
  if (!prefix && name === '..') return ["may not be '..'"]
  return ['/', '%'].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`)
}

/** The same for RBAC, where the beginning of a name must be a name too. Source: ValidateRBACName in pkg/apis/rbac/validation. */
export const rbacName: NameRule = (name) => pathSegment(name)

export function isDns1123Label(value: string): string[] {
  const errors = atMost(value, 63)
  if (matches(value, label1123)) return errors
  if (matches(value, subdomain1123)) return [...errors, 'must not contain dots']
  return [
    ...errors,
    regexError(
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
      label1123,
      'my-name',
      '123-abc',
    ),
  ]
}

export function isDns1123Subdomain(value: string): string[] {
  const errors = atMost(value, 253)
  return matches(value, subdomain1123) ? errors : [...errors, regexError(subdomainMessage, subdomain1123, 'example.com')]
}

/** A subdomain of which labels may begin with an underscore. */
export function isSearchDomain(value: string): string[] {
  const errors = atMost(value, 253)
  const label = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?'
  const pattern = `${label}(\\.${label})*`
  const message = subdomainMessage.replace("'-'", "'_', '-'")
  return matches(value, pattern) ? errors : [...errors, regexError(message, pattern, 'example.com')]
}

export function isWildcardDns1123Subdomain(value: string): string[] {
  const errors = atMost(value, 253)
  if (matches(value, wildcard)) return errors
  return [
    ...errors,
    regexError(
      "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
      wildcard,
      '*.example.com',
    ),
  ]
}

export function isDns1035Label(value: string): string[] {
  const errors = atMost(value, 63)
  if (matches(value, label1035)) return errors
  return [
    ...errors,
    regexError(
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
      label1035,
      'my-name',
      'abc-123',
    ),
  ]
}

export function isQualifiedName(value: string): string[] {
  const parts = value.split('/')
  const errors: string[] = []
  if (parts.length > 2) {
    return [
      `a qualified name ${regexError(qualifiedMessage, qualified, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  }
  const name = parts.at(-1) ?? ''
  if (parts.length === 2) {
    const prefix = parts[0] ?? ''
    if (prefix === '') errors.push('prefix part must be non-empty')
    else errors.push(...isDns1123Subdomain(prefix).map((text) => `prefix part ${text}`))
  }
  if (name === '') errors.push('name part must be non-empty')
  else errors.push(...atMost(name, 63).map((text) => `name part ${text}`))
  if (!matches(name, qualified)) errors.push(`name part ${regexError(qualifiedMessage, qualified, 'MyName', 'my.name', '123-abc')}`)
  return errors
}

export function isLabelValue(value: string): string[] {
  const errors = atMost(value, 63)
  if (matches(value, `(${qualified})?`)) return errors
  return [
    ...errors,
    regexError(
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
      `(${qualified})?`,
      'MyValue',
      'my_value',
      '12345',
    ),
  ]
}

export function isConfigMapKey(value: string): string[] {
  const errors = atMost(value, 253)
  if (!matches(value, '[-._a-zA-Z0-9]+')) {
    errors.push(
      regexError(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        '[-._a-zA-Z0-9]+',
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    )
  }
  return [...errors, ...upwards(value)]
}

/** Since 1.34 any printable ASCII character but '='. */
export function isEnvVarName(value: string): string[] {
  if (value === '') return ['environment variable name must be non-empty']
  return [...value].some((char) => char < ' ' || char > '~' || char === '=')
    ? ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    : []
}

export function isCIdentifier(value: string): string[] {
  if (matches(value, '[A-Za-z_][A-Za-z0-9_]*')) return []
  const message = "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'"
  return [regexError(message, '[A-Za-z_][A-Za-z0-9_]*', 'my_name', 'MY_NAME', 'MyName')]
}

export function isPortName(value: string): string[] {
  const errors = value.length > 15 ? [maxLength(15)] : []
  if (!/^[-a-z0-9]+$/.test(value)) errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)')
  if (value.includes('--')) errors.push('must not contain consecutive hyphens')
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen')
  return errors
}

export function isPercent(value: string): string[] {
  if (matches(value, '[0-9]+%')) return []
  return [regexError("a valid percent string must be a numeric string followed by an ending '%'", '[0-9]+%', '1%', '93%')]
}

export function isHttpHeaderName(value: string): string[] {
  if (matches(value, '[-A-Za-z0-9]+')) return []
  return [regexError("a valid HTTP header must consist of alphanumeric characters or '-'", '[-A-Za-z0-9]+', 'X-Header-Name')]
}

export function between(low: number, high: number): string {
  return `must be between ${low} and ${high}, inclusive`
}

export function isPortNumber(value: number): string[] {
  return value >= 1 && value <= 65535 ? [] : [between(1, 65535)]
}

function maxLength(length: number): string {
  return `must be no more than ${length} characters`
}

function atMost(value: string, length: number): string[] {
  return Buffer.byteLength(value) > length ? [maxLength(length)] : []
}

function upwards(value: string): string[] {
  if (value === '.') return ["must not be '.'"]
  if (value === '..') return ["must not be '..'"]
  return value.startsWith('..') ? ["must not start with '..'"] : []
}

function matches(value: string, pattern: string): boolean {
  let expression = expressions.get(pattern)
  if (!expression) expressions.set(pattern, (expression = new RegExp(`^(?:${pattern})$`)))
  return expression.test(value)
}

/** The rules' own, of which there are few. */
const expressions = new Map<string, RegExp>()

function regexError(message: string, pattern: string, ...examples: string[]): string {
  const known = regexErrors.get(message)
  if (known) return known
  const made = `${message} (e.g. ${examples.map((text) => `'${text}', `).join(' or ')}regex used for validation is '${pattern}')`
  regexErrors.set(message, made)
  return made
}

/** By their messages, each of which goes with one pattern and its examples: an object may have thousands of one. */
const regexErrors = new Map<string, string>()

function withoutTrailingDash(name: string): string {
  return name.endsWith('-') && name.length > 1 ? `${name.slice(0, -2)}a` : name
}
