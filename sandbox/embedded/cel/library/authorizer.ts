import type { Environment } from '@marcbachmann/cel-js'
import type { AuthorizationAttributes, Authorizer } from '../../auth/rbac.ts'
import type { UserInfo } from '../../machinery/object.ts'

/** `authorizer` in expressions about a request: what may its user, or a ServiceAccount. */
export class CelAuthorizer {
  readonly authorizer: Pick<Authorizer, 'authorize'>
  readonly user: UserInfo
  constructor(authorizer: Pick<Authorizer, 'authorize'>, user: UserInfo) {
    this.authorizer = authorizer
    this.user = user
  }
}

/** A question that takes shape: a path, or a group's resource with all that narrows it. */
class CelCheck {
  readonly asker: CelAuthorizer
  readonly about: Omit<AuthorizationAttributes, 'user' | 'verb'>
  constructor(asker: CelAuthorizer, about: Omit<AuthorizationAttributes, 'user' | 'verb'>) {
    this.asker = asker
    this.about = about
  }
}
class PathCheck extends CelCheck {}
class GroupCheck extends CelCheck {}
class ResourceCheck extends CelCheck {}

class Decision {
  readonly allowed: boolean
  readonly reason: string
  constructor(allowed: boolean, reason: string) {
    this.allowed = allowed
    this.reason = reason
  }
}

/** What authorizer.group(...).resource(...) and so on come to. */
export function resourceCheck(asker: CelAuthorizer, about: Omit<AuthorizationAttributes, 'user' | 'verb'>): object {
  return new ResourceCheck(asker, about)
}

/** Kubernetes' authz library. */
export function registerAuthorizer(environment: Environment): void {
  const of = (name: string) => `kubernetes.authorization.${name}`
  const [authorizer, path, group, resource, decision] = ['Authorizer', 'PathCheck', 'GroupCheck', 'ResourceCheck', 'Decision'].map(of) as [
    string,
    string,
    string,
    string,
    string,
  ]
  environment
    .registerType(authorizer, CelAuthorizer)
    .registerType(path, PathCheck)
    .registerType(group, GroupCheck)
    .registerType(resource, ResourceCheck)
    .registerType(decision, Decision)
    .registerFunction(`${authorizer}.path(string): ${path}`, (asker: CelAuthorizer, text: string) => new PathCheck(asker, { path: text }))
    .registerFunction(
      `${authorizer}.group(string): ${group}`,
      (asker: CelAuthorizer, name: string) => new GroupCheck(asker, { group: name }),
    )
    .registerFunction(
      `${authorizer}.serviceAccount(string, string): ${authorizer}`,
      (asker: CelAuthorizer, namespace: string, name: string) =>
        new CelAuthorizer(asker.authorizer, {
          username: `system:serviceaccount:${namespace}:${name}`,
          groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
        }),
    )
    .registerFunction(
      `${group}.resource(string): ${resource}`,
      ({ asker, about }: GroupCheck, name: string) => new ResourceCheck(asker, { ...about, version: '*', resource: name }),
    )
  for (const field of ['subresource', 'namespace', 'name', 'fieldSelector'] as const) {
    environment.registerFunction(
      `${resource}.${field}(string): ${resource}`,
      ({ asker, about }: ResourceCheck, value: string) => new ResourceCheck(asker, { ...about, [field]: value }),
    )
  }
  // What a label selector narrows, no rule of RBAC asks for.
  environment.registerFunction(`${resource}.labelSelector(string): ${resource}`, (check: ResourceCheck) => check)
  for (const type of [path, resource]) {
    environment.registerFunction(`${type}.check(string): ${decision}`, ({ asker, about }: CelCheck, verb: string) => {
      const { allowed, reason } = asker.authorizer.authorize({ ...about, user: asker.user, verb })
      return new Decision(allowed, reason)
    })
  }
  environment
    .registerFunction(`${decision}.allowed(): bool`, ({ allowed }: Decision) => allowed)
    .registerFunction(`${decision}.reason(): string`, ({ reason }: Decision) => reason)
    .registerFunction(`${decision}.errored(): bool`, () => false)
    .registerFunction(`${decision}.error(): string`, () => '')
}
