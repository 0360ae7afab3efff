import type { ClusterContext } from '../machinery/context.ts'
import { isAlreadyExists, isApiError, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Namespace, ServiceAccount } from '../schema/types/core.v1.ts'
import { WorkQueue } from './queue.ts'

/** Every namespace has a ServiceAccount `default`, made with it and made again when it is deleted. */
export function startServiceAccount(context: ClusterContext): Disposable {
  const { cache, client } = context
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(context, sync, { name: 'serviceaccount' }))
  stack.use(cache.watch<Namespace>(resources.namespaces, ({ object }) => queue.add(object.metadata.name as string)))
  stack.use(
    cache.watch<ServiceAccount>(resources.serviceAccounts, ({ type, object }) => {
      if (type === 'DELETED' && object.metadata.name === 'default') queue.add(object.metadata.namespace as string)
    }),
  )
  return stack

  async function sync(namespace: string): Promise<void> {
    const found = cache.get<Namespace>(resources.namespaces, namespace)
    if (!found || found.status?.phase === 'Terminating' || cache.get(resources.serviceAccounts, 'default', namespace)) return
    const account: ServiceAccount = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } }
    try {
      await client.create(resources.serviceAccounts, account, { namespace })
    } catch (error) {
      if (!isAlreadyExists(error) && !isNotFound(error) && !isApiError(error, 'Forbidden')) throw error
    }
  }
}
