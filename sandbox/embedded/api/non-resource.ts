import type { RemoteVersion } from '../aggregation/aggregator.ts'
import { openIdConfiguration, type ServiceAccountTokens } from '../auth/tokens.ts'
import { ApiError } from '../machinery/errors.ts'
import type { Store } from '../machinery/store.ts'
import {
  type CustomKind,
  metricsVersion2,
  metricsVersion3,
  openApiDocument,
  openApiDocumentInProtobuf,
  openApiIndex,
  openApiVersion2,
  type Rendered,
  rendered,
} from '../openapi/index.ts'
import { openApi3Protobuf, openApi3ProtobufAsked, openApiProtobuf, openApiProtobufAsked } from '../openapi/protobuf.ts'
import type { ApiCall, Outcome } from './call.ts'
import type { Discovery } from './discovery.ts'
import { type Accepted, assertAccepted, negotiateDiscovery } from './negotiation.ts'
import type { RequestInfo } from './request-info.ts'
import type { RequestMetrics } from './request-metrics.ts'
import type { ServedResources } from './resources.ts'

export const version = {
  major: '1',
  minor: '34',
  emulationMajor: '1',
  emulationMinor: '34',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '33',
  gitVersion: 'v1.34.4',
  gitCommit: 'labernetes',
  gitTreeState: 'clean',
  buildDate: '2026-01-01T00:00:00Z',
  goVersion: 'go1.24.12',
  compiler: 'gc',
  platform: 'linux/amd64',
}

/** In the order in which kube-apiserver 1.34 makes them; readiness has a few of its own. */
const healthChecks = [
  'ping',
  'log',
  'etcd',
  'poststarthook/start-apiserver-admission-initializer',
  'poststarthook/generic-apiserver-start-informers',
  'poststarthook/priority-and-fairness-config-consumer',
  'poststarthook/priority-and-fairness-filter',
  'poststarthook/storage-object-count-tracker-hook',
  'poststarthook/start-apiextensions-informers',
  'poststarthook/start-apiextensions-controllers',
  'poststarthook/crd-informer-synced',
  'poststarthook/start-system-namespaces-controller',
  'poststarthook/start-cluster-authentication-info-controller',
  'poststarthook/start-kube-apiserver-identity-lease-controller',
  'poststarthook/start-kube-apiserver-identity-lease-garbage-collector',
  'poststarthook/start-legacy-token-tracking-controller',
  'poststarthook/start-service-ip-repair-controllers',
  'poststarthook/rbac/bootstrap-roles',
  'poststarthook/scheduling/bootstrap-system-priority-classes',
  'poststarthook/priority-and-fairness-config-producer',
  'poststarthook/bootstrap-controller',
  'poststarthook/start-kubernetes-service-cidr-controller',
  'poststarthook/aggregator-reload-proxy-client-cert',
  'poststarthook/start-kube-aggregator-informers',
  'poststarthook/apiservice-status-local-available-controller',
  'poststarthook/apiservice-status-remote-available-controller',
  'poststarthook/apiservice-registration-controller',
  'poststarthook/apiservice-discovery-controller',
  'poststarthook/kube-apiserver-autoregistration',
  'autoregister-completion',
  'poststarthook/apiservice-openapi-controller',
  'poststarthook/apiservice-openapiv3-controller',
]
const readyChecks = [...healthChecks.flatMap((name) => (name === 'etcd' ? [name, 'etcd-readiness', 'informer-sync'] : [name])), 'shutdown']
const checksOf = (endpoint: string) => (endpoint === 'readyz' ? readyChecks : healthChecks)

export interface NonResourceParts {
  discovery: Discovery
  resources: ServedResources
  tokens: ServiceAccountTokens
  store: Store
  metrics: RequestMetrics
  customKinds(): readonly CustomKind[]
  /** Where the cluster says that its API server is, `host:port`; undefined without a node that it runs on. */
  advertised(): string | undefined
  /** What other servers serve. */
  remotes(): readonly RemoteVersion[]
  /** Whether there is anything to measure, of which metrics.k8s.io tells. */
  measures: boolean
  /** Cluster ms. */
  now(): number
  /** Changes with what is served. */
  generation(): string
}

/** The paths that are no resources: discovery, OpenAPI, health, version, keys. */
export class NonResourceHandler {
  private readonly parts: NonResourceParts
  private readonly made = new Map<string, unknown>()
  private generation = ''

  constructor(parts: NonResourceParts) {
    this.parts = parts
  }

  /** Throws ApiError. */
  handle(call: ApiCall, request: RequestInfo): Outcome {
    if (request.path.startsWith('//')) return this.missing(request)
    const path = request.path.replace(/\/+$/, '') || '/'
    const [first = '', ...rest] = path.slice(1).split('/')
    switch (first) {
      case '':
        return prettyJson({ paths: this.paths() })
      case 'api':
      case 'apis':
        return this.discovery(call, first, rest, request)
      case 'version':
        if (rest.length > 0) throw ApiError.unknownPath()
        if (call.method !== 'GET') throw ApiError.methodNotSupported()
        assertAccepted(call.headers['accept'], ['application/json'])
        return prettyJson(version)
      case 'healthz':
      case 'livez':
      case 'readyz':
        return this.health(first, rest, request)
      case 'openapi':
        return this.openApi(call, rest, request)
      case 'metrics':
        if (rest.length > 0 && path !== '/metrics/slis') return this.missing(request)
        if (rest.length === 0 && call.method === 'DELETE') {
          this.parts.metrics.reset()
          return { type: 'text', status: 200, text: 'metrics reset\n' }
        }
        return {
          type: 'text',
          status: 200,
          text: rest.length > 0 ? healthMetrics() : this.metrics(),
          headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
        }
      case '.well-known':
        if (rest.join('/') !== 'openid-configuration') return this.missing(request)
        if (call.method !== 'GET' && call.method !== 'HEAD') throw ApiError.methodNotSupported()
        return keptForAnHour(openIdConfiguration(this.parts.advertised() ?? call.headers['host'] ?? 'kubernetes.default.svc'))
      case 'openid':
        if (rest.join('/') !== 'v1/jwks') return this.missing(request)
        if (call.method !== 'GET' && call.method !== 'HEAD') throw ApiError.methodNotSupported()
        assertAccepted(call.headers['accept'], ['application/jwk-set+json'])
        return keptForAnHour(this.parts.tokens.keySet(), 'application/jwk-set+json')
      default:
        return this.missing(request)
    }
  }

  /** For a path that nothing serves: a Status where it begins with one of the server's own groups, plain text elsewhere. */
  missing({ path }: RequestInfo): Outcome {
    if (!path.startsWith('//')) {
      const [, root, group = ''] = path.split('/')
      if (root === 'api' || (root === 'apis' && this.parts.discovery.isBuiltIn(group))) throw ApiError.unknownPath()
    }
    return { type: 'text', status: 404, text: '404 page not found\n' }
  }

  private discovery(call: ApiCall, root: 'api' | 'apis', rest: readonly string[], request: RequestInfo): Outcome {
    const { discovery } = this.parts
    const [group = '', version] = root === 'api' ? ['', ...rest] : rest
    const found = rest.length === 0 || (version === undefined ? discovery.group(group) : discovery.resourceList(group, version))
    if (!found || rest.length > (root === 'api' ? 1 : 2)) return this.missing(request)
    // the groups, the list of them and custom versions are told by others than the router, whatever the method
    const routed = root === 'api' || (rest.length > 1 && discovery.isBuiltIn(group))
    if (routed && call.method !== 'GET') throw ApiError.methodNotSupported()
    if (routed) assertAccepted(call.headers['accept'])
    const accepted = negotiateDiscovery({ headers: call.headers, query: request.query }, { mayAggregate: rest.length === 0 })
    const written = (document: unknown): Outcome => ({ type: 'document', document, accepted })
    if (rest.length > 0) return written(found)
    if (accepted.as === 'APIGroupDiscoveryList') return aggregatedOutcome(discovery.aggregated(root === 'api'), accepted, call)
    if (root === 'apis') return written(discovery.groupList())
    const addresses = [{ clientCIDR: '0.0.0.0/0', serverAddress: call.headers['host'] ?? '' }]
    return written({ kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: addresses })
  }

  private health(endpoint: string, rest: readonly string[], { query }: RequestInfo): Outcome {
    const excluded = query.getAll('exclude')
    const all = checksOf(endpoint)
    if (rest.length > 0) {
      const known = all.includes(rest.join('/'))
      return { type: 'text', status: known ? 200 : 404, text: known ? 'ok' : '404 page not found\n' }
    }
    if (!query.has('verbose')) return { type: 'text', status: 200, text: 'ok' }
    const lines = [...all.map((name) => `[+]${name} ${excluded.includes(name) ? 'excluded: ok' : 'ok'}`), `${endpoint} check passed`]
    return { type: 'text', status: 200, text: `${lines.join('\n')}\n` }
  }

  private openApi(call: ApiCall, [version, ...rest]: readonly string[], request: RequestInfo): Outcome {
    const custom = this.parts.customKinds()
    if (version === 'v2' && rest.length === 0) {
      const form = openApiForm(call.headers['accept'], [openApiProtobufAsked, openApiProtobuf])
      const vary = 'Accept-Encoding, Accept'
      if (!form) return notAcceptable(vary)
      const whole = this.once(`v2 ${form}`, () => openApiVersion2(custom, form, this.remoteVersions2()))
      const headers = { etag: `"${whole.hash}"`, vary }
      if (call.headers['if-none-match'] === headers.etag) return { type: 'text', status: 304, text: '', headers }
      return { type: 'document', document: whole.bytes, headers, ...(form === 'protobuf' && { contentType: openApiProtobuf }) }
    }
    if (version !== 'v3') return this.missing(request)
    const remotes = new Map<string, Rendered>([
      ...(this.parts.measures ? metricsVersion3() : []),
      ...this.parts.remotes().flatMap((one) => (one.openApi ? [[`apis/${one.group}/${one.version}`, rendered(one.openApi)] as const] : [])),
    ])
    // the aggregator's own index has a type that Go guesses
    if (rest.length === 0) {
      const index = this.once('v3', () => Buffer.from(JSON.stringify(openApiIndex(custom, remotes))))
      return { type: 'document', document: index, contentType: 'text/plain; charset=utf-8' }
    }
    const path = rest.join('/')
    const found = this.once(`v3/${path}`, () => remotes.get(path) ?? openApiDocument(path, custom))
    if (!found) return { type: 'text', status: 404, text: '' }
    const form = openApiForm(call.headers['accept'], [openApi3ProtobufAsked, openApi3Protobuf])
    if (!form) return notAcceptable('Accept')
    const contentType = form === 'protobuf' ? openApi3Protobuf : 'application/json'
    const asked = request.query.get('hash')
    const headers: Record<string, string> = { etag: `"${found.hash}"`, vary: 'Accept' }
    if (asked && asked !== found.hash) {
      const location = `/openapi/v3/${path}?hash=${found.hash}`
      return { type: 'text', status: 301, text: '', headers: { ...headers, 'content-type': contentType, location } }
    }
    if (asked) Object.assign(headers, { 'cache-control': 'public, immutable', expires: aYearFrom(this.parts.now()) })
    if (call.headers['if-none-match'] === headers['etag']) return { type: 'text', status: 304, text: '', headers }
    const whole = form === 'protobuf' ? openApiDocumentInProtobuf(found) : found
    return { type: 'document', document: whole.bytes, headers, contentType }
  }

  private remoteVersions2() {
    const others = this.parts.remotes().flatMap(({ group, version, openApi2 }) => {
      if (!openApi2) return []
      const document = JSON.parse(Buffer.from(openApi2).toString()) as Record<
        'paths' | 'definitions' | 'parameters',
        Record<string, unknown>
      >
      return [{ prefix: `/apis/${group}/${version}/`, document }]
    })
    return this.parts.measures ? [metricsVersion2(), ...others] : others
  }

  /** Made anew only after what is served has changed. */
  private once<T>(key: string, make: () => T): T {
    const generation = this.parts.generation()
    if (this.generation !== generation) {
      this.generation = generation
      this.made.clear()
    }
    if (!this.made.has(key)) this.made.set(key, make())
    return this.made.get(key) as T
  }

  private metrics(): string {
    const { store, metrics } = this.parts
    const tables = store.tableNames()
    const help = 'Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.'
    const { gitVersion, gitCommit, gitTreeState, buildDate, goVersion, compiler, platform, major, minor } = version
    const build = { buildDate, compiler, gitCommit, gitTreeState, gitVersion, goVersion, major, minor, platform }
    const built = Object.entries(build).map(
      ([name, value]) => `${name.replace(/[A-Z]/, (letter) => `_${letter.toLowerCase()}`)}="${value}"`,
    )
    const lines = [
      `# HELP apiserver_resource_objects [ALPHA] ${help}`,
      '# TYPE apiserver_resource_objects gauge',
      ...tables.map((table) => {
        const [resource, ...group] = table.split('.')
        return `apiserver_resource_objects{group="${group.join('.')}",resource="${resource}"} ${store.count(table)}`
      }),
      `# HELP apiserver_storage_objects [STABLE] [DEPRECATED, consider using apiserver_resource_objects instead] ${help}`,
      '# TYPE apiserver_storage_objects gauge',
      ...tables.map((table) => `apiserver_storage_objects{resource="${table}"} ${store.count(table)}`),
      "# HELP kubernetes_build_info [ALPHA] A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.",
      '# TYPE kubernetes_build_info gauge',
      `kubernetes_build_info{${built.join(',')}} 1`,
    ]
    return `${metrics.text()}${lines.join('\n')}\n`
  }

  private paths(): string[] {
    const { discovery } = this.parts
    const groups = discovery
      .groupNames()
      .flatMap((name) => [`/apis/${name}`, ...discovery.versionsOf(name).map((v) => `/apis/${name}/${v}`)])
    const health = ['healthz', 'livez', 'readyz'].flatMap((name) => [`/${name}`, ...checksOf(name).map((check) => `/${name}/${check}`)])
    const rest = [
      '/api',
      '/api/v1',
      '/apis',
      '/apis/',
      '/metrics',
      '/metrics/slis',
      '/openapi/v2',
      '/openapi/v3',
      '/openapi/v3/',
      '/openid/v1/jwks',
      '/version',
    ]
    return ['/.well-known/openid-configuration', ...groups, ...health, ...rest].sort()
  }
}

/** The first form that a client would have: OpenAPI documents come as JSON and protobuf, and in no other. */
function openApiForm(accept: string | undefined, protobuf: readonly string[]): 'json' | 'protobuf' | undefined {
  for (const { type } of clausesOf(accept)) {
    if (type === '*/*' || type === 'application/*' || type === 'application/json') return 'json'
    if (protobuf.includes(type)) return 'protobuf'
  }
  return undefined
}

function notAcceptable(vary: string): Outcome {
  return { type: 'text', status: 406, text: '', headers: { vary } }
}

/** Of Accept, what is liked best first. */
function clausesOf(accept = ''): { type: string; liking: number }[] {
  const clauses = (accept || '*/*').split(',').map((clause) => {
    const [type = '', ...parameters] = clause.split(';').map((part) => part.trim())
    const liking = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    return { type, liking: liking === undefined ? 1 : Number(liking) }
  })
  return clauses.sort((a, b) => b.liking - a.liking)
}

/** As RFC 1123 writes times, by Go. */
function aYearFrom(now: number): string {
  const date = new Date(now)
  date.setUTCFullYear(date.getUTCFullYear() + 1)
  return date.toUTCString().replace('GMT', 'UTC')
}

/** KEP 3466: each check as a gauge, by its name and endpoint. */
function healthMetrics(): string {
  const endpoints = ['healthz', 'livez', 'readyz']
  const lines = [...readyChecks]
    .sort()
    .flatMap((name) =>
      endpoints
        .filter((type) => checksOf(type).includes(name))
        .map((type) => `kubernetes_healthcheck{name=${JSON.stringify(name)},type=${JSON.stringify(type)}} 1`),
    )
  const head = [
    '# HELP kubernetes_healthcheck [STABLE] This metric records the result of a single healthcheck.',
    '# TYPE kubernetes_healthcheck gauge',
  ]
  return `${[...head, ...lines].join('\n')}\n`
}

/** As the server writes what nobody can have in another form. */
function prettyJson(value: unknown): Outcome {
  return { type: 'text', status: 200, text: JSON.stringify(value, undefined, 2), headers: { 'content-type': 'application/json' } }
}

/** What a server has ready for those who check tokens: the same bytes for everybody. */
function keptForAnHour(value: object, contentType = 'application/json'): Outcome {
  const headers = { 'cache-control': 'public, max-age=3600' }
  return { type: 'document', document: Buffer.from(JSON.stringify(value)), contentType, headers }
}

function aggregatedOutcome({ document, etag }: { document: unknown; etag: string }, accepted: Accepted, call: ApiCall): Outcome {
  const headers = { etag: `"${etag}"`, vary: 'Accept', 'cache-control': 'public' }
  if (call.headers['if-none-match'] === headers.etag) return { type: 'text', status: 304, text: '', headers }
  const contentType = `${accepted.mediaType};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`
  return { type: 'document', document, accepted, contentType, headers }
}
