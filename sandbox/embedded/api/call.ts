import type { Status } from '../machinery/errors.ts'
import type { KubeObject, UserInfo } from '../machinery/object.ts'
import type { ResourceInfo } from '../registry/index.ts'
import type { Listing } from './listing.ts'
import type { Accepted } from './negotiation.ts'
import type { RequestInfo, ResourcePath } from './request-info.ts'
import type { WatchEvent } from './watch.ts'
import type { YamlReading } from './yaml-reading.ts'

/** One request, whatever brought it. The user is known; what they may do isn't yet decided. */
export interface ApiCall {
  method: string
  /** Path and query. */
  url: string
  /** Lower-case names. */
  headers: Readonly<Record<string, string | undefined>>
  user: UserInfo
  /** As it came in. */
  body?: Uint8Array
  /** Instead of bytes, from within the process: plain data of the content type's model. */
  value?: unknown
  signal: AbortSignal
  /** Resolves when others have had their turn: awaited amid work on something large. */
  pause?(): Promise<void>
  /** What a large body of YAML was read as beside this thread. */
  yaml?: YamlReading
  /** Where what the audit log is to say of it beside is gathered. */
  annotations?: Record<string, string>
  /** Where warnings are gathered, so that a refusal brings them too. */
  warnings?: string[]
}

/** A call to a resource that is served, past authorization. */
export interface ResourceCall extends ApiCall {
  /** What is sent, or handed in from within, is large. */
  large: boolean
  request: RequestInfo
  path: ResourcePath
  info: ResourceInfo
  warn(text: string): void
  /** For the audit log. */
  annotate(key: string, value: string): void
}

/** What a call comes to, before it is put into the form that the client asked for. */
export type Outcome =
  | ObjectOutcome
  | { type: 'list'; listing: Listing }
  /** Its events by batches. */
  | { type: 'watch'; info: ResourceInfo; events: AsyncIterable<readonly WatchEvent[]> }
  | DocumentOutcome
  | { type: 'text'; status: number; text: string; headers?: Record<string, string> }
  /** Bytes as somebody else answered. */
  | { type: 'raw'; status: number; headers: Record<string, string>; body: Uint8Array }
  /** What an aggregated server has answered. */
  | { type: 'forwarded'; status: number; headers: Record<string, string>; chunks: AsyncIterable<Uint8Array> }
  | { type: 'stream'; contentType: string; chunks: AsyncIterable<Uint8Array> }

export interface ObjectOutcome {
  type: 'object'
  status: number
  object: KubeObject | Status
  /** Of which kind it is, where it may be shown as a table or by its metadata. */
  info?: ResourceInfo
  /** What the real server holds it in, where that does not follow from its kind. */
  goType?: string
}

export interface DocumentOutcome {
  type: 'document'
  status?: number
  /** Bytes, or plain data. */
  document: unknown
  /** The form in which it is to be written; JSON where there is no other. */
  accepted?: Accepted
  contentType?: string
  headers?: Record<string, string>
}

export function objectOutcome(object: KubeObject | Status, info?: ResourceInfo, status = 200): ObjectOutcome {
  return { type: 'object', status, object, ...(info ? { info } : {}) }
}
