import { X509Certificate } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { ClusterClock } from '../clock.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import type { TokenRequest } from '../schema/types/authentication.v1.ts'
import { Authenticator } from './authenticate.ts'
import { bootstrapPolicy } from './bootstrap-policy.ts'
import { MemoryCache } from './cache.fixture.ts'
import { ClusterIdentity } from './certificates.ts'
import { Authorizer } from './rbac.ts'
import { memoryRecords } from './records.fixture.ts'
import { Reviews } from './reviews.ts'
import { createToken } from './token-request.ts'
import { ServiceAccountTokens } from './tokens.ts'

let clock: ClusterClock
let identity: ClusterIdentity
let cache: MemoryCache
let tokens: ServiceAccountTokens
let authenticator: Authenticator
let reviews: Reviews

beforeEach(() => {
  clock = new ClusterClock({ rate: 0, start: Date.UTC(2026, 0, 1) })
  identity = new ClusterIdentity(memoryRecords(), clock)
  cache = new MemoryCache()
  const byKind = {
    Role: 'roles',
    RoleBinding: 'roleBindings',
    ClusterRole: 'clusterRoles',
    ClusterRoleBinding: 'clusterRoleBindings',
  } as const
  for (const object of bootstrapPolicy()) cache.put(resources[byKind[object.kind as keyof typeof byKind]], object)
  tokens = new ServiceAccountTokens(identity, cache, clock)
  const authorizer = new Authorizer(cache)
  authenticator = new Authenticator(identity, tokens, authorizer, clock)
  reviews = new Reviews(authorizer, tokens, clock)
  cache.put(resources.serviceAccounts, object('v1', 'ServiceAccount', 'bot', 'sa-uid'))
  cache.put(resources.pods, {
    ...object('v1', 'Pod', 'web', 'pod-uid'),
    spec: { serviceAccountName: 'bot', nodeName: 'n1', containers: [] },
  } as KubeObject)
})

function object(apiVersion: string, kind: string, name: string, uid: string): KubeObject {
  return { apiVersion, kind, metadata: { name, namespace: 'team', uid } }
}

function clientCertificate(username: string, groups: string[], ttl?: number): X509Certificate {
  return new X509Certificate(identity.client({ username, groups, ...(ttl ? { ttl } : {}) }).certificate)
}

function request(spec: Partial<TokenRequest['spec']>): TokenRequest {
  return { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: {}, spec } as TokenRequest
}

function who(...rawHeaders: string[]) {
  return authenticator.authenticate({ rawHeaders }, '/api')
}

describe('client certificates', () => {
  it('name their user and groups', () => {
    const user = authenticator.authenticate({ certificate: clientCertificate('jane', ['dev', 'ops']), rawHeaders: [] }, '/api')
    expect(user).toMatchObject({ username: 'jane', groups: ['dev', 'ops', 'system:authenticated'] })
  })

  it('of another cluster, past their end or made for servers are refused', async () => {
    const other = new ClusterIdentity(memoryRecords(), clock).client({ username: 'jane', groups: ['system:masters'] })
    const refused = (certificate: X509Certificate) => () => authenticator.authenticate({ certificate, rawHeaders: [] }, '/api')
    expect(refused(new X509Certificate(other.certificate))).toThrow('Unauthorized')
    expect(refused(new X509Certificate(identity.server().certificate))).toThrow('Unauthorized')
    const short = clientCertificate('jane', [], 60)
    expect(refused(short)).not.toThrow()
    await clock.advance(61_000)
    expect(refused(short)).toThrow('Unauthorized')
  })
})

describe('tokens', () => {
  const reference = { kind: 'Pod', apiVersion: 'v1', name: 'web', uid: 'pod-uid' }

  it('speak for their ServiceAccount while it and the pod live', () => {
    const { status } = createToken({ cache, tokens, clock }, 'team', 'bot', request({ boundObjectRef: reference }))
    expect(status?.expirationTimestamp).toBe('2026-01-01T01:00:00Z')
    expect(who('Authorization', `Bearer ${status?.token}`)).toMatchObject({
      username: 'system:serviceaccount:team:bot',
      uid: 'sa-uid',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:team', 'system:authenticated'],
      extra: { 'authentication.kubernetes.io/pod-name': ['web'], 'authentication.kubernetes.io/node-name': ['n1'] },
    })
    cache.remove(resources.pods, 'web', 'team')
    expect(() => who('Authorization', `Bearer ${status?.token}`)).toThrow('Unauthorized')
  })

  it('end', async () => {
    const { status } = createToken({ cache, tokens, clock }, 'team', 'bot', request({ expirationSeconds: 600 }))
    await clock.advance(600_000)
    expect(who('Authorization', `Bearer ${status?.token}`).username).toBe('system:serviceaccount:team:bot')
    await clock.advance(61_000)
    expect(() => who('Authorization', `Bearer ${status?.token}`)).toThrow('Unauthorized')
  })

  it('that are forged, foreign or for another audience are refused', () => {
    const { status } = createToken({ cache, tokens, clock }, 'team', 'bot', request({}))
    const [head, , signature] = String(status?.token).split('.')
    const body = Buffer.from(JSON.stringify({ iss: 'https://kubernetes.default.svc.cluster.local', sub: 'admin' })).toString('base64url')
    expect(() => who('Authorization', `Bearer ${head}.${body}.${signature}`)).toThrow('Unauthorized')
    expect(() => who('Authorization', 'Bearer nonsense')).toThrow('Unauthorized')
    const vault = createToken({ cache, tokens, clock }, 'team', 'bot', request({ audiences: ['vault'] })).status?.token
    expect(() => who('Authorization', `Bearer ${vault}`)).toThrow('Unauthorized')
    const review = (audiences?: string[]) =>
      reviews.create(
        { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: {}, spec: { token: vault, audiences } } as KubeObject,
        { username: 'x', groups: [] },
      )
    expect(review(['vault'])).toMatchObject({
      status: { authenticated: true, audiences: ['vault'], user: { username: 'system:serviceaccount:team:bot' } },
    })
    expect(review()).toMatchObject({
      status: { error: expect.stringContaining('token audiences ["vault"] is invalid for the target audiences') },
    })
  })

  it('are not given for what is not there', () => {
    const ask = (name: string, spec: Partial<TokenRequest['spec']>) => () =>
      createToken({ cache, tokens, clock }, 'team', name, request(spec))
    expect(ask('nobody', {})).toThrow('serviceaccounts "nobody" not found')
    expect(ask('bot', { expirationSeconds: 10 })).toThrow(
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes',
    )
    expect(ask('bot', { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'gone' } })).toThrow('pods "gone" not found')
    expect(ask('bot', { boundObjectRef: { ...reference, uid: 'old' } })).toThrow('does not match the UID in record')
  })
})

describe('impersonation', () => {
  const admin = () => clientCertificate('kubernetes-admin', ['system:masters'])
  const as = (certificate: X509Certificate, ...rawHeaders: string[]) => authenticator.authenticate({ certificate, rawHeaders }, '/api')

  it('takes on user, groups and extra', () => {
    expect(as(admin(), 'Impersonate-User', 'joe')).toEqual({ username: 'joe', groups: ['system:authenticated'] })
    expect(
      as(admin(), 'Impersonate-User', 'joe', 'Impersonate-Group', 'a,b', 'Impersonate-Group', 'c', 'Impersonate-Extra-Scopes', 'view'),
    ).toEqual({
      username: 'joe',
      groups: ['a,b', 'c', 'system:authenticated'],
      extra: { scopes: ['view'] },
    })
    expect(as(admin(), 'Impersonate-User', 'system:serviceaccount:team:bot').groups).toEqual([
      'system:serviceaccounts',
      'system:serviceaccounts:team',
      'system:authenticated',
    ])
  })

  it('needs the verb impersonate, and a user', () => {
    expect(() => as(clientCertificate('jane', []), 'Impersonate-User', 'joe')).toThrow(
      'users "joe" is forbidden: User "jane" cannot impersonate resource "users" in API group "" at the cluster scope',
    )
    expect(() => as(clientCertificate('jane', []), 'Impersonate-User', 'system:serviceaccount:team:bot')).toThrow(
      'serviceaccounts "bot" is forbidden: User "jane" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "team"',
    )
    expect(() => as(admin(), 'Impersonate-Group', 'x')).toThrow(
      'Internal Server Error: "/api": requested [{Group  x    }] without impersonating a user',
    )
  })
})

describe('reviews', () => {
  const review = (kind: string, spec: unknown, user = { username: 'jane', groups: ['system:authenticated'] }) =>
    reviews.create({ apiVersion: 'authorization.k8s.io/v1', kind, metadata: {}, spec } as KubeObject, user) as KubeObject & {
      status: never
    }

  it('answer who may do what', () => {
    const can = { resourceAttributes: { verb: 'list', resource: 'pods', namespace: 'team' } }
    expect(review('SelfSubjectAccessReview', can).status).toEqual({ allowed: false })
    expect(review('SubjectAccessReview', { ...can, user: 'x', groups: ['system:masters'] }).status).toEqual({ allowed: true })
    expect(() => review('SubjectAccessReview', can)).toThrow(
      'spec.user: Invalid value: "": at least one of user or group must be specified',
    )
    expect(() => review('LocalSubjectAccessReview', { resourceAttributes: { namespace: 'other' }, user: 'x' })).toThrow(
      'must match metadata.namespace',
    )
  })

  it('list the rules of oneself', () => {
    expect(review('SelfSubjectRulesReview', { namespace: 'team' }).status).toMatchObject({
      incomplete: false,
      resourceRules: [
        { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'] },
        { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
      ],
    })
  })
})
