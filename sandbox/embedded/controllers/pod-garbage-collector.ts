import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import { keyOf, splitKey } from './owner.ts'
import { isPodFinished, setPodCondition } from './pod.ts'
import { WorkQueue } from './queue.ts'

const component = 'pod-garbage-collector'

/** How long a node must have been gone before its Pods go too, ms. */
const quarantine = 40_000

/** Deletes Pods of nodes that are gone, and Pods that are being deleted but have no node that would end them. */
export function startPodGarbageCollector(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncPod(context, key), { name: component }))
  stack.use(
    context.cache.watch<Pod>(resources.pods, ({ type, object }) => {
      if (type === 'DELETED') return
      const node = object.spec?.nodeName
      if (node ? !context.cache.get<Node>(resources.nodes, node) : object.metadata.deletionTimestamp) {
        queue.addAfter(keyOf(object), node ? quarantine : 0)
      }
    }),
  )
  stack.use(
    context.cache.watch<Node>(resources.nodes, ({ type, object }) => {
      if (type !== 'DELETED') return
      for (const pod of context.cache.list<Pod>(resources.pods)) {
        if (pod.spec?.nodeName === object.metadata.name) queue.addAfter(keyOf(pod), quarantine)
      }
    }),
  )
  return stack
}

async function syncPod(context: ClusterContext, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const pod = context.cache.get<Pod>(resources.pods, name, namespace)
  if (!pod) return
  const node = pod.spec?.nodeName
  if (node ? context.cache.get<Node>(resources.nodes, node) : !pod.metadata.deletionTimestamp) return
  try {
    if (node && !isPodFinished(pod)) await markFailed(context, pod)
    await context.client.delete(resources.pods, name, namespace, { gracePeriodSeconds: 0 })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

async function markFailed(context: ClusterContext, pod: Pod): Promise<void> {
  const copy = copyOf(pod)
  const condition = { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists' }
  setPodCondition(copy, condition, context.clock.now())
  const status = { phase: 'Failed', conditions: copy.status?.conditions?.filter(({ type }) => type === condition.type) }
  const { name = '', namespace } = pod.metadata
  await context.client.patch(resources.pods, name, { status }, 'strategic', { namespace, subresource: 'status' })
}
