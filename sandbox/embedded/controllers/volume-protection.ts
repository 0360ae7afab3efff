import type { ClusterContext } from '../machinery/context.ts'
import { type KubeObject, type Resource, resources } from '../machinery/object.ts'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../schema/types/core.v1.ts'
import { keyOf, splitKey } from './owner.ts'
import { isPodFinished } from './pod.ts'
import { WorkQueue } from './queue.ts'
import { claimsOf } from './volume-matching.ts'

const claimFinalizer = 'kubernetes.io/pvc-protection'
const volumeFinalizer = 'kubernetes.io/pv-protection'

/** Holds claims that a Pod uses and volumes that a claim is bound to, until they are used no more. */
export function startVolumeProtection(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const claims: WorkQueue = stack.use(
    new WorkQueue(context, (key) => syncClaim(context, key), { name: 'persistentvolumeclaim-protection-controller' }),
  )
  const volumes: WorkQueue = stack.use(
    new WorkQueue(context, (key) => syncVolume(context, key), { name: 'persistentvolume-protection-controller' }),
  )
  stack.use(context.cache.watch<PersistentVolumeClaim>(resources.persistentVolumeClaims, ({ object }) => claims.add(keyOf(object))))
  stack.use(context.cache.watch<PersistentVolume>(resources.persistentVolumes, ({ object }) => volumes.add(keyOf(object))))
  stack.use(
    context.cache.watch<Pod>(resources.pods, ({ type, object }) => {
      if (type !== 'DELETED' && !isPodFinished(object)) return
      for (const { claimName } of claimsOf(object)) claims.add(`${object.metadata.namespace}/${claimName}`)
    }),
  )
  return stack
}

async function syncClaim(context: ClusterContext, key: string): Promise<void> {
  const { namespace, name } = splitKey(key)
  const claim = context.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, name, namespace)
  if (!claim) return
  const used = context.cache.list<Pod>(resources.pods, namespace).some((pod) => {
    return !isPodFinished(pod) && pod.spec?.nodeName && claimsOf(pod).some(({ claimName }) => claimName === name)
  })
  await protect(context, resources.persistentVolumeClaims, claim, claimFinalizer, used)
}

async function syncVolume(context: ClusterContext, name: string): Promise<void> {
  const volume = context.cache.get<PersistentVolume>(resources.persistentVolumes, name)
  if (volume) await protect(context, resources.persistentVolumes, volume, volumeFinalizer, volume.status?.phase === 'Bound')
}

/** Gives a living object the finalizer, and takes it from one that is being deleted and not used. */
async function protect(context: ClusterContext, resource: Resource, object: KubeObject, finalizer: string, used: boolean): Promise<void> {
  const { name = '', namespace, finalizers = [], deletionTimestamp, resourceVersion } = object.metadata
  const has = finalizers.includes(finalizer)
  if (deletionTimestamp ? used || !has : has) return
  const next = deletionTimestamp ? finalizers.filter((other) => other !== finalizer) : [...finalizers, finalizer]
  const patch = { metadata: { resourceVersion, finalizers: next.length > 0 ? next : null } }
  await context.client.patch(resource, name, patch, 'merge', { namespace })
}
