import { semanticEqual } from '../controllers/equality.ts'
import { ApiError } from '../machinery/errors.ts'
import type { KubeObject, UserInfo } from '../machinery/object.ts'
import type { ClusterRole, PolicyRule, Role, RoleBinding } from '../schema/types/rbac.v1.ts'
import { type Authorizer, aggregate, quote, rbacGroup, uncovered } from './rbac.ts'

export interface RoleWrite {
  user: UserInfo
  /** roles, clusterroles, rolebindings or clusterrolebindings of the RBAC group; anything else passes. */
  resource: { group: string; resource: string }
  namespace: string
  /** As in the URL: empty on create. */
  name: string
  object: KubeObject
  /** Absent on create. */
  oldObject?: KubeObject
}

/**
 * Keeps people from giving away what they don't have: a role's rules must be covered by the writer's own unless the verb
 * `escalate` is granted, a binding's role likewise unless `bind` is. Throws the 403 that the real server answers.
 */
export function checkEscalation(authorizer: Authorizer, write: RoleWrite): void {
  if (write.resource.group !== rbacGroup || write.user.groups.includes('system:masters')) return
  if (write.oldObject && onlyGarbageCollected(write.object, write.oldObject)) return
  if (write.resource.resource === 'roles' || write.resource.resource === 'clusterroles') checkRole(authorizer, write)
  if (write.resource.resource === 'rolebindings' || write.resource.resource === 'clusterrolebindings') checkBinding(authorizer, write)
}

const fullAuthority: PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
]

function checkRole(authorizer: Authorizer, write: RoleWrite): void {
  const { user, resource, namespace, name } = write
  if (
    authorizer.authorize({ user, verb: 'escalate', group: rbacGroup, version: '*', resource: resource.resource, namespace, name }).allowed
  )
    return
  const role = write.object as Role | ClusterRole
  confirm(authorizer, write, role.rules ?? [])
  if (!aggregates(role) && !aggregates(write.oldObject)) return
  const { rules } = authorizer.rulesFor(user, namespace)
  if (uncovered(rules, fullAuthority).length === 0) return
  throw ApiError.forbidden(resource, role.metadata.name ?? '', 'must have cluster-admin privileges to use the aggregationRule')
}

function checkBinding(authorizer: Authorizer, write: RoleWrite): void {
  const { roleRef } = write.object as RoleBinding
  const { user, namespace } = write
  const bind = {
    user,
    verb: 'bind',
    group: roleRef.apiGroup,
    version: '*',
    resource: `${roleRef.kind.toLowerCase()}s`,
    namespace,
    name: roleRef.name,
  }
  if ((roleRef.kind === 'Role' || roleRef.kind === 'ClusterRole') && authorizer.authorize(bind).allowed) return
  const { rules, error } = authorizer.roleRules(roleRef, namespace)
  if (error) {
    throw ApiError.notFound({ group: rbacGroup, resource: roleRef.kind.toLowerCase() }, roleRef.name)
  }
  confirm(authorizer, write, rules)
}

function confirm(authorizer: Authorizer, { user, resource, namespace, object }: RoleWrite, wanted: readonly PolicyRule[]): void {
  const held = authorizer.rulesFor(user, namespace)
  const missing = uncovered(held.rules, wanted)
  if (missing.length === 0) return
  const lines = [...new Set(compact(missing).map(describe))].sort()
  const start = `user ${quote(user.username)} (groups=${quote(user.groups)}) is attempting to grant RBAC permissions not currently held:\n`
  const errors = held.errors.length > 0 ? `; resolution errors: [${aggregate(held.errors)}]` : ''
  throw ApiError.forbidden(resource, object.metadata.name ?? '', `${start}${lines.join('\n')}${errors}`)
}

/** Rules that differ only by verb become one. */
function compact(rules: readonly PolicyRule[]): PolicyRule[] {
  const byResource = new Map<string, PolicyRule>()
  for (const rule of rules) {
    const key = JSON.stringify(rule.nonResourceURLs ? rule : [rule.apiGroups, rule.resources, rule.resourceNames])
    const known = byResource.get(key)
    if (known && !rule.nonResourceURLs) known.verbs = [...known.verbs, ...rule.verbs]
    else byResource.set(key, { ...rule })
  }
  return [...byResource.values()]
}

function describe({ apiGroups, resources, nonResourceURLs, resourceNames, verbs }: PolicyRule): string {
  const parts = { APIGroups: apiGroups, Resources: resources, NonResourceURLs: nonResourceURLs, ResourceNames: resourceNames, Verbs: verbs }
  const shown = Object.entries(parts).flatMap(([name, values]) => (values?.length ? [`${name}:${quote(values)}`] : []))
  return `{${shown.join(', ')}}`
}

function aggregates(role: KubeObject | undefined): boolean {
  return !!(role as ClusterRole | undefined)?.aggregationRule?.clusterRoleSelectors?.length
}

/** Whether at most owners and finalizers have changed, which the garbage collector must be able to do. */
function onlyGarbageCollected(object: KubeObject, old: KubeObject): boolean {
  const { ownerReferences, finalizers, managedFields } = old.metadata
  return semanticEqual({ ...object, metadata: { ...object.metadata, ownerReferences, finalizers, managedFields } }, old)
}
