import type { ClusterContext } from '../machinery/context.ts'
import { copyOf } from '../machinery/copy.ts'
import { isNotFound } from '../machinery/errors.ts'
import { resources } from '../machinery/object.ts'
import { podNode } from '../machinery/pod-indexes.ts'
import { tolerates } from '../scheduler/node-selection.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import { semanticEqual } from './equality.ts'
import { keyOf, splitKey } from './owner.ts'
import { setPodCondition } from './pod.ts'
import { WorkQueue } from './queue.ts'
import { parseTime } from './time.ts'

const component = 'taint-eviction-controller'

/** Deletes Pods from nodes with NoExecute taints: at once, or when the time they tolerate these is over. */
export function startTaintEviction(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue: WorkQueue = stack.use(new WorkQueue(context, (key) => syncPod(context, queue, key), { name: component }))
  stack.use(
    context.cache.watch<Node>(resources.nodes, ({ object, previous }) => {
      if (semanticEqual(object.spec?.taints, previous?.spec?.taints)) return
      for (const pod of context.cache.indexed<Pod>(resources.pods, podNode, object.metadata.name ?? '')) queue.add(keyOf(pod))
    }),
  )
  stack.use(
    context.cache.watch<Pod>(resources.pods, ({ type, object, previous }) => {
      const assigned = object.spec?.nodeName && !previous?.spec?.nodeName
      if (type !== 'DELETED' && (assigned || !semanticEqual(object.spec?.tolerations, previous?.spec?.tolerations)))
        queue.add(keyOf(object))
    }),
  )
  return stack
}

async function syncPod(context: ClusterContext, queue: WorkQueue, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const pod = context.cache.get<Pod>(resources.pods, name, namespace)
  if (!pod || pod.metadata.deletionTimestamp) return
  const due = evictionTime(context, pod)
  if (due === undefined) return
  const left = due - context.clock.now()
  if (left > 0) {
    queue.addAfter(key, left)
    return
  }
  // Told of a name, not of an object: the Event has no uid, and describing the Pod does not show it.
  const about = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace } }
  context.events.event(about, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`, { component })
  try {
    await markDisrupted(context, pod)
    await context.client.delete(resources.pods, name, namespace)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

/** When the Pod must go, ms since the epoch; undefined when its node has no taint that drives it away. */
function evictionTime(context: ClusterContext, pod: Pod): number | undefined {
  const node = context.cache.get<Node>(resources.nodes, pod.spec?.nodeName ?? '')
  const taints = (node?.spec?.taints ?? []).filter(({ effect }) => effect === 'NoExecute')
  let due: number | undefined
  for (const taint of taints) {
    const matching = (pod.spec?.tolerations ?? []).filter((toleration) => tolerates(toleration, taint))
    if (matching.length === 0) return 0
    const seconds = Math.min(...matching.map(({ tolerationSeconds }) => tolerationSeconds ?? Number.POSITIVE_INFINITY))
    if (!Number.isFinite(seconds)) continue
    const time = parseTime(taint.timeAdded ?? pod.metadata.creationTimestamp) + Math.max(0, seconds) * 1000
    due = Math.min(due ?? time, time)
  }
  return due
}

async function markDisrupted(context: ClusterContext, pod: Pod): Promise<void> {
  const copy = copyOf(pod)
  const message = 'Taint manager: deleting due to NoExecute taint'
  const condition = { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager', message }
  if (!setPodCondition(copy, condition, context.clock.now())) return
  const status = { conditions: copy.status?.conditions?.filter(({ type }) => type === condition.type) }
  const { name = '', namespace } = pod.metadata
  await context.client.patch(resources.pods, name, { status }, 'strategic', { namespace, subresource: 'status' })
}
