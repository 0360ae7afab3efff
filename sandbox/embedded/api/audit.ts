import type { Records } from '../machinery/context.ts'
import type { UserInfo } from '../machinery/object.ts'
import type { RequestInfo } from './request-info.ts'

/** audit.k8s.io/v1 Event at level Metadata: who asked what, and what came of it. */
export interface AuditEvent {
  kind: 'Event'
  apiVersion: 'audit.k8s.io/v1'
  level: 'Metadata'
  auditID: string
  stage: 'ResponseComplete'
  requestURI: string
  verb: string
  user: { username: string; uid?: string; groups: string[]; extra?: Record<string, string[]> }
  sourceIPs: string[]
  userAgent?: string
  objectRef?: {
    resource: string
    namespace?: string
    name?: string
    uid?: string
    apiGroup?: string
    apiVersion: string
    resourceVersion?: string
    subresource?: string
  }
  responseStatus: { metadata: Record<string, never>; status?: string; message?: string; reason?: string; code: number }
  /** RFC 3339 with microseconds, as all of the audit log. */
  requestReceivedTimestamp: string
  stageTimestamp: string
  annotations: Record<string, string>
}

/** A request that has come by HTTP and been answered. */
export interface AuditedRequest {
  id: string
  url: string
  user: UserInfo
  request: RequestInfo
  sourceIp: string
  userAgent: string | undefined
  /** Cluster ms. */
  received: number
  answered: number
  code: number
  /** The Status of an answer that is an error. */
  failure?: { message?: string; reason?: string } | undefined
  /** The object of a successful answer. */
  object?: { metadata?: { name?: string; uid?: string; resourceVersion?: string } } | undefined
  annotations: Readonly<Record<string, string>>
}

/** So many events are kept; the oldest give way. */
const mostEvents = 2000
/** Characters of what an event says of a refusal, which may be as long as what was refused. */
const longestMessage = 4 * 2 ** 10
const prefix = 'audit/'
const countRecord = 'audit-count'

/**
 * The audit log of a cluster, kept with its state, in its snapshots and forks. By its policy everything that changes
 * something or reaches into a container is noted, every refusal, and who reads Secrets; other reading is not, nor what the
 * cluster's own parts do.
 */
export class AuditLog {
  private readonly records: Records
  private count: number

  constructor(records: Records) {
    this.records = records
    this.count = records.get<number>(countRecord) ?? 0
  }

  note(asked: AuditedRequest): void {
    if (!isWorthNoting(asked)) return
    this.records.put(prefix + String(this.count % mostEvents).padStart(6, '0'), eventOf(asked))
    this.records.put(countRecord, ++this.count)
  }

  /** Oldest first. */
  events(): AuditEvent[] {
    return auditEvents(Object.fromEntries(this.records.keys(prefix).map((key) => [key, this.records.get(key)])), this.count)
  }
}

/** The audit events among a snapshot's records (`Snapshot.runtime`), oldest first. */
export function auditEvents(records: Readonly<Record<string, unknown>>, count = Number(records[countRecord] ?? 0)): AuditEvent[] {
  const keys = Object.keys(records)
    .filter((key) => key.startsWith(prefix))
    .sort()
  const first = count > mostEvents ? count % mostEvents : 0
  return [...keys.slice(first), ...keys.slice(0, first)].map((key) => records[key] as AuditEvent)
}

const reading = new Set(['get', 'list', 'watch'])
const reaching = new Set(['exec', 'attach', 'portforward', 'proxy'])

function isWorthNoting({ request: { verb, resource }, code, user }: AuditedRequest): boolean {
  if (user.username.startsWith('system:node:')) return false
  if (code === 401 || code === 403) return true
  if (!resource) return false
  // Questions are no deeds.
  if (resource.group === 'authorization.k8s.io' || resource.group === 'authentication.k8s.io') return false
  if (reading.has(verb)) return reaching.has(resource.subresource) || (resource.group === '' && resource.resource === 'secrets')
  return true
}

function eventOf({
  id,
  url,
  user,
  request,
  sourceIp,
  userAgent,
  received,
  answered,
  code,
  failure,
  object,
  annotations,
}: AuditedRequest): AuditEvent {
  const { resource } = request
  const { name, uid, resourceVersion } = object?.metadata ?? {}
  const given = resource?.name || name
  const message = failure?.message?.slice(0, longestMessage)
  const truncated = message !== undefined && message.length < (failure?.message?.length ?? 0)
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: id,
    stage: 'ResponseComplete',
    requestURI: url,
    verb: request.verb,
    user: {
      username: user.username,
      ...(user.uid ? { uid: user.uid } : {}),
      groups: user.groups,
      ...(user.extra && Object.keys(user.extra).length > 0 ? { extra: user.extra } : {}),
    },
    sourceIPs: [sourceIp],
    ...(userAgent ? { userAgent } : {}),
    ...(resource
      ? {
          objectRef: {
            resource: resource.resource,
            ...(resource.namespace ? { namespace: resource.namespace } : {}),
            ...(given ? { name: given } : {}),
            ...(uid ? { uid } : {}),
            ...(resource.group ? { apiGroup: resource.group } : {}),
            apiVersion: resource.version,
            ...(resourceVersion ? { resourceVersion } : {}),
            ...(resource.subresource ? { subresource: resource.subresource } : {}),
          },
        }
      : {}),
    responseStatus: {
      metadata: {},
      ...(failure
        ? {
            status: 'Failure',
            ...(message ? { message } : {}),
            ...(failure.reason ? { reason: failure.reason } : {}),
          }
        : {}),
      code,
    },
    requestReceivedTimestamp: micro(received),
    stageTimestamp: micro(answered),
    annotations: {
      'authorization.k8s.io/decision': code === 403 ? 'forbid' : 'allow',
      ...annotations,
      ...(truncated ? { 'audit.k8s.io/truncated': 'true' } : {}),
    },
  }
}

function micro(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}
