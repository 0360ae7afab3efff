import type { ClusterContext } from '../machinery/context.ts'
import { resources } from '../machinery/object.ts'
import { compareAmounts } from '../machinery/quantities.ts'
import { parseQuantity } from '../schema/quantity.ts'
import type { PersistentVolumeClaim } from '../schema/types/core.v1.ts'
import type { StorageClass } from '../schema/types/storage.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, isAbout, refuse } from './admission.ts'

/** Claims that name no class get the default one: of several the newest. */
export function defaultStorageClass({ cache }: Pick<ClusterContext, 'cache'>): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    handles: (request) => request.operation === 'CREATE' && isAbout(request, '', 'persistentvolumeclaims'),
    mutate(request) {
      const claim = request.object as PersistentVolumeClaim
      if (!claim.spec || claim.spec.storageClassName !== undefined || claim.metadata.annotations?.[betaClass] !== undefined) return
      const classes = cache
        .list<StorageClass>(resources.storageClasses)
        .filter(({ metadata: { annotations = {} } }) => defaultAnnotations.some((name) => annotations[name] === 'true'))
      const [chosen] = classes.toSorted((a, b) => newestFirst(a, b))
      if (chosen?.metadata.name) claim.spec.storageClassName = chosen.metadata.name
    },
  }
}

/** Claims, volumes and classes of attributes are kept while something uses them. */
export function storageObjectInUseProtection(): AdmissionPlugin {
  return {
    name: 'StorageObjectInUseProtection',
    handles: (request) => request.operation === 'CREATE' && request.subresource === '' && groupResource(request.resource) in finalizers,
    mutate({ object, resource }) {
      const finalizer = finalizers[groupResource(resource)]
      if (!object || !finalizer || object.metadata.finalizers?.includes(finalizer)) return
      object.metadata.finalizers = [...(object.metadata.finalizers ?? []), finalizer]
    },
  }
}

/** A claim grows only when it is bound and its class lets it. */
export function persistentVolumeClaimResize({ cache }: Pick<ClusterContext, 'cache'>): AdmissionPlugin {
  return {
    name: 'PersistentVolumeClaimResize',
    handles: (request) => request.operation === 'UPDATE' && isAbout(request, '', 'persistentvolumeclaims'),
    validate(request) {
      const claim = request.object as PersistentVolumeClaim
      const old = request.oldObject as PersistentVolumeClaim
      const size = parseQuantity(claim.spec?.resources?.requests?.['storage'] ?? '0')
      const oldSize = parseQuantity(old.spec?.resources?.requests?.['storage'] ?? '0')
      if (compareAmounts(size, oldSize) <= 0) return
      if (old.status?.phase !== 'Bound') throw refuse(request, 'Only bound persistent volume claims can be expanded')
      const name = classOf(claim)
      const found = name && name === classOf(old) ? cache.get<StorageClass>(resources.storageClasses, name) : undefined
      if (found?.allowVolumeExpansion) return
      throw refuse(
        request,
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      )
    },
  }
}

const betaClass = 'volume.beta.kubernetes.io/storage-class'
const defaultAnnotations = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class']
const finalizers: Record<string, string> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
  'volumeattributesclasses.storage.k8s.io': 'kubernetes.io/vac-protection',
}

function groupResource({ group, resource }: AdmissionRequest['resource']): string {
  return group ? `${resource}.${group}` : resource
}

function classOf(claim: PersistentVolumeClaim): string {
  return claim.metadata.annotations?.[betaClass] ?? claim.spec?.storageClassName ?? ''
}

function newestFirst(a: StorageClass, b: StorageClass): number {
  const [left, right] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '']
  if (left !== right) return left < right ? 1 : -1
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1
}
