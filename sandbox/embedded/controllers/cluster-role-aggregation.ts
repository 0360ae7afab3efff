import type { ClusterContext } from '../machinery/context.ts'
import { isConflict, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import { selectorMatches } from '../registry/metadata.ts'
import type { ClusterRole, PolicyRule } from '../schema/types/rbac.v1.ts'
import { semanticEqual } from './equality.ts'
import { WorkQueue } from './queue.ts'

/** Keeps the rules of ClusterRoles with an aggregationRule the sum of those they select. */
export function startClusterRoleAggregation(context: ClusterContext): Disposable {
  const { cache, client } = context
  const aggregated = new Set<string>()
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(context, sync, { name: 'clusterrole-aggregation' }))
  stack.use(
    cache.watch<ClusterRole>(resources.clusterRoles, ({ type, object }) => {
      const name = object.metadata.name as string
      if (type !== 'DELETED' && object.aggregationRule) aggregated.add(name)
      else aggregated.delete(name)
      for (const one of aggregated) queue.add(one)
    }),
  )
  return stack

  async function sync(name: string): Promise<void> {
    const role = cache.get<ClusterRole>(resources.clusterRoles, name)
    const selectors = role?.aggregationRule?.clusterRoleSelectors
    if (!role || !selectors) return
    const rules: PolicyRule[] = []
    for (const selector of selectors) {
      const chosen = cache
        .list<ClusterRole>(resources.clusterRoles)
        .filter((other) => other.metadata.name !== name && selectorMatches(selector, other.metadata.labels))
        .toSorted((a, b) => ((a.metadata.name as string) < (b.metadata.name as string) ? -1 : 1))
      for (const rule of chosen.flatMap((other) => other.rules ?? []))
        if (!rules.some((known) => semanticEqual(known, rule))) rules.push(rule)
    }
    if (semanticEqual(rules, role.rules)) return
    try {
      await client.update<ClusterRole>(resources.clusterRoles, { ...role, rules })
    } catch (error) {
      if (isConflict(error)) queue.add(name)
      else if (!isNotFound(error)) throw error
    }
  }
}
