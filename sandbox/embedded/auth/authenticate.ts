import type { X509Certificate } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { ApiError, PlainError } from '../machinery/errors.ts'
import type { UserInfo } from '../machinery/object.ts'
import { type ClusterIdentity, usageOids } from './certificates.ts'
import { parseDer, subjectOf } from './der.ts'
import { type AuthorizationAttributes, type Authorizer, forbidden, serviceAccountOf } from './rbac.ts'
import type { ServiceAccountTokens } from './tokens.ts'

export interface Credentials {
  /** What the client has shown at TLS: `socket.getPeerX509Certificate()`. It need not have been verified. */
  certificate?: X509Certificate | undefined
  /** Name, value, name, value... as Node's `rawHeaders`, so that repeated headers stay apart. */
  rawHeaders: readonly string[]
}

interface ShownCertificate {
  /** ms since the epoch */
  from: number
  to: number
  fingerprint: string
}

/** Nobody in particular. */
export const anonymous: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] }

/** Finds out who asks: by client certificate, by ServiceAccount token, or nobody in particular (system:anonymous). */
export class Authenticator {
  private readonly identity: ClusterIdentity
  private readonly tokens: ServiceAccountTokens
  private readonly authorizer: Authorizer
  private readonly clock: Clock
  private readonly known = new Map<string, UserInfo | undefined>()
  /** Reading a certificate's parts takes longer than most requests; a connection shows the same one again and again. */
  private readonly shown = new WeakMap<X509Certificate, ShownCertificate>()

  constructor(identity: ClusterIdentity, tokens: ServiceAccountTokens, authorizer: Authorizer, clock: Clock) {
    this.identity = identity
    this.tokens = tokens
    this.authorizer = authorizer
    this.clock = clock
  }

  /**
   * Throws a 401 for credentials that do not hold, and a 403 for an
   * impersonation that is not allowed. `path` is the request's, for its texts.
   */
  authenticate(credentials: Credentials, path: string): UserInfo {
    return this.impersonated(this.requestor(credentials), credentials.rawHeaders, path)
  }

  private requestor({ certificate, rawHeaders }: Credentials): UserInfo {
    const fromCertificate = certificate && this.certificateUser(certificate)
    if (fromCertificate) return fromCertificate
    const token = bearerToken(header(rawHeaders, 'authorization')[0])
    if (token) {
      const user = this.tokenUser(token)
      if (user) return user
    }
    if (certificate || token) throw ApiError.unauthorized()
    return anonymous
  }

  private tokenUser(token: string): UserInfo | undefined {
    try {
      return this.tokens.authenticate(token)?.user
    } catch (error) {
      throw new ApiError(401, 'Unauthorized', 'Unauthorized', undefined, error)
    }
  }

  private certificateUser(certificate: X509Certificate): UserInfo | undefined {
    let shown = this.shown.get(certificate)
    if (!shown) {
      const { validFrom, validTo, fingerprint256 } = certificate
      shown = { from: Date.parse(validFrom), to: Date.parse(validTo), fingerprint: fingerprint256 }
      this.shown.set(certificate, shown)
    }
    const now = this.clock.now()
    const { from, to, fingerprint } = shown
    if (now < from || now > to) return undefined
    if (!this.known.has(fingerprint)) {
      if (this.known.size >= 256) this.known.clear()
      this.known.set(fingerprint, this.verifiedUser(certificate))
    }
    return this.known.get(fingerprint)
  }

  private verifiedUser(certificate: X509Certificate): UserInfo | undefined {
    const { ca } = this.identity
    if (!certificate.checkIssued(ca) || !certificate.verify(ca.publicKey)) return undefined
    if (!certificate.keyUsage?.includes(usageOids['client auth'])) return undefined
    const { commonName, organizations } = subjectOf(parseDer(certificate.raw))
    if (!commonName) return undefined
    const digest = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
    return {
      username: commonName,
      groups: withAuthenticated(organizations),
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${digest}`] },
    }
  }

  private impersonated(requestor: UserInfo, rawHeaders: readonly string[], path: string): UserInfo {
    const username = header(rawHeaders, 'impersonate-user')[0] ?? ''
    const groups = header(rawHeaders, 'impersonate-group')
    const uid = header(rawHeaders, 'impersonate-uid')[0] ?? ''
    const extra = extraHeaders(rawHeaders)
    if (!username) {
      if (groups.length === 0 && !uid && extra.length === 0) return requestor
      throw new PlainError(
        500,
        undefined,
        `Internal Server Error: ${JSON.stringify(path)}: requested ${described(groups, extra, uid)} without impersonating a user`,
      )
    }
    const allow = (attributes: Omit<AuthorizationAttributes, 'user' | 'verb'>) => {
      const asked = { ...attributes, user: requestor, verb: 'impersonate' }
      const { allowed, reason } = this.authorizer.authorize(asked)
      if (!allowed) throw forbidden(asked, reason)
    }
    const account = serviceAccountOf(username)
    if (account) allow({ resource: 'serviceaccounts', ...account })
    else allow({ resource: 'users', name: username })
    for (const group of groups) allow({ resource: 'groups', name: group })
    for (const [key, value] of extra) allow({ group: authentication, version: 'v1', resource: 'userextras', subresource: key, name: value })
    if (uid) allow({ group: authentication, version: 'v1', resource: 'uids', name: uid })
    const own = account && groups.length === 0 ? ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`] : groups
    return {
      username,
      ...(uid ? { uid } : {}),
      groups: username === 'system:anonymous' ? withUnauthenticated(own) : withAuthenticated(own),
      ...(extra.length
        ? {
            extra: Object.fromEntries(
              Map.groupBy(extra, ([key]) => key)
                .entries()
                .map(([key, pairs]) => [key, pairs.map(([, value]) => value)]),
            ),
          }
        : {}),
    }
  }
}

const authentication = 'authentication.k8s.io'
const extraPrefix = 'impersonate-extra-'

function header(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const given = rawHeaders[index] as string
    if (given.length === name.length && given.toLowerCase() === name) values.push(rawHeaders[index + 1] as string)
  }
  return values
}

function extraHeaders(rawHeaders: readonly string[]): [key: string, value: string][] {
  const extra: [key: string, value: string][] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const given = rawHeaders[index] as string
    if (given.length <= extraPrefix.length) continue
    const name = given.toLowerCase()
    if (name.startsWith(extraPrefix)) extra.push([unescapeKey(name.slice(extraPrefix.length)), rawHeaders[index + 1] as string])
  }
  return extra
}

/** A key that is not well escaped counts as it stands. */
function unescapeKey(key: string): string {
  return /%(?![0-9a-f]{2})/.test(key)
    ? key
    : Buffer.from(
        key.replace(/%([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
        'latin1',
      ).toString()
}

function bearerToken(value: string | undefined): string | undefined {
  const match = value?.trim().match(/^bearer\s+(\S+)/i)
  return match?.[1]
}

function withAuthenticated(groups: readonly string[]): string[] {
  return groups.includes('system:authenticated') || groups.includes('system:unauthenticated')
    ? [...groups]
    : [...groups, 'system:authenticated']
}

function withUnauthenticated(groups: readonly string[]): string[] {
  return groups.includes('system:unauthenticated') ? [...groups] : [...groups, 'system:unauthenticated']
}

/** The references as Go prints a list of ObjectReferences. */
function described(groups: string[], extra: [string, string][], uid: string): string {
  const references = [
    ...groups.map((group) => `{Group  ${group}    }`),
    ...extra.map(([key, value]) => `{UserExtra  ${value}  authentication.k8s.io/v1  ${key}}`),
    ...(uid ? [`{UID  ${uid}  authentication.k8s.io/v1  }`] : []),
  ]
  return `[${references.join(' ')}]`
}
