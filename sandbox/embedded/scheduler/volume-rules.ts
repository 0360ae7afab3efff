import { claimsOf, storageClassOf } from '../controllers/volume-matching.ts'
import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import type { PersistentVolume, PersistentVolumeClaim, Pod, Volume } from '../schema/types/core.v1.ts'
import type { CSINode } from '../schema/types/storage.v1.ts'
import type { FilterPlugin, Rejection } from './filter.ts'
import type { NodeInfo } from './snapshot.ts'

/** Rules about volumes besides their binding: who may share one, how many a node takes, and in which zone it is. */

export const volumeRestrictions: FilterPlugin = {
  name: 'VolumeRestrictions',
  prepare({ context, pod, nodes }) {
    const claims: PersistentVolumeClaim[] = []
    for (const { persistentVolumeClaim } of pod.spec?.volumes ?? []) {
      if (!persistentVolumeClaim) continue
      const claim = claimOf(context, pod, persistentVolumeClaim.claimName)
      if (!claim) return refuse('VolumeRestrictions', `persistentvolumeclaim "${persistentVolumeClaim.claimName}" not found`)
      claims.push(claim)
    }
    const alone = new Set(claims.filter(({ spec }) => spec?.accessModes?.includes('ReadWriteOncePod')).map(({ metadata }) => metadata.name))
    const taken = alone.size > 0 && nodes.some(({ pods }) => pods.some((other) => sharesOneOf(other, pod, alone)))
    const disks = (pod.spec?.volumes ?? []).filter(isDisk)
    if (!taken && disks.length === 0) return undefined
    return ({ pods }) => {
      const conflict = disks.some((disk) => pods.some((other) => other.spec?.volumes?.some((volume) => disksConflict(disk, volume))))
      if (conflict) return { plugin: 'VolumeRestrictions', reasons: ['node(s) had no available disk'], resolvable: true }
      if (!taken) return undefined
      const reason = 'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod'
      return { plugin: 'VolumeRestrictions', reasons: [reason], resolvable: true }
    }
  },
}

function sharesOneOf(other: Pod, pod: Pod, claims: ReadonlySet<string | undefined>): boolean {
  return other.metadata.namespace === pod.metadata.namespace && claimsOf(other).some(({ claimName }) => claims.has(claimName))
}

function isDisk({ gcePersistentDisk, awsElasticBlockStore, rbd, iscsi }: Volume): boolean {
  return Boolean(gcePersistentDisk ?? awsElasticBlockStore ?? rbd ?? iscsi)
}

/** The same disk, unless both only read it (EBS: even then). */
function disksConflict(a: Volume, b: Volume): boolean {
  const bothRead = (one?: { readOnly?: boolean }, other?: { readOnly?: boolean }) => Boolean(one?.readOnly && other?.readOnly)
  if (a.gcePersistentDisk && a.gcePersistentDisk.pdName === b.gcePersistentDisk?.pdName) {
    return !bothRead(a.gcePersistentDisk, b.gcePersistentDisk)
  }
  if (a.awsElasticBlockStore && a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore?.volumeID) return true
  if (a.iscsi && a.iscsi.iqn === b.iscsi?.iqn) return !bothRead(a.iscsi, b.iscsi)
  if (!a.rbd || !b.rbd) return false
  const sameMonitor = a.rbd.monitors?.some((monitor) => b.rbd?.monitors?.includes(monitor))
  return Boolean(sameMonitor && a.rbd.pool === b.rbd.pool && a.rbd.image === b.rbd.image && !bothRead(a.rbd, b.rbd))
}

export const nodeVolumeLimits: FilterPlugin = {
  name: 'NodeVolumeLimits',
  prepare({ context, pod }) {
    const wanted = driversOf(context, pod)
    if (wanted.size === 0) return undefined
    return (info) => {
      const limits = limitsOf(context, info)
      const attached = new Map(info.pods.flatMap((other) => [...driversOf(context, other)]))
      const count = (volumes: Iterable<[string, string]>, driver: string) => [...volumes].filter(([, other]) => other === driver).length
      const fresh = [...wanted].filter(([volume]) => !attached.has(volume))
      for (const driver of new Set(fresh.map(([, name]) => name))) {
        const limit = limits.get(driver)
        if (limit !== undefined && count(attached, driver) + count(fresh, driver) > limit) {
          return { plugin: 'NodeVolumeLimits', reasons: ['node(s) exceed max volume count'], resolvable: true }
        }
      }
      return undefined
    }
  },
}

/** CSI drivers of the Pod's volumes, by a name of the volume. */
function driversOf(context: ClusterContext, pod: Pod): Map<string, string> {
  const drivers = new Map<string, string>()
  for (const { claimName } of claimsOf(pod)) {
    const claim = claimOf(context, pod, claimName)
    const volume = volumeOf(context, claim)
    const provisioner = claim && !volume ? storageClassOf(context, claim)?.provisioner : undefined
    const driver = volume?.spec?.csi?.driver ?? provisioner
    if (driver) drivers.set(volume?.spec?.csi?.volumeHandle ?? `${pod.metadata.namespace}/${claimName}`, driver)
  }
  return drivers
}

function limitsOf(context: ClusterContext, { name }: NodeInfo): Map<string, number> {
  const drivers = context.cache.get<CSINode>(resources.csiNodes, name)?.spec.drivers ?? []
  return new Map(
    drivers.flatMap(({ name: driver, allocatable }) => (allocatable?.count === undefined ? [] : [[driver, allocatable.count]])),
  )
}

const zoneLabels = [
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
]

export const volumeZone: FilterPlugin = {
  name: 'VolumeZone',
  prepare({ context, pod }) {
    const wanted = claimsOf(pod).flatMap(({ claimName }) => {
      const labels = volumeOf(context, claimOf(context, pod, claimName))?.metadata.labels ?? {}
      return zoneLabels.flatMap((key) => (labels[key] === undefined ? [] : [{ key, values: labels[key].split('__') }]))
    })
    if (wanted.length === 0) return undefined
    return ({ node }) => {
      const labels = node.metadata.labels ?? {}
      if (!zoneLabels.some((key) => labels[key] !== undefined)) return undefined
      const fits = wanted.every(({ key, values }) => {
        const value = labels[key] ?? labels[key.replace('failure-domain.beta.kubernetes.io', 'topology.kubernetes.io')]
        return value !== undefined && values.includes(value)
      })
      return fits ? undefined : { plugin: 'VolumeZone', reasons: ['node(s) had no available volume zone'], resolvable: false }
    }
  },
}

function claimOf(context: ClusterContext, pod: Pod, name: string): PersistentVolumeClaim | undefined {
  return context.cache.get<PersistentVolumeClaim>(resources.persistentVolumeClaims, name, pod.metadata.namespace)
}

function volumeOf(context: ClusterContext, claim: PersistentVolumeClaim | undefined): PersistentVolume | undefined {
  const name = claim?.spec?.volumeName
  return name ? context.cache.get<PersistentVolume>(resources.persistentVolumes, name) : undefined
}

function refuse(plugin: string, reason: string): Rejection {
  return { plugin, reasons: [reason], resolvable: false }
}
