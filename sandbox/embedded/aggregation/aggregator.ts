import type { ApiCall, Outcome } from '../api/call.ts'
import type { Cache } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { APIService } from '../schema/types/apiregistration.v1.ts'
import type { APIResourceList } from '../schema/types/meta.v1.ts'
import type { Forwarder } from './forward.ts'

/** A group and version that another server answers for. */
export interface RemoteVersion {
  group: string
  version: string
  groupPriority: number
  versionPriority: number
  /** Its discovery, as it was when it last answered. */
  list: APIResourceList | undefined
  /** Its OpenAPI v3 document, the same. */
  openApi: Uint8Array | undefined
  /** The one of version 2. */
  openApi2: Uint8Array | undefined
  available: boolean
}

/** What an aggregated server says of itself, kept between checks. */
export interface Description {
  list: APIResourceList
  openApi: Uint8Array | undefined
  openApi2: Uint8Array | undefined
}

/**
 * The aggregation layer (kube-aggregator): requests for the group and version of an APIService with a Service go there, and
 * discovery tells of them. What this server answers itself under such a name (metrics.k8s.io) it goes on answering, as long
 * as the Service is there.
 */
export class Aggregator {
  private readonly cache: Cache
  private readonly forward: Forwarder
  private readonly answersItself: (group: string, version: string) => boolean
  private readonly descriptions = new Map<string, Description>()
  private changes = 0

  constructor(cache: Cache, forward: Forwarder, answersItself: (group: string, version: string) => boolean) {
    this.cache = cache
    this.forward = forward
    this.answersItself = answersItself
  }

  /** Grows with every change of what discovery is made from. */
  get generation(): number {
    return this.changes
  }

  changed(): void {
    this.changes++
  }

  /** The APIService that has a request's path, when it is another server's. */
  serviceFor(path: string): APIService | undefined {
    const match = /^\/apis\/([^/]+)\/([^/]+)(?:\/|$)/.exec(path)
    if (!match) return undefined
    const service = this.cache.get<APIService>(resources.apiServices, `${match[2]}.${match[1]}`)
    return service?.spec?.service ? service : undefined
  }

  /** The other server's answer; undefined when this one is to answer after all. Never rejects for a server that is not there. */
  async answer(service: APIService, call: ApiCall): Promise<Outcome | undefined> {
    if (!isAvailable(service)) return unavailable('service unavailable')
    if (this.answersItself(service.spec?.group ?? '', service.spec?.version ?? '')) return undefined
    try {
      return { type: 'forwarded', ...(await this.forward(service, call)) }
    } catch (error) {
      return unavailable(`error trying to reach service: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  /** Asks the server for one document. Rejects with an Error that says what came instead. */
  async fetch(service: APIService, path: string, signal: AbortSignal): Promise<Uint8Array> {
    const user = { username: 'system:kube-aggregator', groups: ['system:masters'] }
    const { status, chunks } = await this.forward(service, {
      method: 'GET',
      url: path,
      headers: { accept: 'application/json' },
      user,
      signal,
    })
    const body: Uint8Array[] = []
    for await (const chunk of chunks) body.push(chunk)
    if (status < 200 || status >= 300) throw new BadStatus(status)
    return Buffer.concat(body)
  }

  /** Keeps what a server said of itself; undefined forgets it. */
  describe(name: string, description: Description | undefined): void {
    if (description) this.descriptions.set(name, description)
    else if (!this.descriptions.delete(name)) return
    this.changed()
  }

  descriptionOf(name: string): Description | undefined {
    return this.descriptions.get(name)
  }

  remotes(): RemoteVersion[] {
    return this.cache.list<APIService>(resources.apiServices).flatMap((service) => {
      const { metadata, spec } = service
      const { group = '', version = '' } = spec ?? {}
      if (!spec?.service || this.answersItself(group, version)) return []
      const known = this.descriptions.get(metadata.name ?? '')
      return {
        group,
        version,
        groupPriority: spec.groupPriorityMinimum,
        versionPriority: spec.versionPriority,
        list: known?.list,
        openApi: known?.openApi,
        openApi2: known?.openApi2,
        available: isAvailable(service),
      }
    })
  }
}

/** An answer that is none. */
export class BadStatus extends Error {
  readonly status: number

  constructor(status: number) {
    super(`bad status: ${status}`)
    this.status = status
  }
}

function isAvailable({ status }: APIService): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Available' && value === 'True') ?? false
}

function unavailable(text: string): Outcome {
  return { type: 'text', status: 503, text: `${text}\n` }
}
