import type { Aggregator } from '../aggregation/aggregator.ts'
import type { Authorizer } from '../auth/rbac.ts'
import { forbidden } from '../auth/rbac.ts'
import { ApiError } from '../machinery/errors.ts'
import { sizeOf } from '../machinery/object-size.ts'
import type { Verb } from '../registry/index.ts'
import type { ApiCall, Outcome, ResourceCall } from './call.ts'
import { type Accepted, assertAccepted, assertStreamed, listable, negotiate, supported } from './negotiation.ts'
import type { NonResourceHandler } from './non-resource.ts'
import { type RequestInfo, requestInfo } from './request-info.ts'
import type { RequestMetrics } from './request-metrics.ts'
import type { ResourceHandler } from './resource-handler.ts'
import type { ServedResources } from './resources.ts'
import { largeObject } from './rest.ts'

/** A handler of one subresource or of a kind that is not stored. */
export type SpecialHandler = (call: ResourceCall) => Promise<Outcome> | Outcome

export interface Handled {
  outcome: Outcome
  /** The form of an object, list or watch. */
  accepted?: Accepted
  warnings: string[]
}

export interface ApiServerParts {
  resources: ServedResources
  authorizer: Pick<Authorizer, 'authorize'>
  generic: ResourceHandler
  /** By `resource.group/subresource`, `*​/subresource`, or `resource.group` for a whole kind. */
  special: ReadonlyMap<string, SpecialHandler>
  nonResource: Pick<NonResourceHandler, 'handle' | 'missing'>
  metrics?: Pick<RequestMetrics, 'begin' | 'usedDeprecated'>
  /** The servers behind APIServices. */
  aggregator?: Pick<Aggregator, 'serviceFor' | 'answer'>
}

/** What the answer to any request for a kind warns of. */
const deprecations: Readonly<Record<string, string>> = {
  'v1 ComponentStatus': 'v1 ComponentStatus is deprecated in v1.19+',
  'v1 Endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
}

/** Every request's way, past authentication: what does it ask, may they, who answers. */
export class ApiServer {
  private readonly parts: ApiServerParts

  constructor(parts: ApiServerParts) {
    this.parts = parts
  }

  /** Rejects with ApiError. */
  async handle(call: ApiCall): Promise<Handled> {
    const request = requestInfo(call.method, call.url)
    const counted = this.counted(call, request)
    try {
      const handled = await this.answer(call, request)
      counted?.answered(statusOf(handled.outcome))
      return handled
    } catch (error) {
      counted?.answered(error instanceof ApiError ? error.code : 500)
      throw error
    }
  }

  private async answer(call: ApiCall, request: RequestInfo): Promise<Handled> {
    this.authorize(call, request)
    const { warnings = [] } = call
    const warn = (text: string) => {
      if (!warnings.includes(text)) warnings.push(text)
    }
    const annotate = (key: string, value: string) => {
      if (call.annotations) call.annotations[key] = value
    }
    // no route begins with nothing
    if (request.path.startsWith('//')) return { outcome: this.parts.nonResource.missing(request), warnings }
    const remote = this.parts.aggregator?.serviceFor(request.path)
    const forwarded = remote && (await this.parts.aggregator?.answer(remote, call))
    if (forwarded) return { outcome: forwarded, warnings }
    if (!request.resource) return { outcome: await this.parts.nonResource.handle(call, request), warnings }
    const resolved = this.resolve(call, request, { warn, annotate })
    if (!resolved) return { outcome: this.parts.nonResource.missing(request), warnings }
    assertRouted(resolved)
    const accepted = formOf(resolved)
    const outcome = await this.dispatch(resolved)
    if (!accepted) return { outcome, warnings }
    if (outcome.type === 'watch') assertStreamed(accepted)
    return { outcome, accepted, warnings }
  }

  /** The resource that a call is about, when it is served; authorized. For connections, which have no outcome. */
  connect(call: ApiCall): ResourceCall {
    const request = requestInfo(call.method, call.url)
    this.authorize(call, request)
    const resolved = request.resource && this.resolve(call, request, { warn: () => {}, annotate: () => {} })
    if (!resolved) throw ApiError.unknownPath()
    this.counted(call, request)?.answered(hijacked)
    return resolved
  }

  /** Only what is served has figures of its own: anybody may ask for names that nobody knows. */
  private counted(call: ApiCall, request: RequestInfo) {
    const { resource } = request
    if (resource) {
      const info = this.parts.resources.find(resource.group, resource.version, resource.resource)
      if (!info || (resource.subresource && !info.subresources.some(({ name }) => name === resource.subresource))) return undefined
    }
    return this.parts.metrics?.begin(call, request)
  }

  private resolve(call: ApiCall, request: RequestInfo, notes: Pick<ResourceCall, 'warn' | 'annotate'>): ResourceCall | undefined {
    const path = request.resource
    if (!path) return undefined
    const info = this.parts.resources.find(path.group, path.version, path.resource)
    if (path.name.includes('/')) throw ApiError.unknownPath()
    if (!info || (!info.namespaced && path.namespace && path.resource !== 'namespaces')) return undefined
    // What is only made has no names, and what is not listed has no place without a namespace.
    if (path.name && !path.subresource && !info.verbs.includes('get')) return undefined
    if (info.namespaced && !path.namespace && !path.name) {
      if (!info.verbs.includes('list')) return undefined
      // the path of one namespace, whose name is empty
      const nameless = request.path.includes('/namespaces//')
      if (nameless && request.verb === 'deletecollection') throw ApiError.badRequest('Namespace parameter required.')
      if (!(nameless && request.verb === 'create') && !['list', 'watch'].includes(request.verb)) throw ApiError.methodNotSupported()
    }
    // Only in lists and watches does a namespaced path mean all namespaces.
    if (info.namespaced && !path.namespace && path.name) return undefined
    const deprecation = deprecations[path.group === '' ? `${path.version} ${info.kind}` : '']
    if (deprecation) {
      notes.warn(deprecation)
      this.parts.metrics?.usedDeprecated(path)
    }
    const large = (call.body?.length ?? sizeOf(call.value)) > largeObject
    return { ...call, request, path: info.namespaced ? path : { ...path, namespace: '' }, info, large, ...notes }
  }

  private dispatch(call: ResourceCall): Promise<Outcome> | Outcome {
    const { special, generic } = this.parts
    const { info, path } = call
    const table = info.group ? `${info.resource}.${info.group}` : info.resource
    const handler = path.subresource
      ? (special.get(`${table}/${path.subresource}`) ?? special.get(`*/${path.subresource}`))
      : special.get(table)
    return handler ? handler(call) : generic.handle(call)
  }

  private authorize(call: ApiCall, request: RequestInfo): void {
    const { user } = call
    const { verb, path, query, resource } = request
    const fieldSelector = query.get('fieldSelector')
    const attributes = resource
      ? {
          user,
          verb,
          group: resource.group,
          version: resource.version,
          resource: resource.resource,
          subresource: resource.subresource,
          namespace: resource.namespace,
          name: resource.name,
          ...(fieldSelector ? { fieldSelector } : {}),
        }
      : { user, verb, path }
    const { allowed, reason } = this.parts.authorizer.authorize(attributes)
    if (call.annotations) call.annotations['authorization.k8s.io/reason'] = reason
    if (!allowed) throw forbidden(attributes, reason)
  }
}

/** The status of an answer that has become a conversation, as Go's server counts it. */
const hijacked = 0

function statusOf(outcome: Outcome): number {
  return 'status' in outcome ? (outcome.status ?? 200) : 200
}

/** Subresources that are a conversation: whatever they may be asked, nothing of it can be tried. */
const conversations = ['attach', 'exec', 'portforward', 'proxy']

/** In what form a call is to be answered; none where the answer is whatever somebody else says. Throws ApiError 406. */
function formOf({ headers, request, path, info }: ResourceCall): Accepted | undefined {
  if (conversations.includes(path.subresource)) return undefined
  const asking = { headers, query: request.query }
  const hasTables = info.verbs.includes('get') && ['', 'status', 'scale'].includes(path.subresource)
  return negotiate(asking, { isCustom: info.definition !== undefined, hasTables })
}

/** Whether the router knows the verb there; a collection is neither replaced nor patched, and whether it is watched its list says. */
function isRoute(verb: string, { name, subresource }: ResourceCall['path'], verbs: readonly Verb[]): boolean {
  if (!subresource && verb === 'watch') return true
  if (!subresource && (name ? verb === 'create' : verb === 'update' || verb === 'patch')) return false
  return verbs.includes(verb as Verb)
}

/** What the real server's router refuses before anybody looks at the request; custom resources are not behind it. */
function assertRouted({ info, path, method, headers, request }: ResourceCall): void {
  const verbs = path.subresource ? info.subresources.find(({ name }) => name === path.subresource)?.verbs : info.verbs
  if (!verbs) throw ApiError.unknownPath()
  if (info.definition) return
  if (path.subresource !== 'proxy') {
    if (method === 'HEAD') throw ApiError.methodNotSupported()
    if (!isRoute(request.verb, path, verbs)) throw ApiError.methodNotSupported()
  }
  if (conversations.includes(path.subresource) && request.query.has('dryRun')) throw ApiError.badRequest('dryRun is not supported')
  if (conversations.includes(path.subresource)) return
  const available = path.subresource === 'log' ? ['text/plain', ...supported] : method === 'GET' && !path.name ? listable : supported
  assertAccepted(headers['accept'], available)
}
