import type {
  AzureDiskVolumeSource,
  CSIPersistentVolumeSource,
  CSIVolumeSource,
  FCVolumeSource,
  FlexVolumeSource,
  FlockerVolumeSource,
  HostPathVolumeSource,
  ISCSIVolumeSource,
  KeyToPath,
  NFSVolumeSource,
  PersistentVolumeSpec,
  QuobyteVolumeSource,
  SecretReference,
  StorageOSVolumeSource,
} from '../schema/types/core.v1.ts'
import { type FieldError, forbidden, invalid, notSupported, type Path, required, tooLong } from './field.ts'
import { validateEnum, validateSubdomain } from './metadata.ts'
import { between, isDns1123Label, isDns1123Subdomain } from './names.ts'

/**
 * The sources that pods' volumes and persistent volumes have in common, with what is wrong with each.
 * Rules, words and paths: pkg/apis/core/validation.
 */
export type SourceRules = Record<string, (source: never, path: Path, name: string) => FieldError[]>

/** Of several sources each after the first is one too many; the words of the real server have slips, which are kept. */
export function validateSources(
  sources: object,
  rules: SourceRules,
  path: Path,
  name: string,
  besides: readonly string[] = [],
): FieldError[] {
  const errors: FieldError[] = []
  let seen = 0
  for (const [kind, rule] of Object.entries(rules)) {
    const source = (sources as Record<string, unknown>)[kind]
    if (source === undefined || source === null) continue
    if (seen++ > 0 && !besides.includes(kind))
      errors.push(forbidden(path.child(namedTwice[kind] ?? kind), 'may not specify more than 1 volume type'))
    else errors.push(...rule(source as never, path.child(named[kind] ?? kind), name))
  }
  return seen === 0 ? [...errors, required(path, 'must specify a volume type')] : errors
}

const namedTwice: Record<string, string> = { cephfs: 'cephFS', downwardAPI: 'downwarAPI' }
const named: Record<string, string> = { gcePersistentDisk: 'persistentDisk' }

/** Each of these fields must be there. */
export function needs(...fields: string[]): (source: never, path: Path) => FieldError[] {
  return (source, path) => fields.flatMap((field) => (isEmpty(source[field]) ? [required(path.child(field))] : []))
}

export function validateMode(mode: number | undefined, path: Path): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > 0o777)
    ? [invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : []
}

/** A path inside a volume: relative, never upwards. */
export function descending(value: string, path: Path): FieldError[] {
  return [...(value.startsWith('/') ? [invalid(path, value, 'must be a relative path')] : []), ...withoutBacksteps(value, path)]
}

/** A path inside a volume that does not meet the names which the kubelet keeps for itself. */
export function descendingUnreserved(value: string, path: Path): FieldError[] {
  const reserved = value.startsWith('..') && !value.startsWith('../')
  return [...descending(value, path), ...(reserved ? [invalid(path, value, "must not start with '..'")] : [])]
}

export function validateKeyToPath({ key, path: target = '', mode }: KeyToPath, path: Path): FieldError[] {
  return [
    ...(key ? [] : [required(path.child('key'))]),
    ...(target ? [] : [required(path.child('path'))]),
    ...descendingUnreserved(target, path.child('path')),
    ...validateMode(mode, path.child('mode')),
  ]
}

export function validateHostPath({ path: value, type }: HostPathVolumeSource, path: Path): FieldError[] {
  if (!value) return [required(path.child('path'))]
  return [...withoutBacksteps(value, path.child('path')), ...validateEnum(type, hostPathTypes, path.child('type'))]
}

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket']

export function validateDisk(idField: string): (source: { partition?: number }, path: Path) => FieldError[] {
  return (source, path) => {
    const { partition = 0 } = source
    const errors = needs(idField)(source as never, path)
    return partition < 0 || partition > 255 ? [...errors, invalid(path.child('partition'), partition, between(1, 255))] : errors
  }
}

export function validateNfs({ server, path: value = '' }: NFSVolumeSource, path: Path): FieldError[] {
  return [
    ...(server ? [] : [required(path.child('server'))]),
    ...(value ? [] : [required(path.child('path'))]),
    ...(value.startsWith('/') ? [] : [invalid(path.child('path'), value, 'must be an absolute path')]),
  ]
}

export function validateIscsi(source: ISCSIVolumeSource, path: Path): FieldError[] {
  return iscsiErrors(source, path, 'must be valid format starting with iqn, eui, or naa')
}

/** `unlike` is said of a name that begins as none does. */
function iscsiErrors(source: ISCSIVolumeSource, path: Path, unlike: string): FieldError[] {
  const { iqn = '', lun = 0, chapAuthDiscovery, chapAuthSession, secretRef, initiatorName } = source
  const named = (value: string, at: Path) => {
    if (!/^(iqn|eui|naa)/.test(value)) return [invalid(at, value, unlike)]
    return initiators.some((pattern) => pattern.test(value)) ? [] : [invalid(at, value, 'must be valid format')]
  }
  return [
    ...needs('targetPortal')(source as never, path),
    ...(iqn ? named(iqn, path.child('iqn')) : [required(path.child('iqn'))]),
    ...(lun < 0 || lun > 255 ? [invalid(path.child('lun'), lun, between(0, 255))] : []),
    ...((chapAuthDiscovery || chapAuthSession) && !secretRef ? [required(path.child('secretRef'))] : []),
    ...(initiatorName === undefined ? [] : named(initiatorName, path.child('initiatorname'))),
  ]
}

const initiators = [/iqn\.\d{4}-\d{2}\.([A-Za-z0-9\-.]+)(:[^,;*&$|\s]+)$/, /^eui.[A-Za-z0-9]{16}$/, /^naa.[A-Za-z0-9]{32}$/]

export function validateFlocker({ datasetName = '', datasetUUID = '' }: FlockerVolumeSource, path: Path): FieldError[] {
  const errors: FieldError[] = []
  if (!datasetName && !datasetUUID) errors.push(required(path, 'one of datasetName and datasetUUID is required'))
  if (datasetName && datasetUUID) {
    errors.push(invalid(path, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'))
  }
  if (datasetName.includes('/')) errors.push(invalid(path.child('datasetName'), datasetName, "must not contain '/'"))
  return errors
}

export function validateQuobyte(source: QuobyteVolumeSource, path: Path): FieldError[] {
  const { registry = '', tenant = '' } = source
  const errors: FieldError[] = []
  const pairs = 'must be a host:port pair or multiple pairs separated by commas'
  if (!registry) errors.push(required(path.child('registry'), pairs))
  else if (tenant.length >= 65) {
    errors.push(required(path.child('tenant'), 'must be a UUID and may not exceed a length of 64 characters'))
  } else {
    const wrong = registry.split(',').filter((pair) => !/^([^:[\]]*|\[[^[\]]*\]):[^:[\]]*$/.test(pair))
    errors.push(...wrong.map(() => invalid(path.child('registry'), registry, pairs)))
  }
  return [...errors, ...needs('volume')(source as never, path)]
}

export function validateFibreChannel({ targetWWNs = [], wwids = [], lun }: FCVolumeSource, path: Path): FieldError[] {
  const errors: FieldError[] = []
  const at = path.child('targetWWNs')
  if (!targetWWNs?.length && !wwids?.length) errors.push(required(at, 'must specify either targetWWNs or wwids, but not both'))
  if (targetWWNs?.length && wwids?.length) {
    errors.push(invalid(at, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'))
  }
  if (!targetWWNs?.length) return errors
  if (lun === undefined) errors.push(required(path.child('lun'), 'lun is required if targetWWNs is specified'))
  else if (lun < 0 || lun > 255) errors.push(invalid(path.child('lun'), lun, between(0, 255)))
  return errors
}

export function validateFlex(source: Pick<FlexVolumeSource, 'driver' | 'options'>, path: Path): FieldError[] {
  const reserved = Object.keys(source.options ?? {}).filter((key) => /\.(kubernetes|k8s)\.io$/.test(`.${key.split('/')[0]?.toLowerCase()}`))
  return [
    ...needs('driver')(source as never, path),
    ...reserved.map((key) => invalid(path.child('options').key(key), key, 'kubernetes.io and k8s.io namespaces are reserved')),
  ]
}

export function validateAzureDisk(source: AzureDiskVolumeSource, path: Path): FieldError[] {
  const { diskURI = '', cachingMode, kind } = source
  const errors = [
    ...needs('diskName', 'diskURI')(source as never, path),
    ...validateEnum(cachingMode, ['None', 'ReadOnly', 'ReadWrite'], path.child('cachingMode')),
    ...validateEnum(kind, ['Dedicated', 'Managed', 'Shared'], path.child('kind')),
  ]
  if (kind === undefined) return errors
  const managed = '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}'
  const blob = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd'
  const fits = kind === 'Managed' ? diskURI.startsWith('/subscriptions/') : diskURI.startsWith('https://')
  return fits ? errors : [...errors, notSupported(path.child('diskURI'), diskURI, [kind === 'Managed' ? managed : blob])]
}

/** `places`: whether the secret is named with its namespace, as in persistent volumes. */
export function validateStorageOS(places: boolean): (source: StorageOSVolumeSource, path: Path) => FieldError[] {
  return ({ volumeName, volumeNamespace, secretRef }, path) => {
    const label = (value: string, at: Path) => isDns1123Label(value).map((text) => invalid(at, value, text))
    const at = path.child('volumeName')
    return [
      ...(volumeName ? label(volumeName, at) : [required(at)]),
      ...(volumeNamespace ? label(volumeNamespace, path.child('volumeNamespace')) : []),
      ...validateSecretNamed(secretRef, path, places),
    ]
  }
}

export function validateSecretNamed(secret: SecretReference | undefined, path: Path, places: boolean): FieldError[] {
  if (!secret) return []
  return needs('name', ...(places ? ['namespace'] : []))(secret as never, path.child('secretRef'))
}

export function validateCsiDriverName(driver = '', path: Path): FieldError[] {
  return [
    ...(driver ? [] : [required(path)]),
    ...(driver.length > 63 ? [tooLong(path, 63)] : []),
    ...isDns1123Subdomain(driver.toLowerCase()).map((text) => invalid(path, driver, text)),
  ]
}

export function validateCsi({ driver, nodePublishSecretRef }: CSIVolumeSource, path: Path): FieldError[] {
  const errors = validateCsiDriverName(driver, path.child('driver'))
  if (!nodePublishSecretRef) return errors
  const { name } = nodePublishSecretRef
  if (!name) return [...errors, required(path.child('nodePublishSecretRef', 'name'))]
  return [...errors, ...validateSubdomain(name, path.child('name'))]
}

function validateCsiOfVolume(source: CSIPersistentVolumeSource, path: Path): FieldError[] {
  const secrets = ['controllerPublishSecretRef', 'controllerExpandSecretRef', 'nodePublishSecretRef', 'nodeExpandSecretRef'] as const
  return [
    ...validateCsiDriverName(source.driver, path.child('driver')),
    ...needs('volumeHandle')(source as never, path),
    ...secrets.flatMap((field) => {
      const secret = source[field]
      if (!secret) return []
      const name = path.child(field, 'name')
      const namespace = path.child(field, 'namespace')
      return [
        ...(secret.name ? validateSubdomain(secret.name, name) : [required(name)]),
        ...(secret.namespace
          ? isDns1123Label(secret.namespace).map((text) => invalid(namespace, secret.namespace, text))
          : [required(namespace)]),
      ]
    }),
  ]
}

/** The sources of a PersistentVolume in the order in which the server looks at them. */
export function validatePersistentVolumeSource(spec: PersistentVolumeSpec, path: Path, name: string): FieldError[] {
  const rules: SourceRules = {
    hostPath: validateHostPath,
    gcePersistentDisk: validateDisk('pdName'),
    awsElasticBlockStore: validateDisk('volumeID'),
    glusterfs: validateGlusterfs,
    flocker: validateFlocker,
    nfs: validateNfs,
    rbd: needs('monitors', 'image'),
    quobyte: validateQuobyte,
    cephfs: needs('monitors'),
    iscsi: (source: ISCSIVolumeSource, at) => iscsiErrors(source, at, 'must be valid format'),
    cinder: (source: { secretRef?: SecretReference }, at) => [
      ...needs('volumeID')(source as never, at),
      ...validateSecretNamed(source.secretRef, at, true),
    ],
    fc: validateFibreChannel,
    flexVolume: validateFlex as SourceRules[string],
    azureFile: (source: { secretNamespace?: string }, at) => [
      ...needs('secretName', 'shareName')(source as never, at),
      ...(source.secretNamespace === '' ? [required(at.child('secretNamespace'))] : []),
    ],
    vsphereVolume: needs('volumePath'),
    photonPersistentDisk: needs('pdID'),
    portworxVolume: needs('volumeID'),
    azureDisk: validateAzureDisk,
    scaleIO: needs('gateway', 'system', 'volumeName'),
    local: (source: { path?: string }, at) => [
      ...(source.path ? withoutBacksteps(source.path, at.child('path')) : [required(at.child('path'))]),
      ...(spec.nodeAffinity ? [] : [required(path.child('nodeAffinity'), 'Local volume requires node affinity')]),
    ],
    storageos: validateStorageOS(true) as SourceRules[string],
    csi: validateCsiOfVolume,
  }
  // of this one the real server does not ask whether there is another
  return validateSources(spec, rules, path, name, ['flexVolume'])
}

function validateGlusterfs(source: { endpointsNamespace?: string }, path: Path): FieldError[] {
  const { endpointsNamespace: namespace } = source
  const at = path.child('endpointsNamespace')
  const errors = needs('endpoints', 'path')(source as never, path)
  if (namespace === undefined) return errors
  if (!namespace) return [...errors, invalid(at, '', 'if the endpointnamespace is set, it must be a valid namespace name')]
  return [...errors, ...isDns1123Label(namespace).map((text) => invalid(at, namespace, text))]
}

function withoutBacksteps(value: string, path: Path): FieldError[] {
  return value.split('/').includes('..') ? [invalid(path, value, "must not contain '..'")] : []
}

function isEmpty(value: unknown): boolean {
  return !value || (Array.isArray(value) && value.length === 0)
}
