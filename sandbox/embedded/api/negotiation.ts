import { ApiError } from '../machinery/errors.ts'
import { remembering } from '../machinery/remembering.ts'
import { protobufContentType } from '../protobuf/index.ts'

/** How a client wants an answer. */
export interface Accepted {
  mediaType: string
  as: 'object' | 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList'
  /** Of the Table or PartialObjectMetadata: v1 or v1beta1. */
  version: string
  pretty: boolean
}

/** What a request says of the form of its answer. Header names are lower-case. */
export interface Asking {
  headers: Readonly<Record<string, string | undefined>>
  query: URLSearchParams
}

/** What an endpoint has beside its objects as they are. */
interface Endpoint {
  /** Whether it answers in this type, and turns its object into this first. */
  gives(mediaType: string, target: Target | undefined): boolean
  /** Of its group's metadata (`sv`). */
  serverVersion?: string
}

interface Target {
  kind: string
  group: string
  version: string
}

const json = 'application/json'
const yaml = 'application/yaml'
/** In the order in which one is taken for `*​/*`. */
export const supported: readonly string[] = [json, yaml, protobufContentType]
const streams: readonly string[] = [json, protobufContentType].map((type) => `${type};stream=watch`)
/** A list may be asked for as a watch. */
export const listable: readonly string[] = [...supported, ...streams]

const plain: Endpoint = { gives: (_, target) => target === undefined }
const aggregated: Endpoint = { gives: (_, target) => target !== undefined && isAggregatedDiscovery(target) }

/** In what form an object or a list is answered. Throws ApiError 406. */
export function negotiate(asking: Asking, { isCustom = false, hasTables = true } = {}): Accepted {
  return chosen(asking, isCustom ? custom : hasTables ? builtIn : tableless) ?? refuse(supported)
}

/** Refuses what a watch cannot be written in, for which `negotiate` has found a form. Throws ApiError 406. */
export function assertStreamed({ mediaType }: Accepted): void {
  if (mediaType === yaml) refuse(streams)
}

/** In what form a discovery document is answered. Throws ApiError 406. */
export function negotiateDiscovery(asking: Asking, { mayAggregate = false } = {}): Accepted {
  return (mayAggregate && chosen(asking, aggregated)) || chosen(asking, plain) || refuse(supported)
}

/** In what form somebody is refused; JSON for people to whom none of the forms is of use. */
export function negotiateRefusal(asking: Asking): Accepted {
  return chosen(asking, plain) ?? { mediaType: json, as: 'object', version: 'v1', pretty: true }
}

/** People read what these programs fetch: it is indented for them. */
export function isReadByPeople(headers: Asking['headers']): boolean {
  return /^(curl|Wget|Mozilla\/5\.0)/.test(headers['user-agent'] ?? '')
}

/**
 * Refuses, before anything is done, a request whose Accept header names nothing that its path has: by whole media types, and
 * not by halves (`application/*`). Throws ApiError 406.
 */
export function assertAccepted(accept: string | undefined, available: readonly string[] = supported): void {
  if (!accept) return
  const types = accept.split(',').map((part) => part.split(';')[0]?.trim() ?? '')
  if (!types.some((type) => type === '*/*' || available.includes(type))) throw ApiError.routeNotAcceptable(available)
}

function refuse(available: readonly string[]): never {
  throw ApiError.notAcceptable(available)
}

/** The first type that fits the first clause that fits any, as k8s.io/apiserver's negotiation does. */
function chosen({ headers, query }: Asking, endpoint: Endpoint): Accepted | undefined {
  const isPretty = () => prettyAsked(query) ?? isReadByPeople(headers)
  const accept = headers['accept']
  if (!accept) return { mediaType: json, as: 'object', version: 'v1', pretty: isPretty() }
  for (const { type, subtype, parameters } of clausesOf(accept)) {
    for (const mediaType of supported) {
      const [own, ownSubtype] = mediaType.split('/')
      const fits = (type === own && (subtype === ownSubtype || subtype === '*')) || (type === '*' && subtype === '*')
      if (!fits || !allows(endpoint, mediaType, parameters)) continue
      const target = targetOf(parameters)
      const as = (target?.kind ?? 'object') as Accepted['as']
      return { mediaType, as, version: target?.version ?? 'v1', pretty: parameters.get('pretty') === '1' || isPretty() }
    }
  }
  return undefined
}

function allows(endpoint: Endpoint, mediaType: string, parameters: ReadonlyMap<string, string>): boolean {
  const stream = parameters.get('stream')
  if (stream && (stream !== 'watch' || mediaType === yaml)) return false
  const serverVersion = parameters.get('sv')
  if (serverVersion && serverVersion !== endpoint.serverVersion) return false
  return endpoint.gives(mediaType, targetOf(parameters))
}

function targetOf(parameters: ReadonlyMap<string, string>): Target | undefined {
  const [kind, group, version] = ['as', 'g', 'v'].map((name) => parameters.get(name))
  if (kind === undefined && group === undefined && version === undefined) return undefined
  return { kind: kind ?? '', group: group ?? '', version: version ?? '' }
}

/** Of objects, which have a protobuf form or not, and tables or not; what is made of their metadata has all forms. */
function objects({ inProtobuf = true, inTables = true }): Endpoint {
  const gives = (mediaType: string, target: Target | undefined): boolean => {
    if (!target) return inProtobuf || mediaType !== protobufContentType
    const { kind, group, version } = target
    if (group !== 'meta.k8s.io' || !['v1', 'v1beta1'].includes(version)) return false
    if (kind === 'Table') return inTables && mediaType !== protobufContentType
    return kind === 'PartialObjectMetadata' || kind === 'PartialObjectMetadataList'
  }
  return { serverVersion: 'v1', gives }
}

const builtIn = objects({})
const tableless = objects({ inTables: false })
const custom = objects({ inProtobuf: false })

/** Of the aggregated form a 1.34 server has one version. */
function isAggregatedDiscovery({ kind, group, version }: Target): boolean {
  return kind === 'APIGroupDiscoveryList' && group === 'apidiscovery.k8s.io' && version === 'v2'
}

/** What the query says, if anything. */
function prettyAsked(query: URLSearchParams): boolean | undefined {
  const asked = query.get('pretty')
  return asked ? /^(1|t|T|TRUE|true|True)$/.test(asked) : undefined
}

interface Clause {
  type: string
  subtype: string
  liking: number
  parameters: ReadonlyMap<string, string>
}

/** The clauses of an Accept header, what is liked best first. Clients say the same again and again. */
const clausesOf = remembering((accept): readonly Clause[] => sorted(accept.split(',').flatMap(clauseOf)), { most: 100, longest: 1000 })

function clauseOf(text: string): Clause[] {
  const [range = '', ...rest] = text.replace(/^ +| +$/g, '').split(';')
  const [type = '', subtype = '', ...more] = range.split('/').map(trimmed)
  if (more.join('/') !== '' || (subtype === '' && type !== '*')) return []
  const parameters = new Map<string, string>()
  let liking = 1
  for (const parameter of rest) {
    const [name = '', value = '', ...others] = parameter.split('=')
    if (value === '' || others.join('=') !== '') continue
    if (trimmed(name) === 'q') liking = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) ? Number(value) : 0
    else parameters.set(trimmed(name), trimmed(value))
  }
  return [{ type, subtype: subtype || '*', liking, parameters }]
}

function trimmed(text: string): string {
  return text.replace(/^ +| +$/g, '')
}

/**
 * In the order of goautoneg: more liked first, and what says its type before what does not. That is no order (a type says more than
 * a range that is liked better), so that it takes Go's way of sorting to come to the same.
 */
function sorted(clauses: readonly Clause[]): readonly Clause[] {
  const result = [...clauses]
  for (let index = 1; index < result.length; index++) {
    for (let at = index; at > 0 && isBefore(result[at] as Clause, result[at - 1] as Clause); at--) {
      const moved = result[at] as Clause
      result[at] = result[at - 1] as Clause
      result[at - 1] = moved
    }
  }
  return result
}

function isBefore(a: Clause, b: Clause): boolean {
  return a.liking > b.liking || (a.type !== '*' && b.type === '*') || (a.subtype !== '*' && b.subtype === '*')
}
