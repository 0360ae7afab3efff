import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { matchesNodeSelector } from '../scheduler/node-selection.ts'
import { compareQuantities } from '../schema/quantity.ts'
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../schema/types/core.v1.ts'
import type { StorageClass } from '../schema/types/storage.v1.ts'
import { matchesSelector } from './selector.ts'

/** What the PersistentVolume controller and the scheduler agree on about claims and volumes. */

export const bindCompleted = 'pv.kubernetes.io/bind-completed'
export const boundByController = 'pv.kubernetes.io/bound-by-controller'
export const selectedNode = 'volume.kubernetes.io/selected-node'
export const noProvisioner = 'kubernetes.io/no-provisioner'

/** A volume of a Pod that stands for a claim, and the claim's name. */
export function claimsOf(pod: Pod): { volume: string; claimName: string; ephemeral: boolean }[] {
  const claims: { volume: string; claimName: string; ephemeral: boolean }[] = []
  for (const { name, persistentVolumeClaim, ephemeral } of pod.spec?.volumes ?? []) {
    if (persistentVolumeClaim) claims.push({ volume: name, claimName: persistentVolumeClaim.claimName, ephemeral: false })
    if (ephemeral) claims.push({ volume: name, claimName: `${pod.metadata.name}-${name}`, ephemeral: true })
  }
  return claims
}

export function isBound(claim: PersistentVolumeClaim): boolean {
  return Boolean(claim.spec?.volumeName) && claim.metadata.annotations?.[bindCompleted] !== undefined
}

export function storageClassOf(context: ClusterContext, claim: PersistentVolumeClaim): StorageClass | undefined {
  const name = claim.spec?.storageClassName
  return name ? context.cache.get<StorageClass>(resources.storageClasses, name) : undefined
}

/** Whether the claim waits for a Pod to be scheduled before it is bound. */
export function waitsForConsumer(context: ClusterContext, claim: PersistentVolumeClaim): boolean {
  return storageClassOf(context, claim)?.volumeBindingMode === 'WaitForFirstConsumer'
}

/** Whether the volume is reserved for this claim: bound to it, or set aside for its name by whoever made it. */
export function isReservedFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const reference = volume.spec?.claimRef
  if (!reference) return false
  const { name, namespace, uid } = claim.metadata
  return reference.name === name && reference.namespace === namespace && (!reference.uid || reference.uid === uid)
}

/** The smallest volume that would do for the claim (on the node, if one is given); one reserved for it goes first. */
export function findVolume(context: ClusterContext, claim: PersistentVolumeClaim, node?: Node): PersistentVolume | undefined {
  let best: PersistentVolume | undefined
  for (const volume of context.cache.list<PersistentVolume>(resources.persistentVolumes)) {
    if (volume.metadata.deletionTimestamp || !suits(volume, claim)) continue
    if (node && !volumeAllowsNode(volume, node)) continue
    if (isReservedFor(volume, claim)) return volume
    if (volume.spec?.claimRef || volume.status?.phase !== 'Available') continue
    if (!best || compareQuantities(capacityOf(volume), capacityOf(best)) < 0) best = volume
  }
  return best
}

export function volumeAllowsNode(volume: PersistentVolume, node: Node): boolean {
  const required = volume.spec?.nodeAffinity?.required
  return !required || matchesNodeSelector(required, node)
}

function suits(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { accessModes = [], resources: wanted, selector, storageClassName = '', volumeMode = 'Filesystem' } = claim.spec ?? {}
  if ((volume.spec?.storageClassName ?? '') !== storageClassName) return false
  if ((volume.spec?.volumeMode ?? 'Filesystem') !== volumeMode) return false
  if (!accessModes.every((mode) => volume.spec?.accessModes?.includes(mode))) return false
  if (compareQuantities(capacityOf(volume), wanted?.requests?.['storage'] ?? 0) < 0) return false
  return !selector || matchesSelector(selector, volume.metadata.labels)
}

function capacityOf(volume: PersistentVolume): string | number {
  return volume.spec?.capacity?.['storage'] ?? 0
}
