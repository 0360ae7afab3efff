import { semanticEqual } from '../controllers/equality.ts'
import { keyOf } from '../controllers/owner.ts'
import { isPodFinished } from '../controllers/pod.ts'
import type { Change, ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node, Pod } from '../schema/types/core.v1.ts'
import type { SchedulingQueue } from './queue.ts'
import { priorityOf } from './snapshot.ts'

const placement = ['InterPodAffinity', 'PodTopologySpread']
const every = [
  'NodeUnschedulable',
  'NodeName',
  'TaintToleration',
  'NodeAffinity',
  'NodePorts',
  'NodeResourcesFit',
  'VolumeRestrictions',
  'NodeVolumeLimits',
  'VolumeBinding',
  'VolumeZone',
  ...placement,
]

/** Fills the queue with Pods that need a node, and stirs it when something happens that may help those put aside. */
export function watchCluster(context: ClusterContext, queue: SchedulingQueue): Disposable {
  const stack = new DisposableStack()
  const { cache } = context
  stack.use(cache.watch<Node>(resources.nodes, (change) => nodeChanged(queue, change)))
  stack.use(cache.watch<Pod>(resources.pods, (change) => podChanged(queue, change)))
  for (const resource of [resources.persistentVolumes, resources.persistentVolumeClaims, resources.storageClasses, resources.csiNodes]) {
    stack.use(cache.watch(resource, () => queue.stir(['VolumeBinding', 'VolumeRestrictions', 'VolumeZone', 'NodeVolumeLimits'])))
  }
  return stack
}

function nodeChanged(queue: SchedulingQueue, { type, object, previous }: Change<Node>): void {
  if (type === 'ADDED') queue.stir(every)
  else if (type === 'DELETED') queue.stir(['PodTopologySpread'])
  else queue.stir(helpedByNode(object, previous))
}

/** Rules that a changed node may now satisfy. */
function helpedByNode(node: Node, previous: Node | undefined): string[] {
  const helped: string[] = []
  if (!semanticEqual(node.metadata.labels, previous?.metadata.labels))
    helped.push('NodeAffinity', 'VolumeBinding', 'VolumeZone', ...placement)
  if (!semanticEqual(node.spec?.taints, previous?.spec?.taints)) helped.push('TaintToleration', 'PodTopologySpread')
  if (node.spec?.unschedulable !== previous?.spec?.unschedulable) helped.push('NodeUnschedulable')
  if (!semanticEqual(node.status?.allocatable, previous?.status?.allocatable)) helped.push('NodeResourcesFit')
  return helped
}

function podChanged(queue: SchedulingQueue, { type, object, previous }: Change<Pod>): void {
  if (object.spec?.nodeName) {
    queue.remove(keyOf(object))
    assignedPodChanged(queue, { type, object, previous })
  } else if (type === 'DELETED' || object.metadata.deletionTimestamp) {
    queue.remove(keyOf(object))
  } else if (wantsNode(object)) {
    const known = queue.has(keyOf(object))
    if (!known || !previous || changedItself(object, previous)) queue.add(keyOf(object), priorityOf(object))
  }
}

function assignedPodChanged(queue: SchedulingQueue, { type, object, previous }: Change<Pod>): void {
  const gone = type === 'DELETED' || (isPodFinished(object) && previous !== undefined && !isPodFinished(previous))
  if (gone) queue.stir(['NodeResourcesFit', 'NodePorts', 'VolumeRestrictions', 'NodeVolumeLimits', ...placement])
  else if (type === 'ADDED' || !previous?.spec?.nodeName) queue.stir(placement)
  else if (!semanticEqual(object.metadata.labels, previous.metadata.labels)) queue.stir(placement)
  else if (!semanticEqual(object.spec, previous.spec)) queue.stir(['NodeResourcesFit'])
}

function wantsNode(pod: Pod): boolean {
  const { schedulerName = 'default-scheduler', schedulingGates = [] } = pod.spec ?? {}
  return schedulerName === 'default-scheduler' && schedulingGates.length === 0 && !isPodFinished(pod)
}

function changedItself(pod: Pod, previous: Pod): boolean {
  return !semanticEqual(pod.spec, previous.spec) || !semanticEqual(pod.metadata.labels, previous.metadata.labels)
}
