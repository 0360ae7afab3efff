import type { ServedResources } from '../api/resources.ts'
import { WorkQueue } from '../controllers/queue.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { isAlreadyExists, isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { APIService } from '../schema/types/apiregistration.v1.ts'

const automanaged = 'kube-aggregator.kubernetes.io/automanaged'

/** Keeps an APIService for every group and version that CustomResourceDefinitions serve (crdregistration_controller.go). */
export function startRegistration(context: ClusterContext, served: ServedResources): Disposable {
  const { cache, client } = context
  const queue = new WorkQueue(context, sync, { name: 'crd-registration' })
  const stack = new DisposableStack()
  stack.use(queue)
  const names = () => new Set(served.all().flatMap((info) => (info.definition ? [`${info.version}.${info.group}`] : [])))
  let known = names()
  for (const name of known) queue.add(name)
  stack.use(
    served.onChange(() => {
      const now = names()
      for (const name of new Set([...known, ...now])) if (known.has(name) !== now.has(name)) queue.add(name)
      known = now
    }),
  )
  return stack

  async function sync(name: string): Promise<void> {
    const existing = cache.get<APIService>(resources.apiServices, name)
    try {
      if (!known.has(name)) {
        if (existing?.metadata.labels?.[automanaged] === 'true') await client.delete(resources.apiServices, name)
        return
      }
      if (existing) return
      const [version = '', ...group] = name.split('.')
      await client.create<APIService>(resources.apiServices, {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name, labels: { [automanaged]: 'true' } },
        spec: { group: group.join('.'), version, groupPriorityMinimum: 1000, versionPriority: 100 },
      })
    } catch (error) {
      if (!isNotFound(error) && !isAlreadyExists(error)) throw error
    }
  }
}
