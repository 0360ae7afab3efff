import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { PersistentVolumeClaim, Pod, Volume } from '../schema/types/core.v1.ts'
import { messageOf } from './failure.ts'
import { controllerReference, isControlledBy, keyOf, splitKey } from './owner.ts'
import { WorkQueue } from './queue.ts'

const component = 'ephemeral_volume'

/** Makes the claims of Pods' generic ephemeral volumes; each goes with its Pod (pkg/controller/volume/ephemeral). */
export function startEphemeralVolume(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(context, (key) => syncPod(context, key), { name: component }))
  const enqueue = (pod: Pod) => {
    if (!pod.metadata.deletionTimestamp && pod.spec?.volumes?.some(({ ephemeral }) => ephemeral)) queue.add(keyOf(pod))
  }
  stack.use(
    context.cache.watch<Pod>(resources.pods, ({ type, object }) => {
      if (type === 'ADDED') enqueue(object)
    }),
  )
  stack.use(
    context.cache.watch<PersistentVolumeClaim>(resources.persistentVolumeClaims, ({ type, object }) => {
      if (type !== 'DELETED') return
      for (const pod of context.cache.list<Pod>(resources.pods, object.metadata.namespace)) {
        if (pod.spec?.volumes?.some((volume) => volume.ephemeral && claimName(pod, volume) === object.metadata.name)) enqueue(pod)
      }
    }),
  )
  return stack
}

async function syncPod(context: ClusterContext, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const pod = context.cache.get<Pod>(resources.pods, name, namespace)
  if (!pod || pod.metadata.deletionTimestamp) return
  for (const volume of pod.spec?.volumes ?? []) {
    if (!volume.ephemeral) continue
    try {
      await provide(context, pod, volume)
    } catch (error) {
      context.events.event(pod, 'Warning', 'FailedBinding', `ephemeral volume ${volume.name}: ${messageOf(error)}`, { component })
      throw error
    }
  }
}

async function provide(context: ClusterContext, pod: Pod, volume: Volume): Promise<void> {
  const { namespace } = pod.metadata
  const name = claimName(pod, volume)
  const existing = context.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, name, namespace)
  if (existing && isControlledBy(existing, pod)) return
  if (existing) throw new Error(`PVC ${namespace}/${name} was not created for pod ${keyOf(pod)} (pod is not owner)`)
  const { metadata, spec } = volume.ephemeral?.volumeClaimTemplate ?? {}
  const claim: PersistentVolumeClaim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name,
      namespace,
      ...(metadata?.annotations && { annotations: { ...metadata.annotations } }),
      ...(metadata?.labels && { labels: { ...metadata.labels } }),
      ownerReferences: [controllerReference(pod)],
    },
    ...(spec && { spec }),
  }
  try {
    await context.client.create(resources.persistentVolumeClaims, claim, { namespace })
  } catch (error) {
    throw new Error(`create PVC ${name}: ${messageOf(error)}`, { cause: error })
  }
}

function claimName(pod: Pod, volume: Volume): string {
  return `${pod.metadata.name}-${volume.name}`
}
