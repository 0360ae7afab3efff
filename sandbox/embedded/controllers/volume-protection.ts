import type { ClusterContext } from '../machinery/context.ts'
import { type KubeObject, type Resource, resources } from '../machinery/object.ts'
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../schema/types/core.v1.ts'
import type { VolumeAttributesClass } from '../schema/types/storage.v1.ts'
import { keyOf, splitKey } from './owner.ts'
import { isPodFinished } from './pod.ts'
import { WorkQueue } from './queue.ts'
import { claimsOf } from './volume-matching.ts'

const claimFinalizer = 'kubernetes.io/pvc-protection'
const volumeFinalizer = 'kubernetes.io/pv-protection'
const attributesFinalizer = 'kubernetes.io/vac-protection'

/**
 * Holds claims that a Pod uses, volumes that a claim is bound to and
 * classes of attributes that either has, until they are used no more.
 */
export function startVolumeProtection(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const claims: WorkQueue = stack.use(
    new WorkQueue(context, (key) => syncClaim(context, key), { name: 'persistentvolumeclaim-protection-controller' }),
  )
  const volumes: WorkQueue = stack.use(
    new WorkQueue(context, (key) => syncVolume(context, key), { name: 'persistentvolume-protection-controller' }),
  )
  const attributes: WorkQueue = stack.use(
    new WorkQueue(context, (key) => syncAttributes(context, key), { name: 'volumeattributesclass-protection-controller' }),
  )
  const addAttributesOf = ({ spec, status }: Attributed) => {
    for (const name of attributesOf({ spec, status })) attributes.add(name)
  }
  stack.use(
    context.cache.watch<PersistentVolumeClaim>(resources.persistentVolumeClaims, ({ object, previous }) => {
      claims.add(keyOf(object))
      for (const claim of previous ? [previous, object] : [object]) addAttributesOf(claim)
    }),
  )
  stack.use(
    context.cache.watch<PersistentVolume>(resources.persistentVolumes, ({ object, previous }) => {
      volumes.add(keyOf(object))
      for (const volume of previous ? [previous, object] : [object]) addAttributesOf({ spec: volume.spec })
    }),
  )
  stack.use(context.cache.watch<VolumeAttributesClass>(resources.volumeAttributesClasses, ({ object }) => attributes.add(keyOf(object))))
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

async function syncAttributes(context: ClusterContext, name: string): Promise<void> {
  const found = context.cache.get<VolumeAttributesClass>(resources.volumeAttributesClasses, name)
  if (!found) return
  const used =
    context.cache.list<PersistentVolumeClaim>(resources.persistentVolumeClaims).some((claim) => attributesOf(claim).includes(name)) ||
    context.cache.list<PersistentVolume>(resources.persistentVolumes).some(({ spec }) => attributesOf({ spec }).includes(name))
  await protect(context, resources.volumeAttributesClasses, found, attributesFinalizer, used)
}

type Attributed = Partial<Pick<PersistentVolumeClaim, 'status'>> & { spec?: { volumeAttributesClassName?: string } | undefined }

/** The classes of attributes that a claim or volume has or is about to have. */
function attributesOf({ spec, status }: Attributed): string[] {
  const names = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ]
  return names.flatMap((name) => (name ? [name] : []))
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
