import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { compareAmounts } from '../machinery/quantities.ts'
import { parseQuantity } from '../schema/quantity.ts'
import type { PersistentVolume, PersistentVolumeClaim } from '../schema/types/core.v1.ts'
import { keyOf, splitKey } from './owner.ts'
import { WorkQueue } from './queue.ts'

const component = 'volume_expand'

/**
 * Looks at claims that ask for more than they have. Kubernetes itself can make none of the volumes larger that a cluster like
 * this has (folders of a node): it says that somebody else must, and leaves the claim as it is (pkg/controller/volume/expand).
 */
export function startVolumeExpand(context: ClusterContext): Disposable {
  const stack = new DisposableStack()
  const queue = stack.use(new WorkQueue(context, async (key) => syncClaim(context, key), { name: component }))
  stack.use(
    context.cache.watch<PersistentVolumeClaim>(resources.persistentVolumeClaims, ({ type, object, previous }) => {
      if (type === 'MODIFIED' && compareAmounts(requested(object), requested(previous ?? object)) > 0) queue.add(keyOf(object))
    }),
  )
  return stack
}

function syncClaim({ cache, events }: ClusterContext, key: string): void {
  const { namespace, name } = splitKey(key)
  const claim = cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, name, namespace)
  const volume = claim && cache.get<PersistentVolume>(resources.persistentVolumes, claim.spec?.volumeName ?? '')
  if (!claim || !volume || volume.spec?.claimRef?.uid !== claim.metadata.uid) return
  if (compareAmounts(requested(claim), parseQuantity(claim.status?.capacity?.['storage'] ?? '0')) <= 0) return
  const type = volume.spec?.csi ? 'Normal' : 'Warning'
  events.event(claim, type, 'ExternalExpanding', 'waiting for an external controller to expand this PVC', { component })
}

function requested(claim: PersistentVolumeClaim): ReturnType<typeof parseQuantity> {
  return parseQuantity(claim.spec?.resources?.requests?.['storage'] ?? '0')
}
