import { allContainers } from '../registry/pod-defaults.ts'
import type { Pod, Volume, VolumeProjection } from '../schema/types/core.v1.ts'

/**
 * What of the API a pod asks for, in the words in which a kubelet refuses a static one for it; undefined where it needs nothing.
 * Source: HasAPIObjectReference in pkg/api/pod.
 */
export function apiReference({ spec = { containers: [] } }: Pod): string | undefined {
  const { volumes = [] } = spec
  if (spec.serviceAccountName) return 'serviceaccounts'
  const from = allContainers(spec).flatMap(({ env = [], envFrom = [] }) => [...env.map(({ valueFrom }) => valueFrom), ...envFrom])
  const secretInEnv = from.some((source) => source && ('secretKeyRef' in source || 'secretRef' in source))
  if (spec.imagePullSecrets?.length || secretInEnv || volumes.some(hasSecret)) return 'secrets'
  const settingsInEnv = from.some((source) => source && ('configMapKeyRef' in source || 'configMapRef' in source))
  if (settingsInEnv || volumes.some((volume) => volume.configMap || sourcesOf(volume).some(({ configMap }) => configMap)))
    return 'configmaps'
  if (spec.resourceClaims?.length) return 'resourceclaims'
  for (const volume of volumes) {
    const needed = neededBy(volume)
    if (needed) return needed
  }
  return undefined
}

function hasSecret(volume: Volume): boolean {
  const { secret, azureFile, cephfs, cinder, flexVolume, rbd, scaleIO, iscsi, storageos, csi } = volume
  const named = [cephfs, cinder, flexVolume, rbd, scaleIO, iscsi, storageos].some((source) => source?.secretRef)
  const projected = sourcesOf(volume).some((source) => source.secret)
  return Boolean(secret || azureFile || named || csi?.nodePublishSecretRef || projected)
}

function neededBy(volume: Volume): string | undefined {
  if (volume.csi) return 'csidrivers (via CSI volumes)'
  if (volume.glusterfs) return 'endpoints (via glusterFS volumes)'
  if (volume.persistentVolumeClaim) return 'persistentvolumeclaims'
  if (volume.ephemeral) return 'persistentvolumeclaims (via ephemeral volumes)'
  for (const source of sourcesOf(volume)) {
    if (source.serviceAccountToken) return 'serviceaccounts (via projected volumes)'
    if (source.clusterTrustBundle) return 'clustertrustbundles'
    if (source.podCertificate) return 'podcertificates'
  }
  return undefined
}

function sourcesOf({ projected }: Volume): readonly VolumeProjection[] {
  return projected?.sources ?? []
}
