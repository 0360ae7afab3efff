import type { HttpRequest, HttpResponse } from '../network/network.ts'
import { hostOf } from './hostnames.ts'
import type { Matched } from './routes.ts'
import type { HeaderFilter, PathModifier, RouteFilter } from './types.ts'

/** The request as filters leave it. */
export function filteredRequest(filters: readonly RouteFilter[], request: HttpRequest, prefix: string): HttpRequest {
  let { headers, path } = request
  for (const { requestHeaderModifier, urlRewrite } of filters) {
    if (requestHeaderModifier) headers = withHeaders(headers, requestHeaderModifier)
    if (urlRewrite?.hostname) headers = withHeaders(headers, { set: [{ name: 'host', value: urlRewrite.hostname }] })
    if (urlRewrite?.path) path = modifiedPath(path, urlRewrite.path, prefix)
  }
  return { ...request, headers, path }
}

export function filteredResponse(filters: readonly RouteFilter[], response: HttpResponse): HttpResponse {
  let { headers } = response
  for (const { responseHeaderModifier } of filters) if (responseHeaderModifier) headers = withHeaders(headers, responseHeaderModifier)
  return { ...response, headers }
}

/** The answer of a RequestRedirect, where a rule has one. */
export function redirected({ rule, match, listener }: Matched, request: HttpRequest): HttpResponse | undefined {
  const redirect = rule.filters?.find((filter) => filter.requestRedirect)?.requestRedirect
  if (!redirect) return undefined
  const own = listener.listener.protocol === 'HTTPS' ? 'https' : 'http'
  const scheme = redirect.scheme ?? own
  const usual = scheme === 'https' ? 443 : 80
  const port = redirect.port ?? (redirect.scheme ? usual : listener.listener.port)
  const host = redirect.hostname ?? hostOf(Object.entries(request.headers).find(([name]) => name.toLowerCase() === 'host')?.[1])
  const path = redirect.path ? modifiedPath(request.path, redirect.path, match.path?.value ?? '/') : request.path
  const location = `${scheme}://${host}${port === usual ? '' : `:${port}`}${path}`
  return { status: redirect.statusCode ?? 302, headers: { location }, body: new Uint8Array() }
}

/** Replaces a whole path, or the prefix by which it was matched; the query stays. */
function modifiedPath(path: string, { type, replaceFullPath, replacePrefixMatch }: PathModifier, prefix: string): string {
  const mark = path.indexOf('?')
  const [plain, query] = mark < 0 ? [path, ''] : [path.slice(0, mark), path.slice(mark)]
  if (type === 'ReplaceFullPath') return (replaceFullPath || '/') + query
  const rest = plain.slice(prefix.replace(/\/+$/, '').length)
  const joined = `${(replacePrefixMatch ?? '').replace(/\/+$/, '')}${rest && !rest.startsWith('/') ? '/' : ''}${rest}`
  return (joined || '/') + query
}

function withHeaders(headers: Readonly<Record<string, string>>, { set = [], add = [], remove = [] }: HeaderFilter): Record<string, string> {
  const next = new Map(Object.entries(headers))
  const keyOf = (name: string) => [...next.keys()].find((key) => key.toLowerCase() === name.toLowerCase())
  for (const name of [...remove, ...set.map((each) => each.name)]) next.delete(keyOf(name) ?? '')
  for (const { name, value } of set) next.set(name, value)
  for (const { name, value } of add) {
    const key = keyOf(name)
    next.set(key ?? name, key === undefined ? value : `${next.get(key)},${value}`)
  }
  return Object.fromEntries(next)
}
