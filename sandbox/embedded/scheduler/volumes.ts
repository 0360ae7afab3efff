import {
  claimsOf,
  findVolume,
  isBound,
  isReservedFor,
  noProvisioner,
  selectedNode,
  storageClassOf,
  volumeAllowsNode,
  waitsForConsumer,
} from '../controllers/volume-matching.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../schema/types/core.v1.ts'
import type { FilterPlugin, Rejection } from './filter.ts'

const name = 'VolumeBinding'

/** How long a Pod waits for its claims to be bound, ms. */
const bindTimeout = 600_000

/** A Pod goes where its volumes are, or where they can be made. */
export const volumeBinding: FilterPlugin = {
  name,
  prepare({ context, pod }) {
    if (claimsOf(pod).length === 0) return undefined
    const claims: PersistentVolumeClaim[] = []
    for (const { claimName, ephemeral } of claimsOf(pod)) {
      const claim = context.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, claimName, pod.metadata.namespace)
      const obstacle = obstacleOf(claim, claimName, ephemeral)
      if (obstacle) return reject(obstacle)
      if (claim) claims.push(claim)
    }
    const waiting = claims.some((claim) => !isBound(claim) && !waitsForConsumer(context, claim))
    if (waiting) return reject('pod has unbound immediate PersistentVolumeClaims')
    return ({ node }) => {
      const reasons = new Set(claims.map((claim) => conflictOf(context, claim, node)).filter((reason) => reason !== undefined))
      return reasons.size > 0 ? { plugin: name, reasons: [...reasons], resolvable: false } : undefined
    }
  },
}

function obstacleOf(claim: PersistentVolumeClaim | undefined, claimName: string, ephemeral: boolean): string | undefined {
  if (!claim) {
    return ephemeral
      ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${claimName}"`
      : `persistentvolumeclaim "${claimName}" not found`
  }
  if (claim.status?.phase === 'Lost') {
    return `persistentvolumeclaim "${claimName}" bound to non-existent persistentvolume "${claim.spec?.volumeName}"`
  }
  return claim.metadata.deletionTimestamp ? `persistentvolumeclaim "${claimName}" is being deleted` : undefined
}

function conflictOf(context: ClusterContext, claim: PersistentVolumeClaim, node: Node): string | undefined {
  if (isBound(claim)) {
    const volume = context.cache.get<PersistentVolume>(resources.persistentVolumes, claim.spec?.volumeName ?? '')
    if (!volume) return 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'
    return volumeAllowsNode(volume, node) ? undefined : "node(s) didn't match PersistentVolume's node affinity"
  }
  if (findVolume(context, claim, node)) return undefined
  const provisioner = storageClassOf(context, claim)?.provisioner
  return !provisioner || provisioner === noProvisioner ? "node(s) didn't find available persistent volumes to bind" : undefined
}

function reject(reason: string): Rejection {
  return { plugin: name, reasons: [reason], resolvable: false }
}

/**
 * Has the Pod's claims bound for this node: reserves a volume that is there, or asks for one to be made, and waits until
 * the PersistentVolume controller has done so. Rejects when it gives up or the wait takes ten minutes.
 */
export async function bindVolumes(context: ClusterContext, pod: Pod, node: Node): Promise<void> {
  const open = () => podClaims(context, pod).filter((claim) => !isBound(claim))
  for (const claim of open()) await prepareClaim(context, claim, node)
  if (open().length === 0) return
  const { promise, resolve, reject: fail } = Promise.withResolvers<void>()
  using timer = context.clock.setTimeout(() => fail(new Error('binding volumes: timed out waiting for the condition')), bindTimeout)
  using watch = context.cache.watch<PersistentVolumeClaim>(resources.persistentVolumeClaims, ({ type, object }) => {
    const ours = open()
    if (ours.length === 0) resolve()
    const lost = ours.find((claim) => claim.metadata.uid === object.metadata.uid)
    if (type !== 'MODIFIED' || !lost || findReserved(context, lost)) return
    // The provisioner takes the node's name away to say that it cannot make the volume there.
    if (!lost.metadata.annotations?.[selectedNode]) fail(new Error('provisioning failed: the selected node was rejected'))
  })
  context.signal.addEventListener('abort', () => fail(context.signal.reason), { once: true })
  await promise
  void [timer, watch]
}

function podClaims(context: ClusterContext, pod: Pod): PersistentVolumeClaim[] {
  return claimsOf(pod)
    .map(({ claimName }) => context.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, claimName, pod.metadata.namespace))
    .filter((claim) => claim !== undefined)
}

async function prepareClaim(context: ClusterContext, claim: PersistentVolumeClaim, node: Node): Promise<void> {
  const { name: claimName, namespace, uid, resourceVersion } = claim.metadata
  const volume = findVolume(context, claim, node)
  if (volume) {
    if (isReservedFor(volume, claim) && volume.spec?.claimRef?.uid) return
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name: claimName, namespace, uid, resourceVersion }
    const patch = {
      metadata: { resourceVersion: volume.metadata.resourceVersion, annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' } },
      spec: { claimRef },
    }
    await context.client.patch(resources.persistentVolumes, volume.metadata.name ?? '', patch, 'merge')
    return
  }
  const patch = { metadata: { annotations: { [selectedNode]: node.metadata.name } } }
  await context.client.patch(resources.persistentVolumeClaims, claimName ?? '', patch, 'merge', { namespace })
}

function findReserved(context: ClusterContext, claim: PersistentVolumeClaim): boolean {
  return context.cache.list<PersistentVolume>(resources.persistentVolumes).some((volume) => isReservedFor(volume, claim))
}
