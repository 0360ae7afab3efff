import type { ApiCall } from './call.ts'
import type { RequestInfo, ResourcePath } from './request-info.ts'

interface Series {
  labels: Record<string, string>
  count: number
}

interface Durations extends Series {
  /** s, of all. */
  sum: number
  /** How many fell between each of `bounds` and the one before. */
  within: number[]
  /** The count of requests with these labels, by status. */
  readonly requests: Map<number, Series>
}

/** Upper bounds of kube-apiserver's buckets of durations, s. */
const bounds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]

/** Subresources that are a conversation, whatever the method that asks for one. */
const connects = ['attach', 'exec', 'portforward', 'proxy']
const mutating = ['POST', 'PUT', 'PATCH', 'DELETE', 'APPLY']

/**
 * What kube-apiserver counts of its requests, as it names and labels it (staging/src/k8s.io/apiserver/pkg/endpoints/metrics).
 * Of paths that are no resource's it counts health, discovery's roots and OpenAPI v3.
 */
export class RequestMetrics {
  /** Cluster ms. */
  private readonly now: () => number
  private readonly requests = new Map<string, Series>()
  private readonly durations = new Map<string, Durations>()
  private readonly longRunning = new Map<string, Series>()
  private readonly deprecated = new Map<string, Series>()
  private readonly inFlight = { mutating: 0, readOnly: 0 }

  constructor(now: () => number) {
    this.now = now
  }

  /** Counts a request from now on; `answered` is to be called once, with its status. */
  begin(call: ApiCall, request: RequestInfo): { answered(code: number): void } {
    const labels = labelsOf(call, request)
    if (!labels) return { answered: () => {} }
    const began = this.now()
    const { verb } = labels
    if (verb === 'WATCH' || verb === 'CONNECT') return { answered: (code) => this.lasts(call, labels, code, began) }
    const kind = mutating.includes(verb) ? 'mutating' : 'readOnly'
    this.inFlight[kind]++
    return {
      answered: (code) => {
        this.inFlight[kind]--
        this.ended(labels, code, began)
      },
    }
  }

  /** Remembers that somebody asked for what is deprecated. */
  usedDeprecated({ group, version, resource, subresource }: ResourcePath): void {
    seriesOf(this.deprecated, { group, removed_release: '', resource, subresource, version }, countOf).count = 1
  }

  /** In the text format of Prometheus. */
  text(): string {
    const lines: string[] = []
    const family = (name: string, type: string, help: string, series: Iterable<Series>) => {
      lines.push(`# HELP ${name} [STABLE] ${help}`, `# TYPE ${name} ${type}`)
      for (const { labels, count } of series) lines.push(`${name}${written(labels)} ${count}`)
    }
    family('apiserver_current_inflight_requests', 'gauge', helps.inFlight, [
      { labels: { request_kind: 'mutating' }, count: this.inFlight.mutating },
      { labels: { request_kind: 'readOnly' }, count: this.inFlight.readOnly },
    ])
    family('apiserver_longrunning_requests', 'gauge', helps.longRunning, this.longRunning.values())
    family('apiserver_request_duration_seconds', 'histogram', helps.duration, [])
    for (const { labels, count, sum, within } of this.durations.values()) {
      let atMost = 0
      for (const [index, bound] of bounds.entries()) {
        atMost += within[index] ?? 0
        lines.push(`apiserver_request_duration_seconds_bucket${written({ ...labels, le: String(bound) })} ${atMost}`)
      }
      lines.push(`apiserver_request_duration_seconds_bucket${written({ ...labels, le: '+Inf' })} ${count}`)
      lines.push(`apiserver_request_duration_seconds_sum${written(labels)} ${sum}`)
      lines.push(`apiserver_request_duration_seconds_count${written(labels)} ${count}`)
    }
    family('apiserver_request_total', 'counter', helps.total, this.requests.values())
    family('apiserver_requested_deprecated_apis', 'gauge', helps.deprecated, this.deprecated.values())
    return `${lines.join('\n')}\n`
  }

  reset(): void {
    for (const series of [this.requests, this.durations, this.deprecated]) series.clear()
  }

  /** Goes on after its answer has begun, until the caller or the server ends it; a refusal has ended already. */
  private lasts(call: ApiCall, labels: Labels, code: number, began: number): void {
    if (code >= 400 || call.signal.aborted) {
      this.ended(labels, code, began)
      return
    }
    const { dry_run: _, ...shown } = labels
    const series = seriesOf(this.longRunning, shown, countOf)
    series.count++
    const end = () => {
      series.count--
      this.ended(labels, code, began)
    }
    call.signal.addEventListener('abort', end, { once: true })
  }

  private ended(labels: Labels, code: number, began: number): void {
    const seconds = (this.now() - began) / 1000
    const durations = seriesOf(this.durations, labels, durationsOf)
    let requests = durations.requests.get(code)
    if (!requests) {
      requests = seriesOf(this.requests, { code: String(code), ...labels }, countOf)
      durations.requests.set(code, requests)
    }
    requests.count++
    durations.count++
    durations.sum += seconds
    const bucket = bounds.findIndex((bound) => seconds <= bound)
    if (bucket >= 0) durations.within[bucket] = (durations.within[bucket] ?? 0) + 1
  }
}

const helps = {
  inFlight: 'Maximal number of currently used inflight request limit of this apiserver per request kind in last second.',
  longRunning:
    'Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.',
  duration:
    'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
  total:
    'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
  deprecated:
    'Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, subresource, and removed_release.',
}

type Labels = Record<'component' | 'dry_run' | 'group' | 'resource' | 'scope' | 'subresource' | 'verb' | 'version', string>

/** Undefined for what is not counted. */
function labelsOf(call: ApiCall, { path, resource, verb, query }: RequestInfo): Labels | undefined {
  const method = call.method === 'HEAD' ? 'GET' : call.method
  if (!resource) {
    const shown = shownPath(path)
    const component = shown?.startsWith('api') ? 'apiserver' : ''
    if (!shown) return undefined
    return { component, dry_run: '', group: '', resource: '', scope: '', subresource: shown, verb: method, version: '' }
  }
  const { group, version, namespace, name, subresource } = resource
  const dryRun = query.getAll('dryRun')
  return {
    component: 'apiserver',
    dry_run: dryRun.length === 0 || dryRun.every((value) => value === 'All') ? (dryRun[0] ?? '') : 'invalid',
    group,
    resource: resource.resource,
    scope: name || verb === 'create' ? 'resource' : namespace ? 'namespace' : 'cluster',
    subresource,
    verb: connects.includes(subresource) ? 'CONNECT' : reported(verb, method, call.headers['content-type']),
    version,
  }
}

function shownPath(path: string): string | undefined {
  if (/^\/apis?\/?$/.test(path)) return path.replaceAll('/', '')
  if (path.startsWith('/openapi/v3/')) return 'openapi/v3/'
  return path === '/openapi/v3' ? 'openapi/v3' : /^\/(healthz|livez|readyz)(?=\/|$)/.exec(path)?.[0]
}

function reported(verb: string, method: string, contentType = ''): string {
  if (verb === 'list' || verb === 'watch') return verb.toUpperCase()
  return method === 'PATCH' && /^application\/apply-patch\+/.test(contentType) ? 'APPLY' : method
}

/** The series of these labels, which begins with the first that is counted in it. */
function seriesOf<T extends Series>(all: Map<string, T>, labels: Record<string, string>, begun: (labels: Record<string, string>) => T): T {
  const key = Object.values(labels).join('\n')
  let series = all.get(key)
  if (!series) all.set(key, (series = begun(labels)))
  return series
}

function countOf(labels: Record<string, string>): Series {
  return { labels, count: 0 }
}

function durationsOf(labels: Record<string, string>): Durations {
  return { labels, count: 0, sum: 0, within: bounds.map(() => 0), requests: new Map() }
}

function written(labels: Record<string, string>): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return `{${parts.join(',')}}`
}
