import { ApiError } from '../machinery/errors.ts'
import type { KubeObject } from '../machinery/object.ts'
import type { Store } from '../machinery/store.ts'
import type { ResourceInfo } from '../registry/index.ts'
import type { ListMeta } from '../schema/types/meta.v1.ts'
import { prepareServed, served } from './conversion.ts'
import { type ListOptions, unsignedFault } from './options.ts'
import { keyOf, tableOf } from './resources.ts'
import type { Selection } from './selection.ts'

export interface Listing {
  info: ResourceInfo
  items: readonly KubeObject[]
  metadata: ListMeta
}

interface ContinueToken {
  v: string
  rv: number
  start: string
}

const tokenVersion = 'meta.k8s.io/v1'

/** A page of a collection at one revision, which its continue token keeps. Rejects with ApiError. */
export async function listObjects(
  store: Store,
  info: ResourceInfo,
  namespace: string,
  options: ListOptions,
  selection: Selection,
): Promise<Listing> {
  const token = options.continue ? decodeToken(options.continue) : undefined
  if (token && options.resourceVersion && options.resourceVersion !== '0') {
    throw ApiError.badRequest('specifying resource version is not allowed when using continue')
  }
  const table = tableOf(info)
  const scope = info.namespaced && namespace ? namespace : undefined
  const at = token ? (token.rv > 0 ? token.rv : store.revision) : revisionOf(store, options)
  const stored = read()
  await prepareServed(info, stored)
  const after = token ? stored.slice(firstFrom(token.start)) : stored
  const all = info.conversion ? after.map((object) => served(info, object)) : after
  const matching = selection.empty ? all : all.filter((object) => selection.matches(object))
  const items = options.limit > 0 ? matching.slice(0, options.limit) : matching
  const last = items.at(-1)
  const metadata: ListMeta = { resourceVersion: String(at) }
  // whether what lies behind a full page matches is seen when somebody asks for it
  if (last && (items.length < matching.length || (items.length === options.limit && last !== all.at(-1)))) {
    metadata.continue = encodeToken(at, `${key(last)}\0`)
    if (selection.empty) metadata.remainingItemCount = matching.length - items.length
  }
  return { info, items, metadata }

  function key(object: KubeObject): string {
    return keyOf(info, object.metadata.namespace ?? '', object.metadata.name ?? '')
  }

  /** What is stored lies in the order of its keys. */
  function firstFrom(start: string): number {
    let low = 0
    let high = stored.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (key(stored[middle] as KubeObject) < start) low = middle + 1
      else high = middle
    }
    return low
  }

  function read(): KubeObject[] {
    try {
      return store.listAt(table, at, scope)
    } catch (error) {
      if (!token || !(error instanceof ApiError)) throw error
      throw tooOldToken(token.start)
    }
  }
}

function revisionOf(store: Store, { resourceVersion, resourceVersionMatch }: ListOptions): number {
  const wanted = Number(resourceVersion || 0)
  if (wanted > store.revision) throw tooLarge(wanted, store.revision)
  return resourceVersionMatch === 'Exact' ? wanted : store.revision
}

/** Refuses a GET of one object at a resource version that is none, or not there yet. Throws ApiError. */
export function assertVersion(query: URLSearchParams, revision: number): void {
  const asked = query.get('resourceVersion') ?? ''
  const fault = asked ? unsignedFault(asked) : undefined
  if (fault) throw new ApiError(500, undefined, `resourceVersion: Invalid value: ${JSON.stringify(asked)}: ${fault}`)
  if (Number(asked) > revision) throw tooLarge(Number(asked), revision)
}

/** The answer to a resource version from the future: try again in a second. */
function tooLarge(wanted: number, current: number): ApiError {
  const message = `Timeout: Too large resource version: ${wanted}, current: ${current}`
  const causes = [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }]
  return new ApiError(504, 'Timeout', message, { causes, retryAfterSeconds: 1 })
}

function encodeToken(rv: number, start: string): string {
  return Buffer.from(JSON.stringify({ v: tokenVersion, rv, start } satisfies ContinueToken)).toString('base64url')
}

function decodeToken(text: string): ContinueToken {
  const invalid = (why: string) => ApiError.badRequest(`invalid continue token: continue key is not valid: ${why}`)
  const strange = /[^A-Za-z0-9_-]/.exec(text)?.index ?? (text.length % 4 === 1 ? text.length - 1 : -1)
  if (strange >= 0) throw invalid(`illegal base64 data at input byte ${strange}`)
  const decoded = Buffer.from(text, 'base64url')
  let token: Partial<ContinueToken>
  try {
    token = JSON.parse(decoded.toString()) as Partial<ContinueToken>
  } catch {
    throw invalid(jsonFault(decoded))
  }
  if (token.v !== tokenVersion) throw invalid(`server does not recognize this encoded version ${token.v ?? ''}`)
  if (!token.rv) throw invalid('incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (!token.start) throw invalid('encoded start key empty (version meta.k8s.io/v1)')
  return { v: token.v, rv: token.rv, start: token.start }
}

/** What Go's decoder says of bytes that are no JSON, as far as somebody who makes up a token sees it: of the first one. */
function jsonFault(bytes: Buffer): string {
  const first = bytes.find((byte) => !/\s/.test(String.fromCharCode(byte)))
  if (first === undefined || first === 0x7b) return 'unexpected end of JSON input'
  const character = first >= 0x7f || first < 0x20 ? `\\u${first.toString(16).padStart(4, '0')}` : String.fromCharCode(first)
  return `invalid character '${character}' looking for beginning of value`
}

/** Tells the client how it may go on all the same, without consistency. */
function tooOldToken(start: string): ApiError {
  const error = ApiError.expired(
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
  )
  Object.assign(error.body, { metadata: { continue: encodeToken(-1, start) } })
  return error
}
