import type { Cache } from '../machinery/context.ts'
import type { UserInfo } from '../machinery/object.ts'
import type { FlowSchema, FlowSchemaSpec, PriorityLevelConfiguration } from '../schema/types/flowcontrol.v1.ts'
import { flowSchemas, priorityLevels } from './flow-schema-status.ts'
import type { RequestInfo } from './request-info.ts'

type Rule = NonNullable<FlowSchemaSpec['rules']>[number]

/**
 * API Priority and Fairness as clients see it: the headers of every answer name the FlowSchema that took the request in and
 * its priority level (KEP 1040). Nobody waits in a queue here: a cluster has one process to itself, and its limits are others.
 */
export class FlowControl implements Disposable {
  private readonly cache: Cache
  private readonly watch: Disposable
  /** In the order in which they are asked; made anew after a change. */
  private ordered: readonly FlowSchema[] | undefined

  constructor(cache: Cache) {
    this.cache = cache
    this.watch = cache.watch(flowSchemas, () => {
      this.ordered = undefined
    })
  }

  headers(user: UserInfo, request: RequestInfo): Record<string, string> {
    const schema = this.schemas().find(({ spec }) => spec?.rules?.some((rule) => ruleMatches(rule, user, request)))
    const level = schema?.spec && this.cache.get<PriorityLevelConfiguration>(priorityLevels, schema.spec.priorityLevelConfiguration.name)
    if (!schema || !level) return {}
    return {
      'x-kubernetes-pf-flowschema-uid': schema.metadata.uid ?? '',
      'x-kubernetes-pf-prioritylevel-uid': level.metadata.uid ?? '',
    }
  }

  [Symbol.dispose](): void {
    this.watch[Symbol.dispose]()
  }

  private schemas(): readonly FlowSchema[] {
    this.ordered ??= this.cache
      .list<FlowSchema>(flowSchemas)
      .toSorted((a, b) => precedence(a) - precedence(b) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))
    return this.ordered
  }
}

function precedence({ spec }: FlowSchema): number {
  return spec?.matchingPrecedence ?? 0
}

/** flowcontrol/rule.go of the API server. */
function ruleMatches(
  { subjects, resourceRules = [], nonResourceRules = [] }: Rule,
  user: UserInfo,
  { verb, path, resource }: RequestInfo,
): boolean {
  if (!subjects.some((subject) => subjectMatches(subject, user))) return false
  const has = (list: readonly string[], value: string) => list.includes('*') || list.includes(value)
  if (!resource) return nonResourceRules.some((rule) => has(rule.verbs, verb) && rule.nonResourceURLs.some((url) => urlMatches(url, path)))
  const name = resource.subresource ? `${resource.resource}/${resource.subresource}` : resource.resource
  return resourceRules.some(
    ({ verbs, apiGroups, resources, clusterScope, namespaces }) =>
      has(verbs, verb) &&
      has(apiGroups, resource.group) &&
      has(resources, name) &&
      (resource.namespace ? has(namespaces ?? [], resource.namespace) : clusterScope === true),
  )
}

function urlMatches(url: string, path: string): boolean {
  return url === '*' || url === path || (url.endsWith('/*') && path.startsWith(url.slice(0, -1)))
}

function subjectMatches({ kind, user: named, group: of, serviceAccount }: Rule['subjects'][number], user: UserInfo): boolean {
  switch (kind) {
    case 'User':
      return named?.name === '*' || named?.name === user.username
    case 'Group':
      return of?.name === '*' || user.groups.includes(of?.name ?? '')
    case 'ServiceAccount': {
      const prefix = `system:serviceaccount:${serviceAccount?.namespace}:`
      return serviceAccount?.name === '*' ? user.username.startsWith(prefix) : user.username === prefix + (serviceAccount?.name ?? '')
    }
    default:
      return false
  }
}
