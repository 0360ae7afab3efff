import { ApiError, PlainError } from '../machinery/errors.ts'

/** What a URL asks for, in the words of authorization. */
export interface RequestInfo {
  verb: string
  path: string
  query: URLSearchParams
  /** Absent for paths that aren't a resource's. */
  resource?: ResourcePath
}

export interface ResourcePath {
  group: string
  version: string
  /** '' for the whole cluster. */
  namespace: string
  resource: string
  /** '' for a collection. */
  name: string
  subresource: string
  /** What follows a subresource: the path of a proxy. */
  rest: string
}

const verbs: Record<string, string> = { POST: 'create', GET: 'get', HEAD: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }

/** Reads a request's URL as apiserver's RequestInfoFactory does. Throws ApiError for an undecodable one and for a bare `watch`. */
export function requestInfo(method: string, url: string): RequestInfo {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1))
  const plain: RequestInfo = { verb: method.toLowerCase(), path, query }
  const parts = path.replace(/^\/+|\/+$/g, '').split('/')
  const prefix = parts.shift()
  if ((prefix !== 'api' && prefix !== 'apis') || parts.length < (prefix === 'api' ? 2 : 3)) return plain
  const group = prefix === 'apis' ? decode(parts.shift()) : ''
  const version = decode(parts.shift())
  let verb = verbs[method] ?? method.toLowerCase()
  let namespace = ''
  if ((parts[0] === 'watch' || parts[0] === 'proxy') && parts.length === 1) {
    const why = `failed to create RequestInfo: unable to determine kind and namespace from url, ${url}`
    throw new PlainError(500, undefined, `Internal Server Error: ${JSON.stringify(url)}: ${why}`)
  }
  if (parts[0] === 'watch') {
    verb = 'watch'
    parts.shift()
  }
  if (parts[0] === 'namespaces' && parts.length > 1) {
    namespace = decode(parts[1])
    if (parts.length > 2 && parts[2] !== 'status' && parts[2] !== 'finalize') parts.splice(0, 2)
  }
  const [resource, name, subresource, ...rest] = parts.map(decode)
  const found = {
    group,
    version,
    namespace,
    resource: resource ?? '',
    name: name ?? '',
    subresource: subresource ?? '',
    rest: rest.join('/'),
  }
  if (verb === 'get' && !found.name) {
    const watch = query.get('watch')
    verb = watch !== null && !['false', '0'].includes(watch.toLowerCase()) ? 'watch' : 'list'
  } else if (verb === 'delete' && !found.name) {
    verb = 'deletecollection'
  }
  return { ...plain, verb, resource: found }
}

function decode(part = ''): string {
  if (!part.includes('%')) return part
  try {
    return decodeURIComponent(part)
  } catch (error) {
    throw new ApiError(400, 'BadRequest', `invalid URL escape ${JSON.stringify(part)}`, undefined, error)
  }
}
