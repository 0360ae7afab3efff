import { ApiError } from '../machinery/errors.ts'
import type { KubeObject, UserInfo } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/index.ts'
import type { Reinvocation } from './reinvocation.ts'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

/** One request on its way into the store, as the admission chain sees it. */
export interface AdmissionRequest {
  readonly operation: Operation
  /** Of the URL, so at the version that the client speaks. */
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string }
  /** Of the body: of a subresource with a kind of its own (Scale, Eviction) that one. */
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  /** '' for the resource itself. */
  readonly subresource: string
  /** '' for cluster-scoped resources. */
  readonly namespace: string
  /** '' on a create with generateName, until the name is made. */
  readonly name: string
  /** A draft that mutating plugins change; after them nobody does. Undefined on DELETE. */
  object: KubeObject | undefined
  /** What lies in the store; undefined on CREATE and CONNECT. */
  readonly oldObject: KubeObject | undefined
  readonly user: UserInfo
  readonly dryRun: boolean
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions of the request. */
  readonly options: Readonly<Record<string, unknown>>
  /** Adds a `Warning: 299` header to the answer. */
  warn(text: string): void
  /** Adds to what the audit log says of the request. */
  annotate(key: string, value: string): void
  /**
   * Plain data that somebody has changed, as the server reads an object of
   * the request's kind: its fields alone, with defaults. Throws ApiError.
   */
  read(value: KubeObject): KubeObject
  /** `read` for another version of the kind. */
  readAs(info: ResourceInfo, value: KubeObject): KubeObject
  readonly reinvocation: Reinvocation
}

export type Phase = 'mutate' | 'validate'

/** One admission plugin. A phase that it takes no part in is absent. Both refuse by throwing ApiError. */
export interface AdmissionPlugin {
  readonly name: string
  handles(request: AdmissionRequest): boolean
  mutate?(request: AdmissionRequest): void | Promise<void>
  validate?(request: AdmissionRequest): void | Promise<void>
}

/**
 * The chain: `mutate` runs before the kind's own validation, `validate` after it and last before the write, so that what a
 * plugin counts (quota) is what will be stored.
 */
export class AdmissionChain {
  private readonly plugins: readonly AdmissionPlugin[]

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.plugins = plugins
  }

  /** Throws the refusal of the first plugin that refuses. */
  async admit(phase: Phase, request: AdmissionRequest): Promise<void> {
    await this.round(phase, request)
    const { reinvocation } = request
    if (phase !== 'mutate' || !reinvocation.needed || reinvocation.again) return
    reinvocation.again = true
    await this.round(phase, request)
  }

  private async round(phase: Phase, request: AdmissionRequest): Promise<void> {
    for (const plugin of this.plugins) {
      const work = plugin[phase] && plugin.handles(request) ? plugin[phase](request) : undefined
      if (work) await work
    }
  }
}

/** Whether a request is about this resource itself (or the named subresource of it). */
export function isAbout(request: AdmissionRequest, group: string, resource: string, subresource = ''): boolean {
  return request.resource.group === group && request.resource.resource === resource && request.subresource === subresource
}

/** The 403 of a plugin: `pods "web" is forbidden: WHY`; an object that has no name yet goes by what its name will begin with. */
export function refuse(request: AdmissionRequest, why: string): ApiError {
  const { name, generateName } = request.object?.metadata ?? {}
  return ApiError.forbidden(request.resource, request.name || name || generateName || 'Unknown', why)
}
