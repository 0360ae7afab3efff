import { usedOf } from '../admission/quota-usage.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isConflict, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import { formatQuantities } from '../machinery/quantities.ts'
import { builtInResources } from '../registry/index.ts'
import type { ResourceQuota } from '../schema/types/core.v1.ts'
import { semanticEqual } from './equality.ts'
import { WorkQueue } from './queue.ts'

/** Shows in each ResourceQuota's status what its namespace uses. Admission counts for itself. */
export function startResourceQuota(context: ClusterContext): Disposable {
  const { cache, client, clock } = context
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(context, sync, { name: 'resourcequota' }))
  for (const resource of countable) {
    stack.use(
      cache.watch(resource, ({ object }) => {
        const { namespace } = object.metadata
        for (const quota of cache.list<ResourceQuota>(resources.resourceQuotas, namespace)) {
          queue.add(`${namespace}/${quota.metadata.name}`)
        }
      }),
    )
  }
  return stack

  async function sync(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const quota = cache.get<ResourceQuota>(resources.resourceQuotas, name, namespace)
    if (!quota || quota.metadata.deletionTimestamp) return
    const status = { hard: quota.spec?.hard ?? {}, used: formatQuantities(usedOf(cache, quota, clock.now())) }
    if (semanticEqual(status, quota.status)) return
    try {
      await client.update<ResourceQuota>(resources.resourceQuotas, { ...quota, status }, { subresource: 'status' })
    } catch (error) {
      if (isConflict(error)) queue.add(key)
      else if (!isNotFound(error)) throw error
    }
  }
}

/** Namespaced built-in kinds that are stored, each once. Events are too many to be worth counting. */
const countable = builtInResources
  .filter(({ namespaced, verbs, resource }) => namespaced && verbs.includes('watch') && resource !== 'events')
  .map(({ storage }) => storage)
  .filter(({ group, resource }, index, all) => all.findIndex((other) => other.group === group && other.resource === resource) === index)
