import { kubernetesTypes, Library } from '../declarations.ts'
import { EntryMap, Failure, OpaqueValue, type Value } from '../values.ts'

class UrlValue extends OpaqueValue {
  readonly type = kubernetesTypes.URL
  readonly text: string
  readonly parts: Parts
  constructor(text: string, parts: Parts) {
    super()
    this.text = text
    this.parts = parts
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof UrlValue && other.text === this.text
  }
  override toString(): string {
    return this.text
  }
}

interface Parts {
  scheme: string
  host: string
  path: string
  query: string
}

/** Kubernetes' URLs library. */
export const urls = new Library()
  .declare('string_to_url', 'url(string): URL', ([text]) => {
    const parts = partsOf(text as string)
    return 'fault' in parts
      ? new Failure(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: ${parts.fault}`)
      : new UrlValue(text as string, parts)
  })
  .declare('url_get_scheme', 'URL::getScheme(): string', ([url]) => partsOfValue(url).scheme)
  .declare('url_get_host', 'URL::getHost(): string', ([url]) => unescaped(partsOfValue(url).host))
  .declare('url_get_hostname', 'URL::getHostname(): string', ([url]) => hostname(unescaped(partsOfValue(url).host)))
  .declare('url_get_port', 'URL::getPort(): string', ([url]) => /:(\d*)$/.exec(partsOfValue(url).host.replace(/^\[.*\]/, ''))?.[1] ?? '')
  .declare('url_get_escaped_path', 'URL::getEscapedPath(): string', ([url]) => escapedPath(partsOfValue(url).path))
  .declare('url_get_query', 'URL::getQuery(): map(string, list(string))', ([url]) => queryOf(partsOfValue(url).query))
  .declare('is_url_string', 'isURL(string): bool', ([text]) => !('fault' in partsOf(text as string)))

/** Why Go's url.ParseRequestURI does not take a text, in its words; undefined when it does. */
export function uriFault(text: string): string | undefined {
  const parts = partsOf(text)
  return 'fault' in parts ? `parse ${JSON.stringify(text)}: ${parts.fault}` : undefined
}

function partsOfValue(value: Value | undefined): Parts {
  return (value as UrlValue).parts
}

function partsOf(text: string): Parts | { fault: string } {
  if (text === '') return { fault: 'empty url' }
  if (/[\x00-\x1f\x7f]/.test(text)) return { fault: 'net/url: invalid control character in URL' }
  if (text === '*') return { scheme: '', host: '', path: '*', query: '' }
  const [, scheme = '', afterScheme = text] = /^([A-Za-z][A-Za-z0-9+.-]*):(.*)$/s.exec(text) ?? []
  if (scheme === '' && text.startsWith(':')) return { fault: 'missing protocol scheme' }
  const [head = '', ...queries] = afterScheme.split('?')
  const query = queries.join('?')
  if (!head.startsWith('/')) {
    // Something opaque, such as mailto:a.
    return scheme ? { scheme: scheme.toLowerCase(), host: '', path: '', query } : { fault: 'invalid URI for request' }
  }
  const hasHost = (scheme !== '' || !head.startsWith('///')) && head.startsWith('//')
  const slash = hasHost ? head.indexOf('/', 2) : 0
  const authority = hasHost ? head.slice(2, slash < 0 ? undefined : slash) : ''
  const path = hasHost ? (slash < 0 ? '' : head.slice(slash)) : head
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  const fault = hostFault(host) ?? escapeFault(path)
  return fault ? { fault } : { scheme: scheme.toLowerCase(), host, path, query }
}

function hostFault(host: string): string | undefined {
  if (host.startsWith('[')) {
    const close = host.lastIndexOf(']')
    if (close < 0) return "missing ']' in host"
    const port = host.slice(close + 1)
    return port === '' || /^:\d*$/.test(port) ? undefined : `invalid port ${JSON.stringify(port)} after host`
  }
  const colon = host.indexOf(':')
  const port = colon < 0 ? '' : host.slice(host.lastIndexOf(':'))
  if (port !== '' && !/^:\d*$/.test(port)) return `invalid port ${JSON.stringify(port)} after host`
  const wrong = /[ <>"^`{|}\\]/.exec(host)?.[0]
  if (wrong) return `invalid character ${JSON.stringify(wrong)} in host name`
  return escapeFault(host)
}

function escapeFault(text: string): string | undefined {
  const wrong = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(text)?.[0]
  return wrong === undefined ? undefined : `invalid URL escape ${JSON.stringify(wrong)}`
}

function unescaped(text: string): string {
  return text.includes('%') ? decodeURIComponent(text) : text
}

function hostname(host: string): string {
  if (host.startsWith('[')) return host.slice(1, host.lastIndexOf(']'))
  return host.replace(/:\d*$/, '')
}

/** As it was written where that is a way to write it. */
function escapedPath(path: string): string {
  if (/^(?:[A-Za-z0-9\-_.~!$&'()*+,;=:@/[\]]|%[0-9A-Fa-f]{2})*$/.test(path)) return path
  return Array.from(Buffer.from(unescaped(path)), (byte) => {
    const character = String.fromCharCode(byte)
    return /[A-Za-z0-9\-_.~$&+,/:;=@]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }).join('')
}

/** What cannot be read is left out, as Go does. */
function queryOf(query: string): EntryMap {
  const map = new EntryMap()
  for (const pair of query.split('#')[0]?.split('&') ?? []) {
    if (pair === '' || pair.includes(';')) continue
    const [name = '', ...rest] = pair.split('=')
    const [key, value] = [plain(name), plain(rest.join('='))]
    if (key === undefined || value === undefined) continue
    map.set(key, [...((map.get(key) as Value[] | undefined) ?? []), value])
  }
  return map
}

function plain(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}
