import { compareQuantities } from '../schema/quantity.ts'
import type {
  DownwardAPIVolumeFile,
  EphemeralVolumeSource,
  ProjectedVolumeSource,
  SecretReference,
  Volume,
} from '../schema/types/core.v1.ts'
import { validateClaimTemplate } from './claim-validation.ts'
import { validateFieldPath, validateResourceField } from './downward-api.ts'
import { duplicate, type FieldError, forbidden, invalid, type Path, required } from './field.ts'
import { dnsSubdomain, isDns1123Label } from './names.ts'
import {
  descendingUnreserved,
  needs,
  type SourceRules,
  validateAzureDisk,
  validateCsi,
  validateDisk,
  validateFibreChannel,
  validateFlex,
  validateFlocker,
  validateHostPath,
  validateIscsi,
  validateKeyToPath,
  validateMode,
  validateNfs,
  validateQuobyte,
  validateSecretNamed,
  validateSources,
  validateStorageOS,
} from './volume-sources.ts'

/** What is wrong with a pod's volumes, and those that its containers can use. `pod` is the pod's name, '' of a template. */
export function validateVolumes(volumes: Volume[], path: Path, pod: string): { volumes: Map<string, Volume>; errors: FieldError[] } {
  const names = new Set<string>()
  const usable = new Map<string, Volume>()
  const errors: FieldError[] = []
  for (const [index, volume] of volumes.entries()) {
    const at = path.index(index)
    const found = validateSources(volume, sourceRules, at, volume.name ?? '')
    found.push(...ownersOfNames(volume, at, pod))
    if (!volume.name) found.push(required(at.child('name')))
    else found.push(...isDns1123Label(volume.name).map((text) => invalid(at.child('name'), volume.name, text)))
    if (names.has(volume.name)) found.push(duplicate(at.child('name'), volume.name))
    if (found.length === 0) {
      names.add(volume.name)
      usable.set(volume.name, volume)
    }
    errors.push(...found)
  }
  return { volumes: usable, errors }
}

/** In the order in which the server looks at them. */
const sourceRules: SourceRules = {
  emptyDir: ({ sizeLimit }: { sizeLimit?: string }, path) =>
    sizeLimit !== undefined && compareQuantities(sizeLimit, 0) < 0
      ? [forbidden(path.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity')]
      : [],
  hostPath: validateHostPath,
  gitRepo: (source: { directory?: string }, path) => [
    ...needs('repository')(source as never, path),
    ...descendingUnreservedOrNone(source.directory, path.child('directory')),
  ],
  gcePersistentDisk: validateDisk('pdName'),
  awsElasticBlockStore: validateDisk('volumeID'),
  secret: files('secretName'),
  nfs: validateNfs,
  iscsi: validateIscsi,
  glusterfs: needs('endpoints', 'path'),
  flocker: validateFlocker,
  persistentVolumeClaim: needs('claimName'),
  rbd: needs('monitors', 'image'),
  cinder: (source: { secretRef?: SecretReference }, path) => [
    ...needs('volumeID')(source as never, path),
    ...validateSecretNamed(source.secretRef, path, false),
  ],
  cephfs: needs('monitors'),
  quobyte: validateQuobyte,
  downwardAPI: ({ defaultMode, items = [] }: { defaultMode?: number; items?: DownwardAPIVolumeFile[] }, path) => [
    ...validateMode(defaultMode, path.child('defaultMode')),
    ...items.flatMap((item) => validateDownwardFile(item, path)),
  ],
  fc: validateFibreChannel,
  flexVolume: validateFlex,
  configMap: files('name'),
  azureFile: needs('secretName', 'shareName'),
  vsphereVolume: needs('volumePath'),
  photonPersistentDisk: needs('pdID'),
  portworxVolume: needs('volumeID'),
  azureDisk: validateAzureDisk,
  storageos: validateStorageOS(false),
  projected: validateProjected,
  scaleIO: needs('gateway', 'system', 'volumeName'),
  csi: validateCsi,
  ephemeral: ({ volumeClaimTemplate }: EphemeralVolumeSource, path) =>
    volumeClaimTemplate
      ? validateClaimTemplate(volumeClaimTemplate, path.child('volumeClaimTemplate'))
      : [required(path.child('volumeClaimTemplate'))],
}

/** Names that other things are made of: a claim's, an initiator's. */
function ownersOfNames({ name, iscsi, ephemeral }: Volume, path: Path, pod: string): FieldError[] {
  const errors: FieldError[] = []
  if (iscsi?.initiatorName !== undefined && `${name}:${iscsi.targetPortal}`.length > 64) {
    const why = 'Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.'
    errors.push(invalid(path.child('name'), name, why))
  }
  if (ephemeral && pod && name) {
    const claim = `${pod}-${name}`
    errors.push(...dnsSubdomain(claim).map((text) => invalid(path.child('name'), name, `PVC name ${JSON.stringify(claim)}: ${text}`)))
  }
  return errors
}

function files(nameField: 'name' | 'secretName'): SourceRules[string] {
  return (source: { defaultMode?: number; items?: { key: string; path: string; mode?: number }[] }, path) => [
    ...needs(nameField)(source as never, path),
    ...validateMode(source.defaultMode, path.child('defaultMode')),
    ...(source.items ?? []).flatMap((item, index) => validateKeyToPath(item, path.child('items').index(index))),
  ]
}

const downwardFields = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid']

function validateDownwardFile(file: DownwardAPIVolumeFile, path: Path): FieldError[] {
  const { path: target = '', fieldRef, resourceFieldRef, mode } = file
  const errors = [...(target ? [] : [required(path.child('path'))]), ...descendingUnreserved(target, path.child('path'))]
  if (fieldRef) {
    errors.push(...validateFieldPath(fieldRef, downwardFields, path.child('fieldRef')))
    if (resourceFieldRef) errors.push(invalid(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'))
  } else if (resourceFieldRef) {
    errors.push(...validateResourceField(resourceFieldRef, path.child('resourceFieldRef'), true))
  } else {
    errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'))
  }
  return [...errors, ...validateMode(mode, path.child('mode'))]
}

function validateProjected({ defaultMode, sources = [] }: ProjectedVolumeSource, path: Path): FieldError[] {
  const errors = validateMode(defaultMode, path.child('defaultMode'))
  const paths = new Set<string>()
  const once = (target: string | undefined, shown: string | undefined) => {
    if (!target) return
    if (paths.has(target)) errors.push(invalid(path, shown ?? '', 'conflicting duplicate paths'))
    paths.add(target)
  }
  for (const [index, source] of (sources ?? []).entries()) {
    const at = path.child('sources').index(index)
    for (const kind of ['secret', 'configMap'] as const) {
      const given = source[kind]
      if (!given) continue
      if (!given.name) errors.push(required(at.child(kind, 'name')))
      for (const [position, item] of (given.items ?? []).entries()) {
        errors.push(...validateKeyToPath(item, at.child(kind, 'items').index(position)))
        once(item.path, given.name)
      }
    }
    for (const file of source.downwardAPI?.items ?? []) {
      errors.push(...validateDownwardFile(file, at.child('downwardAPI')))
      once(file.path, file.path)
    }
    if (source.serviceAccountToken) {
      const { expirationSeconds = 0, path: target = '' } = source.serviceAccountToken
      const seconds = at.child('serviceAccountToken', 'expirationSeconds')
      if (expirationSeconds < 600) errors.push(invalid(seconds, expirationSeconds, 'may not specify a duration less than 10 minutes'))
      if (expirationSeconds > 2 ** 32) {
        errors.push(invalid(seconds, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'))
      }
      errors.push(...(target ? descendingUnreserved(target, path.child('path')) : [required(path.child('path'))]))
    }
    const kinds = ['secret', 'configMap', 'downwardAPI', 'serviceAccountToken'] as const
    if (kinds.filter((kind) => source[kind]).length > 1) errors.push(forbidden(at, 'may not specify more than 1 volume type per source'))
  }
  return errors
}

function descendingUnreservedOrNone(value: string | undefined, path: Path): FieldError[] {
  return value ? descendingUnreserved(value, path) : []
}
