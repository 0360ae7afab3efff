import type { Clock } from '../clock.ts'
import type { Cache } from '../machinery/context.ts'
import { ApiError } from '../machinery/errors.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import { type FieldError, invalid, Path } from '../registry/field.ts'
import type { TokenRequest } from '../schema/types/authentication.v1.ts'
import type { Pod } from '../schema/types/core.v1.ts'
import { issuer, type ServiceAccountTokens, type TokenSpec } from './tokens.ts'

export interface TokenRequestContext {
  cache: Cache
  tokens: ServiceAccountTokens
  clock: Clock
}

/** POST .../serviceaccounts/NAME/token: the request with its defaults and, in its status, the token. Throws as the real server refuses. */
export function createToken(context: TokenRequestContext, namespace: string, name: string, request: TokenRequest): TokenRequest {
  const { cache, clock, tokens } = context
  const { metadata = {} } = request
  const mismatch = (field: 'name' | 'namespace', value: string) =>
    ApiError.invalid(requestKind, name, [
      invalid(new Path('metadata').child(field), value, `must match the service account ${field} if specified`),
    ])
  if (metadata.name && metadata.name !== name) throw mismatch('name', metadata.name)
  if (metadata.namespace && metadata.namespace !== namespace) throw mismatch('namespace', metadata.namespace)
  const account = cache.get(resources.serviceAccounts, name, namespace)
  if (!account) throw ApiError.notFound(resources.serviceAccounts, name)
  const uid = account.metadata.uid as string
  if (metadata.uid && metadata.uid !== uid) {
    const why = `the UID in the token request (${metadata.uid}) does not match the UID of the service account (${uid})`
    throw ApiError.conflict(requestResource, name, why)
  }
  const audiences = request.spec?.audiences?.length ? request.spec.audiences : [issuer]
  const expirationSeconds = request.spec?.expirationSeconds ?? 3600
  const errors = validateExpiration(expirationSeconds)
  if (errors.length > 0) throw ApiError.invalid(requestKind, '', errors)
  const bound = boundObject(cache, namespace, name, request)
  const extends_ = bound.pod !== undefined && expirationSeconds === warnOnlySeconds && audiences.every((audience) => audience === issuer)
  const token = tokens.issue({
    namespace,
    serviceAccount: { name, uid },
    audiences,
    expirationSeconds: extends_ ? extendedSeconds : expirationSeconds,
    ...(extends_ ? { warnAfter: expirationSeconds } : {}),
    ...bound,
  })
  const now = clock.now()
  return {
    ...request,
    metadata: { ...metadata, name, namespace, uid, creationTimestamp: seconds(now) },
    spec: { ...request.spec, audiences, expirationSeconds },
    status: { token, expirationTimestamp: seconds(now + expirationSeconds * 1000) },
  }
}

const requestKind = { group: 'authentication.k8s.io', kind: 'TokenRequest' }
const requestResource = { group: 'authentication.k8s.io', resource: 'TokenRequest' }
/** Kubelets ask for this; the API server lets such tokens live a year and only notes late use. */
const warnOnlySeconds = 3607
const extendedSeconds = 365 * 86_400

function validateExpiration(expirationSeconds: number): FieldError[] {
  const path = new Path('spec').child('expirationSeconds')
  if (expirationSeconds < 600) return [invalid(path, expirationSeconds, 'may not specify a duration less than 10 minutes')]
  if (expirationSeconds > 2 ** 32) return [invalid(path, expirationSeconds, 'may not specify a duration larger than 2^32 seconds')]
  return []
}

function boundObject(cache: Cache, namespace: string, account: string, request: TokenRequest): Pick<TokenSpec, 'pod' | 'node' | 'secret'> {
  const reference = request.spec?.boundObjectRef
  if (!reference) return {}
  const core = reference.apiVersion === 'v1'
  const resource = core ? boundResources[reference.kind ?? ''] : undefined
  if (!resource) {
    const [group, version] = reference.apiVersion?.includes('/') ? reference.apiVersion.split('/') : ['', reference.apiVersion ?? '']
    throw ApiError.badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${reference.kind ?? ''}`)
  }
  const name = reference.name ?? ''
  const object = cache.get<KubeObject>(resource, name, resource === resources.nodes ? undefined : namespace)
  if (!object) throw ApiError.notFound(resource, name)
  const uid = object.metadata.uid as string
  const node = resource === resources.pods ? (object as Pod).spec?.nodeName : undefined
  if (resource === resources.pods && (object as Pod).spec?.serviceAccountName !== account) {
    throw ApiError.badRequest(`cannot bind token for serviceaccount "${account}" to pod running with different serviceaccount name.`)
  }
  if (reference.uid && reference.uid !== uid) {
    const why = `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`
    throw ApiError.conflict({ group: '', resource: reference.kind ?? '' }, name, why)
  }
  const bound = { name, uid }
  if (resource === resources.secrets) return { secret: bound }
  if (resource === resources.nodes) return { node: bound }
  if (!node) return { pod: bound }
  const nodeUid = cache.get(resources.nodes, node)?.metadata.uid
  return { pod: bound, node: { name: node, ...(nodeUid ? { uid: nodeUid } : {}) } }
}

const boundResources: Record<string, typeof resources.pods | typeof resources.secrets | typeof resources.nodes> = {
  Pod: resources.pods,
  Secret: resources.secrets,
  Node: resources.nodes,
}

function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
