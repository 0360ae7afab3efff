import type { AuthorizationAttributes, Authorizer } from '../../auth/rbac.ts'
import type { UserInfo } from '../../machinery/object.ts'
import { dnsLabel, dnsSubdomain } from '../../registry/names.ts'
import { kubernetesTypes, Library } from '../declarations.ts'
import { Failure, OpaqueValue, type Value } from '../values.ts'

/** What an authorizer is asked, as far as it is known yet. */
type Question = Omit<AuthorizationAttributes, 'user' | 'verb'>

/** Two are equal only where they are the same. */
abstract class Asked extends OpaqueValue {
  equals(other: OpaqueValue): boolean {
    return other === this
  }
}

/** `authorizer` in expressions about a request: what may its user, or a ServiceAccount. */
export class CelAuthorizer extends Asked {
  readonly type = kubernetesTypes.Authorizer
  readonly authorizer: Pick<Authorizer, 'authorize'>
  readonly user: UserInfo
  constructor(authorizer: Pick<Authorizer, 'authorize'>, user: UserInfo) {
    super()
    this.authorizer = authorizer
    this.user = user
  }
}

/** A question that takes shape: a path, or a group's resource with all that narrows it. */
abstract class Check extends Asked {
  readonly asker: CelAuthorizer
  readonly about: Question
  constructor(asker: CelAuthorizer, about: Question) {
    super()
    this.asker = asker
    this.about = about
  }
}
class PathCheck extends Check {
  readonly type = kubernetesTypes.PathCheck
}
class GroupCheck extends Check {
  readonly type = kubernetesTypes.GroupCheck
}
class ResourceCheck extends Check {
  readonly type = kubernetesTypes.ResourceCheck
}

class Decision extends Asked {
  readonly type = kubernetesTypes.Decision
  readonly allowed: boolean
  readonly reason: string
  constructor(allowed: boolean, reason: string) {
    super()
    this.allowed = allowed
    this.reason = reason
  }
}

/** What authorizer.group(...).resource(...) and so on come to. */
export function resourceCheck(asker: CelAuthorizer, about: Question): Value {
  return new ResourceCheck(asker, about)
}

/** Kubernetes' authz library, with selectors. */
export const authorization = new Library()
  .declare('authorizer_path', 'Authorizer::path(string): PathCheck', ([asker, path]) =>
    (path as string).trim() === ''
      ? new Failure('path must not be empty')
      : new PathCheck(asker as CelAuthorizer, { path: path as string }),
  )
  .declare('authorizer_group', 'Authorizer::group(string): GroupCheck', ([asker, group]) => {
    return new GroupCheck(asker as CelAuthorizer, { group: group as string })
  })
  .declare('authorizer_serviceaccount', 'Authorizer::serviceAccount(string, string): Authorizer', ([asker, namespace, name]) => {
    if (dnsSubdomain(name as string).length > 0) return new Failure('Invalid service account name')
    if (dnsLabel(namespace as string).length > 0) return new Failure('Invalid service account namespace')
    const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated']
    return new CelAuthorizer((asker as CelAuthorizer).authorizer, { username: `system:serviceaccount:${namespace}:${name}`, groups })
  })
  .declare('groupcheck_resource', 'GroupCheck::resource(string): ResourceCheck', ([check, resource]) => {
    const { asker, about } = check as GroupCheck
    if ((resource as string).trim() === '') return new Failure('resource must not be empty')
    return new ResourceCheck(asker, { ...about, version: '*', resource: resource as string })
  })
  .declare('pathcheck_check', 'PathCheck::check(string): Decision', ([check, verb]) => decided(check as Check, verb as string))
  .declare('resourcecheck_check', 'ResourceCheck::check(string): Decision', ([check, verb]) => decided(check as Check, verb as string))
  .declare('decision_errored', 'Decision::errored(): bool', () => false)
  .declare('decision_error', 'Decision::error(): string', () => '')
  .declare('decision_allowed', 'Decision::allowed(): bool', ([decision]) => (decision as Decision).allowed)
  .declare('decision_reason', 'Decision::reason(): string', ([decision]) => (decision as Decision).reason)
  // What a label selector narrows, no rule of RBAC asks for.
  .declare('authorizer_labelselector', 'ResourceCheck::labelSelector(string): ResourceCheck', ([check]) => check as Value)
for (const [field, id] of [
  ['subresource', 'resourcecheck_subresource'],
  ['namespace', 'resourcecheck_namespace'],
  ['name', 'resourcecheck_name'],
  ['fieldSelector', 'authorizer_fieldselector'],
] as const) {
  authorization.declare(id, `ResourceCheck::${field}(string): ResourceCheck`, ([check, value]) => {
    const { asker, about } = check as ResourceCheck
    return new ResourceCheck(asker, { ...about, [field]: value as string })
  })
}

function decided({ asker, about }: Check, verb: string): Value {
  const { allowed, reason } = asker.authorizer.authorize({ ...about, user: asker.user, verb })
  return new Decision(allowed, reason)
}
