import type { HttpRequest } from '../network/network.ts'
import { byParticularity, covers, hostOf } from './hostnames.ts'
import { prefixMatches } from './ingress.ts'
import type { ResolvedGateway, ResolvedListener } from './resolve.ts'
import type { Route, RouteMatch, RouteRule, ValueMatch } from './types.ts'

/** The rule that takes a request, and by what. */
export interface Matched {
  route: Route
  rule: RouteRule
  match: RouteMatch
  listener: ResolvedListener
}

interface Candidate extends Matched {
  hostname: string
}

/**
 * The rule of a Gateway that a request on one of its ports meets. The most particular listener takes it; of its routes'
 * matches the one with the most particular hostname, then path, method, headers and query, then the oldest route.
 * @see https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule
 */
export function findRule({ listeners }: ResolvedGateway, port: number, request: HttpRequest): Matched | undefined {
  const host = hostOf(headerOf(request, 'host'))
  const listener = listeners
    .filter((each) => each.works && each.listener.port === port && covers(each.listener.hostname ?? '', host))
    .sort((a, b) => byParticularity(a.listener.hostname ?? '', b.listener.hostname ?? ''))[0]
  if (!listener) return undefined
  const candidates = listener.attached.flatMap(({ route, hostnames }) => {
    const hostname = hostnames.filter((name) => covers(name, host)).sort(byParticularity)[0]
    if (hostname === undefined) return []
    return (route.spec.rules ?? []).flatMap((rule) =>
      (rule.matches?.length ? rule.matches : [{}]).map((match): Candidate => ({ route, rule, match: asHttp(match), hostname, listener })),
    )
  })
  return candidates.filter(({ match }) => matches(match, request)).sort(byPrecedence)[0]
}

/** gRPC calls /SERVICE/METHOD. */
function asHttp(match: RouteMatch): RouteMatch {
  if (typeof match.method !== 'object') return match
  const { type = 'Exact', service, method } = match.method
  const part = (name: string | undefined) => (name === undefined ? '[^/]+' : type === 'Exact' ? literal(name) : name)
  const exact = type === 'Exact' && service !== undefined && method !== undefined
  const path = exact
    ? { type: 'Exact', value: `/${service}/${method}` }
    : { type: 'RegularExpression', value: `/${part(service)}/${part(method)}` }
  return { path, ...(match.headers && { headers: match.headers }) }
}

function matches({ path, headers = [], queryParams = [], method }: RouteMatch, request: HttpRequest): boolean {
  const [plain = '', query = ''] = request.path.split('?', 2)
  const asked = new URLSearchParams(query)
  return (
    pathMatches(path, plain) &&
    (method === undefined || method === request.method) &&
    headers.every((wanted) => valueMatches(wanted, headerOf(request, wanted.name))) &&
    queryParams.every((wanted) => valueMatches(wanted, asked.get(wanted.name) ?? undefined))
  )
}

function pathMatches({ type = 'PathPrefix', value = '/' }: NonNullable<RouteMatch['path']> = {}, path: string): boolean {
  if (type === 'Exact') return path === value
  return type === 'PathPrefix' ? prefixMatches(value, path) : wholly(value, path)
}

function valueMatches({ type = 'Exact', value }: ValueMatch, found: string | undefined): boolean {
  if (found === undefined) return false
  return type === 'Exact' ? found === value : wholly(value, found)
}

/** Whether an expression covers a whole text. One that is none covers nothing. */
function wholly(expression: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${expression})$`).test(text)
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

function byPrecedence(a: Candidate, b: Candidate): number {
  const rank = ({ match: { path } }: Candidate) => (path?.type === 'Exact' ? 2 : path?.type === 'RegularExpression' ? 1 : 0)
  const length = ({ match: { path } }: Candidate) => path?.value?.length ?? 1
  return (
    byParticularity(a.hostname, b.hostname) ||
    rank(b) - rank(a) ||
    length(b) - length(a) ||
    Number(b.match.method !== undefined) - Number(a.match.method !== undefined) ||
    (b.match.headers?.length ?? 0) - (a.match.headers?.length ?? 0) ||
    (b.match.queryParams?.length ?? 0) - (a.match.queryParams?.length ?? 0)
  )
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}

function headerOf({ headers }: HttpRequest, name: string): string | undefined {
  const lower = name.toLowerCase()
  return Object.entries(headers).find(([key]) => key.toLowerCase() === lower)?.[1]
}
