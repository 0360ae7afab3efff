import type { Cache } from '../machinery/context.ts'
import { ApiError } from '../machinery/errors.ts'
import { resources, type UserInfo } from '../machinery/object.ts'
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from '../schema/types/rbac.v1.ts'
import { NodeAuthorizer } from './node-authorizer.ts'

/** What is asked of an authorizer: a request about a resource, or, without `resource`, about a path. */
export interface AuthorizationAttributes {
  user: UserInfo
  /** get, list, watch, create, update, patch, delete, deletecollection, or any other verb. Lower-case HTTP method for paths. */
  verb: string
  group?: string
  version?: string
  resource?: string
  subresource?: string
  namespace?: string
  name?: string
  path?: string
  /** As given on the URL; the node authorizer looks at it. */
  fieldSelector?: string
}

export interface Decision {
  allowed: boolean
  /** Why it is allowed, or what went wrong while looking ("RBAC: role.rbac.authorization.k8s.io \"x\" not found"). May be empty. */
  reason: string
}

/** The rules of a user, and what could not be resolved on the way. */
export interface ResolvedRules {
  rules: PolicyRule[]
  errors: string[]
}

/**
 * Decides as kube-apiserver does with --authorization-mode=Node,RBAC: members of system:masters may do everything, then
 * the node authorizer, then Roles and bindings. Bindings are indexed by subject and the index follows every write.
 */
export class Authorizer implements Disposable {
  private readonly cache: Cache
  private readonly node: NodeAuthorizer
  private readonly clusterBindings = new BindingIndex<ClusterRoleBinding>()
  private readonly bindings = new BindingIndex<RoleBinding>()
  private readonly watches: Disposable[]

  constructor(cache: Cache) {
    this.cache = cache
    this.node = new NodeAuthorizer(cache)
    this.watches = [
      cache.watch<ClusterRoleBinding>(resources.clusterRoleBindings, ({ type, object, previous }) => {
        this.clusterBindings.change(type === 'DELETED' ? undefined : object, type === 'DELETED' ? object : previous)
      }),
      cache.watch<RoleBinding>(resources.roleBindings, ({ type, object, previous }) => {
        this.bindings.change(type === 'DELETED' ? undefined : object, type === 'DELETED' ? object : previous)
      }),
    ]
  }

  authorize(attributes: AuthorizationAttributes): Decision {
    if (attributes.user.groups.includes('system:masters')) return { allowed: true, reason: '' }
    const node = this.node.authorize(attributes)
    if (node.allowed) return node
    const errors: string[] = []
    for (const { rules, error, source } of this.grants(attributes.user, attributes.namespace ?? '')) {
      if (error) errors.push(error)
      if (rules.some((rule) => ruleAllows(rule, attributes))) return { allowed: true, reason: `RBAC: allowed by ${source()}` }
    }
    const reasons = [node.reason, errors.length > 0 ? `RBAC: ${aggregate(errors)}` : ''].filter(Boolean)
    return { allowed: false, reason: reasons.join('\n') }
  }

  /** All rules that apply to the user: cluster-wide ones and, with a namespace, those of its bindings. */
  rulesFor(user: UserInfo, namespace: string): ResolvedRules {
    const rules: PolicyRule[] = []
    const errors: string[] = []
    for (const grant of this.grants(user, namespace)) {
      rules.push(...grant.rules)
      if (grant.error) errors.push(grant.error)
    }
    return { rules, errors }
  }

  /** The rules of a binding's role; the error is the real server's not-found text. */
  roleRules(ref: RoleRef, namespace: string): { rules: readonly PolicyRule[]; error?: string } {
    if (ref.kind !== 'Role' && ref.kind !== 'ClusterRole') return { rules: [], error: `unsupported role reference kind: "${ref.kind}"` }
    const role =
      ref.kind === 'Role'
        ? this.cache.get<Role>(resources.roles, ref.name, namespace)
        : this.cache.get<ClusterRole>(resources.clusterRoles, ref.name)
    if (role) return { rules: role.rules ?? [] }
    return { rules: [], error: `${ref.kind.toLowerCase()}.rbac.authorization.k8s.io "${ref.name}" not found` }
  }

  [Symbol.dispose](): void {
    for (const watch of this.watches) watch[Symbol.dispose]()
  }

  private *grants(user: UserInfo, namespace: string) {
    for (const [binding, subject] of this.clusterBindings.of(user, '')) {
      yield { ...this.roleRules(binding.roleRef, ''), source: () => describeBinding(binding, subject) }
    }
    if (!namespace) return
    for (const [binding, subject] of this.bindings.of(user, namespace)) {
      yield { ...this.roleRules(binding.roleRef, namespace), source: () => describeBinding(binding, subject) }
    }
  }
}

/** Whether one rule permits what is asked. */
export function ruleAllows(rule: PolicyRule, attributes: AuthorizationAttributes): boolean {
  if (!rule.verbs.includes('*') && !rule.verbs.includes(attributes.verb)) return false
  if (attributes.resource === undefined) return !!rule.nonResourceURLs?.some((url) => urlCovers(url, attributes.path ?? ''))
  if (!rule.apiGroups?.some((group) => group === '*' || group === (attributes.group ?? ''))) return false
  const combined = attributes.subresource ? `${attributes.resource}/${attributes.subresource}` : attributes.resource
  const wildcard = attributes.subresource ? `*/${attributes.subresource}` : '*'
  if (!rule.resources?.some((resource) => resource === '*' || resource === combined || resource === wildcard)) return false
  return !rule.resourceNames?.length || rule.resourceNames.includes(attributes.name ?? '')
}

/** The rules among `wanted`, broken down to one verb, group, resource and name each, that `held` does not cover. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(breakDown).filter((rule) => !held.some((owner) => covers(owner, rule)))
}

/** The sentence of a refusal, without the object it is about: `User "x" cannot list resource ...`. */
function refusal(attributes: AuthorizationAttributes, reason = ''): string {
  const { user, verb, resource, subresource, group = '', namespace, path } = attributes
  const cannot = `User ${quote(user.username)} cannot ${verb}`
  const what = subresource ? `${resource}/${subresource}` : resource
  const where = namespace ? `in the namespace ${quote(namespace)}` : 'at the cluster scope'
  const sentence =
    resource === undefined
      ? `${cannot} path ${quote(path ?? '')}`
      : `${cannot} resource ${quote(what as string)} in API group ${quote(group)} ${where}`
  const safe = sentence.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return reason ? `${safe}: ${reason}` : safe
}

/** The 403 for a refused request: `pods "web" is forbidden: User "x" cannot get resource "pods" in API group "" in the namespace "y"`. */
export function forbidden(attributes: AuthorizationAttributes, reason = ''): ApiError {
  const about = { group: attributes.group ?? '', resource: attributes.resource ?? '' }
  return ApiError.forbidden(about, attributes.name ?? '', refusal(attributes, reason))
}

/** Several errors as one, the way apimachinery's Aggregate prints them. */
export function aggregate(errors: readonly string[]): string {
  const distinct = [...new Set(errors)]
  return distinct.length === 1 ? (distinct[0] as string) : `[${distinct.join(', ')}]`
}

/** Go's %q of a string, and of a list of strings. */
export function quote(value: string | readonly string[]): string {
  return typeof value === 'string' ? JSON.stringify(value) : `[${value.map((item) => JSON.stringify(item)).join(' ')}]`
}

/** The name and namespace of a ServiceAccount's user; undefined for any other user. */
export function serviceAccountOf(username: string): { namespace: string; name: string } | undefined {
  const match = username.match(/^system:serviceaccount:([^:]+):([^:]+)$/)
  return match ? { namespace: match[1] as string, name: match[2] as string } : undefined
}

export const rbacGroup = 'rbac.authorization.k8s.io'

type Binding = RoleBinding | ClusterRoleBinding

/** Bindings by namespace and subject, so that a decision looks only at the few that name its user. */
class BindingIndex<T extends Binding> {
  private readonly bySubject = new Map<string, Map<string, [binding: T, subject: Subject]>>()

  change(next: T | undefined, previous: T | undefined): void {
    if (previous) for (const subject of previous.subjects ?? []) this.remove(subjectKey(subject, previous), previous)
    if (next) for (const subject of next.subjects ?? []) this.add(subjectKey(subject, next), next, subject)
  }

  /** Each binding once, with the subject that the user matches. */
  *of(user: UserInfo, namespace: string): Generator<[binding: T, subject: Subject]> {
    const keys = [`${namespace}/User/${user.username}`, ...user.groups.map((group) => `${namespace}/Group/${group}`)]
    const seen = new Set<string>()
    for (const key of keys) {
      for (const [name, entry] of this.bySubject.get(key) ?? []) {
        if (seen.has(name)) continue
        seen.add(name)
        yield entry
      }
    }
  }

  private add(key: string | undefined, binding: T, subject: Subject): void {
    if (key === undefined) return
    const bindings = this.bySubject.get(key)
    if (bindings) bindings.set(binding.metadata.name as string, [binding, subject])
    else this.bySubject.set(key, new Map([[binding.metadata.name as string, [binding, subject]]]))
  }

  private remove(key: string | undefined, binding: T): void {
    if (key === undefined) return
    const bindings = this.bySubject.get(key)
    bindings?.delete(binding.metadata.name as string)
    if (bindings?.size === 0) this.bySubject.delete(key)
  }
}

/** A ServiceAccount subject is a user by its long name; one of a cluster binding without a namespace is nobody. */
function subjectKey(subject: Subject, binding: Binding): string | undefined {
  const scope = binding.kind === 'RoleBinding' ? (binding.metadata.namespace as string) : ''
  if (subject.kind !== 'ServiceAccount') return `${scope}/${subject.kind}/${subject.name}`
  const namespace = subject.namespace || scope
  return namespace ? `${scope}/User/system:serviceaccount:${namespace}:${subject.name}` : undefined
}

function describeBinding(binding: Binding, subject: Subject): string {
  const namespace = binding.metadata.namespace
  const name = namespace ? `${binding.metadata.name}/${namespace}` : (binding.metadata.name as string)
  const kind = namespace ? 'RoleBinding' : 'ClusterRoleBinding'
  const who = subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace || (namespace ?? '')}` : subject.name
  return `${kind} ${quote(name)} of ${binding.roleRef.kind} ${quote(binding.roleRef.name)} to ${subject.kind} ${quote(who)}`
}

function breakDown(rule: PolicyRule): PolicyRule[] {
  const parts: PolicyRule[] = []
  for (const group of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) {
      for (const verb of rule.verbs) {
        const part = { apiGroups: [group], resources: [resource], verbs: [verb] }
        if (rule.resourceNames?.length) parts.push(...rule.resourceNames.map((name) => ({ ...part, resourceNames: [name] })))
        else parts.push(part)
      }
    }
  }
  for (const url of rule.nonResourceURLs ?? []) for (const verb of rule.verbs) parts.push({ nonResourceURLs: [url], verbs: [verb] })
  return parts
}

/** Whether an owner's rule holds a broken-down one. */
function covers(owner: PolicyRule, part: PolicyRule): boolean {
  const holds = (held: readonly string[] | undefined, wanted: readonly string[] | undefined) =>
    !!held?.includes('*') || (wanted ?? []).every((item) => held?.includes(item))
  if (!holds(owner.verbs, part.verbs) || !holds(owner.apiGroups, part.apiGroups)) return false
  const resourceCovered = (resource: string) =>
    owner.resources?.includes(resource) ||
    (resource.includes('/') && owner.resources?.includes(`*/${resource.slice(resource.indexOf('/') + 1)}`))
  if (!owner.resources?.includes('*') && !(part.resources ?? []).every(resourceCovered)) return false
  if (!(part.nonResourceURLs ?? []).every((url) => owner.nonResourceURLs?.some((held) => urlCovers(held, url)))) return false
  if (!owner.resourceNames?.length) return true
  return !!part.resourceNames?.length && part.resourceNames.every((name) => owner.resourceNames?.includes(name))
}

function urlCovers(pattern: string, path: string): boolean {
  return pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.replace(/\*+$/, '')))
}
