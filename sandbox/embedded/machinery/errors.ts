import type { FieldError } from '../registry/field.ts'
import { atOnce, type Pieces } from './pieces.ts'

/** metav1.Status, the body of every answer that is not an object. */
export interface Status {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: Record<string, never>
  status: 'Success' | 'Failure'
  message?: string
  reason?: StatusReason
  details?: StatusDetails
  code?: number
}

export interface StatusDetails {
  name?: string
  group?: string
  kind?: string
  uid?: string
  causes?: StatusCause[]
  retryAfterSeconds?: number
}

export interface StatusCause {
  reason?: string
  message?: string
  field?: string
}

export type StatusReason =
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Invalid'
  | 'ServerTimeout'
  | 'Timeout'
  | 'TooManyRequests'
  | 'BadRequest'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'RequestEntityTooLarge'
  | 'InternalError'
  | 'Expired'
  | 'ServiceUnavailable'
  | 'UnsupportedMediaType'
  | 'Unknown'

/** What a message calls a resource: `pods`, `deployments.apps`. */
export interface GroupResource {
  readonly group: string
  readonly resource: string
}

export interface GroupKind {
  readonly group: string
  readonly kind: string
}

/**
 * An answer of the API server that is not a success, with the texts of apimachinery's api/errors. `message` is the
 * status' message, so that a log line says what a client reads.
 */
export class ApiError extends Error {
  readonly body: Status

  constructor(code: number, reason: StatusReason | undefined, message: string, details?: StatusDetails, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ApiError'
    this.body = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      ...(reason ? { reason } : {}),
      ...(details ? { details: withoutEmpty(details) } : {}),
      code,
    }
  }

  /** HTTP status. */
  get code(): number {
    return this.body.code ?? 500
  }

  get reason(): StatusReason | undefined {
    return this.body.reason
  }

  static from(status: Status): ApiError {
    return new ApiError(status.code ?? 500, status.reason, status.message ?? '', status.details)
  }

  static notFound(resource: GroupResource, name: string): ApiError {
    return new ApiError(404, 'NotFound', `${qualified(resource)} ${quote(name)} not found`, about(resource, name))
  }

  /** For a path that nothing serves; clients show their own sentence for it. */
  static unknownPath(): ApiError {
    return new ApiError(404, 'NotFound', 'the server could not find the requested resource', {})
  }

  static alreadyExists(resource: GroupResource, name: string): ApiError {
    return new ApiError(409, 'AlreadyExists', `${qualified(resource)} ${quote(name)} already exists`, about(resource, name))
  }

  static generateNameConflict(resource: GroupResource, name: string): ApiError {
    const message = `${qualified(resource)} ${quote(name)} already exists, the server was not able to generate a unique name for the object`
    return new ApiError(409, 'AlreadyExists', message, { ...about(resource, name), retryAfterSeconds: 1 })
  }

  static conflict(resource: GroupResource, name: string, why = objectModified): ApiError {
    const message = `Operation cannot be fulfilled on ${qualified(resource)} ${quote(name)}: ${why}`
    return new ApiError(409, 'Conflict', message, about(resource, name))
  }

  /** Another manager owns fields that an apply wants to set. */
  static applyConflict(message: string, causes: StatusCause[]): ApiError {
    return new ApiError(409, 'Conflict', message, { causes })
  }

  static invalid(kind: GroupKind, name: string, errors: readonly FieldError[]): ApiError {
    return atOnce(ApiError.invalidInPieces(kind, name, errors))
  }

  /** The same where there may be thousands of errors: nothing leaves any of them out, so that nobody else does either. */
  static *invalidInPieces(kind: GroupKind, name: string, errors: readonly FieldError[]): Pieces<ApiError> {
    const causes: StatusCause[] = []
    const told = new Set<string>()
    for (const { reason, message, field } of errors) {
      causes.push({ reason, message, field })
      told.add(`${field}: ${message}`)
      if (causes.length % errorsAtOnce === 0) yield
    }
    const lines = [...told]
    const shown = lines.length > 1 ? `[${lines.join(', ')}]` : lines[0]
    const start = `${kind.group ? `${kind.kind}.${kind.group}` : kind.kind} ${quote(name)} is invalid`
    return new ApiError(422, 'Invalid', shown ? `${start}: ${shown}` : start, { name, group: kind.group, kind: kind.kind, causes })
  }

  static unauthorized(message = 'Unauthorized'): ApiError {
    return new ApiError(401, 'Unauthorized', message)
  }

  static forbidden(resource: GroupResource, name: string, why: string): ApiError {
    const start = !resource.resource
      ? 'forbidden'
      : name
        ? `${qualified(resource)} ${quote(name)} is forbidden`
        : `${qualified(resource)} is forbidden`
    return new ApiError(403, 'Forbidden', `${start}: ${why}`, about(resource, name))
  }

  static badRequest(message: string): ApiError {
    return new ApiError(400, 'BadRequest', message)
  }

  static gone(message: string): ApiError {
    return new ApiError(410, 'Gone', message)
  }

  /** A resource version or continue token that the server no longer has. */
  static expired(message: string): ApiError {
    return new ApiError(410, 'Expired', message)
  }

  static timeout(message: string, retryAfterSeconds = 1): ApiError {
    return new ApiError(504, 'Timeout', `Timeout: ${message}`, { retryAfterSeconds })
  }

  static serverTimeout(resource: GroupResource, operation: string, retryAfterSeconds = 0): ApiError {
    const message = `The ${operation} operation against ${qualified(resource)} could not be completed at this time, please try again.`
    return new ApiError(500, 'ServerTimeout', message, { ...about(resource, operation), retryAfterSeconds })
  }

  static notAcceptable(accepted: readonly string[]): ApiError {
    const message = `only the following media types are accepted: ${accepted.join(', ')}`
    return new ApiError(406, 'NotAcceptable', message)
  }

  static unsupportedMediaType(accepted: readonly string[]): ApiError {
    const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`
    return new ApiError(415, 'UnsupportedMediaType', message)
  }

  /** For a content type that the verb has no way for. */
  static routeUnsupported(): ApiError {
    return new ApiError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {})
  }

  /** For an Accept header that names nothing of what the path has. */
  static routeNotAcceptable(available: readonly string[]): ApiError {
    const message = `406: Not Acceptable\n\nAvailable representations: ${available.join(', ')}`
    return new ApiError(406, 'NotAcceptable', message, {})
  }

  static methodNotAllowed(resource: GroupResource, action: string): ApiError {
    const message = `${action} is not supported on resources of kind ${quote(qualified(resource))}`
    return new ApiError(405, 'MethodNotAllowed', message, about(resource, ''))
  }

  /** For a verb that a served path does not have. */
  /** Of a custom resource (`of`) the refusal says more. */
  static methodNotSupported(of?: { group: string; resource: string }, verb = ''): ApiError {
    if (of) {
      const which = `${of.resource}.${of.group}`
      const message = `${verb} is not supported on resources of kind ${JSON.stringify(which)}`
      return new ApiError(405, 'MethodNotAllowed', message, { group: of.group, kind: of.resource })
    }
    return new ApiError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
  }

  static tooManyRequests(message: string, retryAfterSeconds = 0, causes?: StatusCause[]): ApiError {
    return new ApiError(429, 'TooManyRequests', message, { retryAfterSeconds, causes })
  }

  static entityTooLarge(message: string): ApiError {
    return new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`)
  }

  static internal(cause: unknown): ApiError {
    const text = cause instanceof Error ? cause.message : String(cause)
    return new ApiError(500, 'InternalError', `Internal error occurred: ${text}`, { causes: [{ message: text }] }, cause)
  }

  static serviceUnavailable(message: string): ApiError {
    return new ApiError(503, 'ServiceUnavailable', message)
  }
}

const errorsAtOnce = 5_000

export const objectModified = 'the object has been modified; please apply your changes to the latest version and try again'

/** An answer that is not a Status but a line of text. */
export class PlainError extends ApiError {}

/** The API server does not answer at all: what a client of it says then. */
export class ApiUnreachable extends ApiError {
  /** @param why dial tcp 172.18.0.2:6443: connect: connection refused */
  constructor(why: string, cause?: unknown) {
    super(503, 'ServiceUnavailable', why, undefined, cause)
    this.name = 'ApiUnreachable'
  }
}

/** Whether an error is the server's answer with this reason. */
export function isApiError(error: unknown, reason?: StatusReason): error is ApiError {
  return error instanceof ApiError && (reason === undefined || error.reason === reason)
}

export const isNotFound = (error: unknown): error is ApiError => isApiError(error, 'NotFound')
export const isAlreadyExists = (error: unknown): error is ApiError => isApiError(error, 'AlreadyExists')
export const isConflict = (error: unknown): error is ApiError => isApiError(error, 'Conflict')

/** `deployments.apps`; the bare name in the core group. */
export function qualified({ group, resource }: GroupResource): string {
  return group ? `${resource}.${group}` : resource
}

function about({ group, resource }: GroupResource, name: string): StatusDetails {
  return { name, group, kind: resource }
}

function withoutEmpty(details: StatusDetails): StatusDetails {
  return Object.fromEntries(Object.entries(details).filter(([, value]) => value !== '' && value !== undefined && value !== 0))
}

function quote(text: string): string {
  return JSON.stringify(text)
}
