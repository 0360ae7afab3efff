import type { KubeObject, UserInfo } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/index.ts'

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT'

/** One write on its way through admission, in the version in which it was asked for. */
export interface AdmissionRequest {
  readonly operation: AdmissionOperation
  readonly info: ResourceInfo
  /** '' for the resource itself. */
  readonly subresource: string
  readonly namespace: string
  /** May be empty when generateName makes it later. */
  readonly name: string
  readonly user: UserInfo
  readonly dryRun: boolean
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions as the client sent them. */
  readonly options: Readonly<Record<string, unknown>>
  /** The request's own copy, which `mutate` may change or replace; for a subresource its body (Eviction, TokenRequest...). Absent on DELETE. */
  object?: KubeObject
  /** Frozen. Absent on CREATE and CONNECT. */
  readonly oldObject?: KubeObject
  /** Adds a `Warning:` header to the answer. */
  warn(text: string): void
}

/** The admission chain. Both phases reject with the ApiError that the client gets; `validate` changes nothing. */
export interface Admission {
  mutate(request: AdmissionRequest): Promise<void>
  validate(request: AdmissionRequest): Promise<void>
}
