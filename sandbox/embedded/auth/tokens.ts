import { createHash, createPublicKey, type KeyObject, randomUUID, sign, verify } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Cache } from '../machinery/context.ts'
import { type KubeObject, type Resource, resources, type UserInfo } from '../machinery/object.ts'
import type { ClusterIdentity } from './certificates.ts'

export const issuer = 'https://kubernetes.default.svc.cluster.local'

export interface BoundObject {
  name: string
  uid?: string
}

export interface TokenSpec {
  namespace: string
  serviceAccount: BoundObject
  /** The API server's own when empty. */
  audiences?: readonly string[]
  /** Seconds from now. */
  expirationSeconds: number
  /** Seconds from now after which a use counts as stale. */
  warnAfter?: number
  pod?: BoundObject
  node?: BoundObject
  secret?: BoundObject
}

/** Issues and checks the JSON web tokens of ServiceAccounts (ES256), bound to objects that must still exist when they are used. */
export class ServiceAccountTokens {
  private readonly identity: ClusterIdentity
  private readonly cache: Cache
  private readonly clock: Clock
  private readonly verified = new Map<string, Claims>()
  private keys: { own: KeyObject; shown: KeyObject; head: string } | undefined

  constructor(identity: ClusterIdentity, cache: Cache, clock: Clock) {
    this.identity = identity
    this.cache = cache
    this.clock = clock
  }

  issue(spec: TokenSpec): string {
    const now = Math.floor(this.clock.now() / 1000)
    const { namespace, serviceAccount, pod, node, secret } = spec
    return this.sign({
      aud: spec.audiences?.length ? [...spec.audiences] : [issuer],
      exp: now + spec.expirationSeconds,
      iat: now,
      iss: issuer,
      jti: randomUUID(),
      'kubernetes.io': {
        namespace,
        ...(node ? { node } : {}),
        ...(pod ? { pod } : {}),
        ...(secret ? { secret } : {}),
        serviceaccount: serviceAccount,
        ...(spec.warnAfter ? { warnafter: now + spec.warnAfter } : {}),
      },
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
    })
  }

  /** The token of a Secret of type kubernetes.io/service-account-token: it never ends, and lives as long as the Secret. */
  issueLegacy(namespace: string, account: { name: string; uid: string }, secret: string): string {
    return this.sign({
      iss: legacyIssuer,
      [`${legacyIssuer}/namespace`]: namespace,
      [`${legacyIssuer}/secret.name`]: secret,
      [`${legacyIssuer}/service-account.name`]: account.name,
      [`${legacyIssuer}/service-account.uid`]: account.uid,
      sub: `system:serviceaccount:${namespace}:${account.name}`,
    })
  }

  /**
   * Who the token speaks for, and for which of the asked audiences. Undefined when it is no token of this cluster at all;
   * throws an Error that says why when it is one that no longer holds.
   */
  authenticate(token: string, audiences: readonly string[] = [issuer]): { user: UserInfo; audiences: string[] } | undefined {
    const claims = this.read(token)
    if (!claims) return undefined
    if (claims.iss === legacyIssuer) return this.legacy(claims, token, audiences)
    const matching = audiences.filter((audience) => claims.aud?.includes(audience))
    if (matching.length === 0)
      throw new Error(`token audiences ${goList(claims.aud ?? [])} is invalid for the target audiences ${goList(audiences)}`)
    const now = this.clock.now() / 1000
    if (now > (claims.exp ?? 0) + leeway) throw new Error('service account token has expired')
    if (now < (claims.nbf ?? 0) - leeway) throw new Error('service account token is not valid yet')
    return { user: this.userOf(claims), audiences: matching }
  }

  /** The public key as a JSON web key set, for those who verify tokens elsewhere. */
  keySet(): { keys: Record<string, unknown>[] } {
    const key = this.signing().shown
    return { keys: [{ use: 'sig', ...key.export({ format: 'jwk' }), kid: keyId(key), alg: 'ES256' }] }
  }

  private userOf(claims: Claims): UserInfo {
    const bound = claims['kubernetes.io']
    if (!bound) throw new Error('service account token claims could not be validated')
    const { namespace, serviceaccount, pod, node, secret } = bound
    const account = this.live(resources.serviceAccounts, serviceaccount, namespace)
    if (!account) throw new Error(`serviceaccounts "${serviceaccount.name}" not found`)
    if (account.metadata.uid !== serviceaccount.uid) {
      throw new Error(`service account UID (${account.metadata.uid}) does not match claim (${serviceaccount.uid})`)
    }
    if (this.gone(account)) throw new Error(`service account ${namespace}/${serviceaccount.name} has been deleted`)
    this.checkBound(secret, resources.secrets, 'secret', namespace)
    this.checkBound(pod, resources.pods, 'pod', namespace)
    if (!pod) this.checkBound(node, resources.nodes, 'node')
    const extra: Record<string, string[]> = { 'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`] }
    for (const [kind, reference] of Object.entries({ node, pod })) {
      if (!reference) continue
      extra[`authentication.kubernetes.io/${kind}-name`] = [reference.name]
      if (reference.uid) extra[`authentication.kubernetes.io/${kind}-uid`] = [reference.uid]
    }
    return { ...serviceAccountUser(namespace, serviceaccount.name), uid: serviceaccount.uid, extra }
  }

  private checkBound(reference: BoundObject | undefined, resource: Resource, kind: string, namespace?: string): void {
    if (!reference) return
    const object = this.live(resource, reference, namespace)
    if (!object || this.gone(object)) throw new Error('service account token has been invalidated')
    if (object.metadata.uid !== reference.uid) {
      throw new Error(`${kind} UID (${object.metadata.uid}) does not match service account ${kind} ref claim (${reference.uid})`)
    }
  }

  private legacy(claims: Claims, token: string, audiences: readonly string[]) {
    const claim = (name: string) => String(claims[`${legacyIssuer}/${name}`] ?? '')
    const namespace = claim('namespace')
    const secret = this.cache.get<KubeObject & { data?: Record<string, string> }>(resources.secrets, claim('secret.name'), namespace)
    if (!secret || this.gone(secret)) throw new Error('service account token has been invalidated')
    if (Buffer.from(secret.data?.['token'] ?? '', 'base64').toString() !== token)
      throw new Error("service account token doesn't match server's copy")
    const account = this.cache.get(resources.serviceAccounts, claim('service-account.name'), namespace)
    if (!account) throw new Error(`serviceaccounts "${claim('service-account.name')}" not found`)
    const uid = claim('service-account.uid')
    if (account.metadata.uid !== uid) throw new Error(`ServiceAccount UID (${account.metadata.uid}) does not match claim (${uid})`)
    if (!audiences.includes(issuer))
      throw new Error(`token audiences ${goList([issuer])} is invalid for the target audiences ${goList(audiences)}`)
    return { user: { ...serviceAccountUser(namespace, claim('service-account.name')), uid }, audiences: [issuer] }
  }

  private live(resource: Resource, reference: BoundObject, namespace?: string): KubeObject | undefined {
    return this.cache.get(resource, reference.name, namespace)
  }

  private gone(object: KubeObject): boolean {
    const deleted = object.metadata.deletionTimestamp
    return deleted !== undefined && Date.parse(deleted) < this.clock.now() - leeway * 1000
  }

  private sign(claims: Record<string, unknown>): string {
    const { own, head } = this.signing()
    const text = `${head}.${part(claims)}`
    return `${text}.${joseSignature(sign('sha256', Buffer.from(text), own)).toString('base64url')}`
  }

  private signing() {
    if (this.keys) return this.keys
    const own = this.identity.serviceAccountKey()
    const shown = createPublicKey(own)
    this.keys = { own, shown, head: part({ alg: 'ES256', kid: keyId(shown) }) }
    return this.keys
  }

  /** The claims when the signature is ours. */
  private read(token: string): Claims | undefined {
    const known = this.verified.get(token)
    if (known) return known
    const [head, body, signature, ...rest] = token.split('.')
    if (!head || !body || !signature || rest.length > 0) return undefined
    const key = { key: this.signing().shown, dsaEncoding: 'ieee-p1363' as const }
    if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) return undefined
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims
    if (claims.iss !== issuer && claims.iss !== legacyIssuer) return undefined
    if (this.verified.size >= 512) this.verified.clear()
    this.verified.set(token, claims)
    return claims
  }
}

/** The user of a ServiceAccount, as the API server sees it. */
function serviceAccountUser(namespace: string, name: string): UserInfo {
  return {
    username: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  }
}

/** /.well-known/openid-configuration, for an API server at this `host:port`. */
export function openIdConfiguration(host: string): Record<string, unknown> {
  return {
    issuer,
    jwks_uri: `https://${host}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  }
}

interface Claims {
  iss?: string
  aud?: string[]
  exp?: number
  nbf?: number
  jti?: string
  'kubernetes.io'?: { namespace: string; serviceaccount: BoundObject; pod?: BoundObject; node?: BoundObject; secret?: BoundObject }
  [claim: string]: unknown
}

const legacyIssuer = 'kubernetes/serviceaccount'
/** Seconds by which clocks may differ. */
const leeway = 60

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function keyId(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url')
}

function goList(items: readonly string[]): string {
  return `[${items.map((item) => JSON.stringify(item)).join(' ')}]`
}

/**
 * r and s of an ECDSA signature over P-256, 32 bytes each (RFC 7518, 3.4), of what OpenSSL gives in DER. Node can do it as well, in three
 * times the time of a signature, which each Pod's token needs.
 */
function joseSignature(der: Buffer): Buffer {
  const joined = Buffer.alloc(64)
  let at = 2
  for (const end of [32, 64]) {
    const length = der[at + 1] as number
    const number = der.subarray(at + 2, at + 2 + length)
    const digits = number.subarray(Math.max(0, length - 32))
    digits.copy(joined, end - digits.length)
    at += 2 + length
  }
  return joined
}
