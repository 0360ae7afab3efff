import { beforeEach, describe, expect, it } from 'vitest'
import { type KubeObject, resources } from '../machinery/object.ts'
import type { PolicyRule, Subject } from '../schema/types/rbac.v1.ts'
import { bootstrapPolicy } from './bootstrap-policy.ts'
import { MemoryCache } from './cache.fixture.ts'
import { checkEscalation } from './escalation.ts'
import { type AuthorizationAttributes, Authorizer, forbidden } from './rbac.ts'

const apiVersion = 'rbac.authorization.k8s.io/v1'
const byKind: Record<string, (typeof resources)[keyof typeof resources]> = {
  Role: resources.roles,
  RoleBinding: resources.roleBindings,
  ClusterRole: resources.clusterRoles,
  ClusterRoleBinding: resources.clusterRoleBindings,
}

let cache: MemoryCache
let authorizer: Authorizer

beforeEach(() => {
  cache = new MemoryCache()
  for (const object of bootstrapPolicy()) cache.put(byKind[object.kind] as never, object)
  authorizer = new Authorizer(cache)
})

function role(name: string, rules: PolicyRule[], namespace?: string): KubeObject {
  const kind = namespace ? 'Role' : 'ClusterRole'
  const object = { apiVersion, kind, metadata: { name, ...(namespace ? { namespace } : {}) }, rules }
  cache.put(byKind[kind] as never, object)
  return object
}

function bind(name: string, to: string, subjects: Subject[], namespace?: string): KubeObject {
  const kind = namespace ? 'RoleBinding' : 'ClusterRoleBinding'
  const [refKind = '', refName = ''] = to.split('/')
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: refKind, name: refName }
  const object = { apiVersion, kind, metadata: { name, ...(namespace ? { namespace } : {}) }, subjects, roleRef }
  cache.put(byKind[kind] as never, object)
  return object
}

function user(username: string, ...groups: string[]) {
  return { username, groups: [...groups, 'system:authenticated'] }
}

const jane = user('jane')
const janeSubject = { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }

describe('authorization', () => {
  const rules: PolicyRule[] = [
    { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] },
    { verbs: ['update'], apiGroups: ['apps'], resources: ['*/scale'] },
    { verbs: ['get'], apiGroups: [''], resources: ['secrets'], resourceNames: ['ours'] },
    { verbs: ['*'], apiGroups: ['batch'], resources: ['*'] },
  ]
  const cases: [allowed: boolean, ask: Omit<AuthorizationAttributes, 'user'>][] = [
    [true, { verb: 'get', resource: 'pods', namespace: 'team', name: 'web' }],
    [true, { verb: 'get', resource: 'pods', subresource: 'log', namespace: 'team', name: 'web' }],
    [false, { verb: 'create', resource: 'pods', subresource: 'exec', namespace: 'team', name: 'web' }],
    [false, { verb: 'get', resource: 'pods', namespace: 'other', name: 'web' }],
    [false, { verb: 'list', resource: 'pods' }],
    [false, { verb: 'list', group: 'metrics.k8s.io', resource: 'pods', namespace: 'team' }],
    [true, { verb: 'update', group: 'apps', resource: 'deployments', subresource: 'scale', namespace: 'team', name: 'web' }],
    [false, { verb: 'update', group: 'apps', resource: 'deployments', namespace: 'team', name: 'web' }],
    [true, { verb: 'get', resource: 'secrets', namespace: 'team', name: 'ours' }],
    [false, { verb: 'get', resource: 'secrets', namespace: 'team', name: 'theirs' }],
    [false, { verb: 'list', resource: 'secrets', namespace: 'team' }],
    [true, { verb: 'deletecollection', group: 'batch', resource: 'jobs', namespace: 'team' }],
    [true, { verb: 'get', path: '/version' }],
    [true, { verb: 'get', path: '/openapi/v3/apis/apps/v1' }],
    [false, { verb: 'get', path: '/metrics' }],
    [true, { verb: 'create', group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' }],
  ]
  for (const [allowed, ask] of cases) {
    it(`${allowed ? 'grants' : 'refuses'} ${JSON.stringify(ask)}`, () => {
      role('reader', rules, 'team')
      bind('readers', 'Role/reader', [janeSubject], 'team')
      expect(authorizer.authorize({ user: jane, ...ask }).allowed).toBe(allowed)
    })
  }

  it('follows bindings and roles as they change', () => {
    const ask = { user: jane, verb: 'get', resource: 'pods', namespace: 'team', name: 'web' }
    role('reader', rules, 'team')
    expect(authorizer.authorize(ask).allowed).toBe(false)
    bind('readers', 'Role/reader', [janeSubject], 'team')
    expect(authorizer.authorize(ask)).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "readers/team" of Role "reader" to User "jane"',
    })
    bind('readers', 'Role/reader', [{ ...janeSubject, name: 'joe' }], 'team')
    expect(authorizer.authorize(ask).allowed).toBe(false)
    bind('readers', 'Role/reader', [janeSubject], 'team')
    cache.remove(resources.roles, 'reader', 'team')
    expect(authorizer.authorize(ask)).toEqual({ allowed: false, reason: 'RBAC: role.rbac.authorization.k8s.io "reader" not found' })
    cache.remove(resources.roleBindings, 'readers', 'team')
    expect(authorizer.authorize(ask)).toEqual({ allowed: false, reason: '' })
  })

  it('knows ServiceAccounts by their namespace and groups', () => {
    const account = user('system:serviceaccount:team:bot', 'system:serviceaccounts', 'system:serviceaccounts:team')
    bind('bots', 'ClusterRole/view', [{ kind: 'ServiceAccount', name: 'bot', namespace: 'team' }], 'other')
    bind(
      'all-of-team',
      'ClusterRole/view',
      [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'system:serviceaccounts:team' }],
      'third',
    )
    expect(authorizer.authorize({ user: account, verb: 'list', resource: 'pods', namespace: 'other' }).allowed).toBe(true)
    expect(authorizer.authorize({ user: account, verb: 'list', resource: 'pods', namespace: 'third' }).allowed).toBe(true)
    expect(authorizer.authorize({ user: account, verb: 'list', resource: 'secrets', namespace: 'other' }).allowed).toBe(false)
    expect(authorizer.authorize({ user: account, verb: 'list', resource: 'pods', namespace: 'team' }).allowed).toBe(false)
  })

  it('lets anonymous clients see health and version only', () => {
    const anonymous = { username: 'system:anonymous', groups: ['system:unauthenticated'] }
    expect(authorizer.authorize({ user: anonymous, verb: 'get', path: '/livez' }).allowed).toBe(true)
    expect(authorizer.authorize({ user: anonymous, verb: 'get', path: '/api' }).allowed).toBe(false)
    expect(forbidden({ user: anonymous, verb: 'get', path: '/api' }).message).toBe(
      'forbidden: User "system:anonymous" cannot get path "/api"',
    )
  })

  it('refuses in the words of the real server', () => {
    expect(forbidden({ user: jane, verb: 'list', resource: 'pods', namespace: 'y' }).message).toBe(
      'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "y"',
    )
    const deploy = { user: jane, verb: 'patch', group: 'apps', resource: 'deployments', subresource: 'scale', namespace: 'y', name: 'web' }
    expect(forbidden(deploy, 'RBAC: role.rbac.authorization.k8s.io "x" not found').message).toBe(
      'deployments.apps "web" is forbidden: User "jane" cannot patch resource "deployments/scale" in API group "apps" in the namespace "y": RBAC: role.rbac.authorization.k8s.io "x" not found',
    )
    expect(forbidden({ user: jane, verb: 'list', resource: 'nodes' }).message).toBe(
      'nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope',
    )
  })
})

describe('the node authorizer', () => {
  const kubelet = user('system:node:n1', 'system:nodes')

  it('lets a kubelet read only what its own pods use', () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: 'team' },
      spec: { nodeName: 'n1', serviceAccountName: 'bot', containers: [], volumes: [{ name: 'v', secret: { secretName: 'tls' } }] },
    }
    cache.put(resources.pods, pod)
    cache.put(resources.pods, {
      ...pod,
      metadata: { name: 'db', namespace: 'team' },
      spec: { ...pod.spec, nodeName: 'n2', volumes: [] },
    } as KubeObject)
    const can = (ask: Omit<AuthorizationAttributes, 'user'>) => authorizer.authorize({ user: kubelet, namespace: 'team', ...ask })
    expect(can({ verb: 'get', resource: 'secrets', name: 'tls' }).allowed).toBe(true)
    expect(can({ verb: 'get', resource: 'secrets', name: 'other' }).reason).toBe("no relationship found between node 'n1' and this object")
    expect(can({ verb: 'create', resource: 'serviceaccounts', subresource: 'token', name: 'bot' }).allowed).toBe(true)
    expect(can({ verb: 'get', resource: 'pods', name: 'web' }).allowed).toBe(true)
    expect(can({ verb: 'get', resource: 'pods', name: 'db' }).allowed).toBe(false)
    expect(authorizer.authorize({ user: kubelet, verb: 'get', resource: 'nodes', name: 'n2' }).reason).toBe(
      "node 'n1' cannot read 'n2', only its own Node object",
    )
    expect(authorizer.authorize({ user: kubelet, verb: 'list', resource: 'services' }).allowed).toBe(true)
  })
})

describe('escalation', () => {
  const resource = (name: string) => ({ group: 'rbac.authorization.k8s.io', resource: name })

  it('refuses a role that its author does not hold, with the missing rules', () => {
    role('maker', [{ verbs: ['create', 'update'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'] }], 'team')
    bind('makers', 'Role/maker', [janeSubject], 'team')
    const object = {
      apiVersion,
      kind: 'Role',
      metadata: { name: 'big', namespace: 'team' },
      rules: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['secrets', 'pods'] }],
    }
    const write = { user: jane, resource: resource('roles'), namespace: 'team', name: '', object }
    expect(() => checkEscalation(authorizer, write)).toThrow(
      'roles.rbac.authorization.k8s.io "big" is forbidden: user "jane" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    )
    bind('editors', 'ClusterRole/edit', [janeSubject], 'team')
    expect(() => checkEscalation(authorizer, write)).not.toThrow()
  })

  it('lets the verb bind stand for the rules of one role', () => {
    const binding = bind('give', 'ClusterRole/cluster-admin', [{ ...janeSubject, name: 'joe' }], 'team')
    const write = { user: jane, resource: resource('rolebindings'), namespace: 'team', name: '', object: binding }
    expect(() => checkEscalation(authorizer, write)).toThrow(
      /not currently held:\n\{APIGroups:\["\*"\], Resources:\["\*"\], Verbs:\["\*"\]\}/,
    )
    role(
      'binder',
      [{ verbs: ['bind'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['clusterroles'], resourceNames: ['cluster-admin'] }],
      'team',
    )
    bind('binders', 'Role/binder', [janeSubject], 'team')
    expect(() => checkEscalation(authorizer, write)).not.toThrow()
  })
})
