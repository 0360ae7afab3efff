import { isDeepStrictEqual } from 'node:util'
import { copyOf } from '../../machinery/copy.ts'
import { compareQuantities } from '../../schema/quantity.ts'
import type {
  ConfigMap,
  Endpoints,
  Event,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  PodTemplate,
  ResourceQuota,
  Secret,
} from '../../schema/types/core.v1.ts'
import { validateAccessModes, validateClaimSpec } from '../claim-validation.ts'
import type { Definition } from '../define.ts'
import { type FieldError, forbidden, invalid, metadataPath, notSupported, Path, required, specPath, tooLong } from '../field.ts'
import { validateEnum, validateImmutable } from '../metadata.ts'
import { dnsLabel, isConfigMapKey, isDns1123Subdomain } from '../names.ts'
import { defaultPersistentVolumeClaimSpec, defaultPodTemplate } from '../pod-defaults.ts'
import { specDiff } from '../pod-diff.ts'
import { nodeTerm } from '../pod-placement.ts'
import { validatePodTemplate } from '../pod-validation.ts'
import { validatePersistentVolumeSource } from '../volume-sources.ts'

const megabyte = 1024 * 1024
const lockedData = 'field is immutable when `immutable` is set'

export const configMapRules: Partial<Definition<ConfigMap>> = {
  validate({ data = {}, binaryData = {} }) {
    const errors: FieldError[] = []
    for (const key of Object.keys(data)) {
      errors.push(...isConfigMapKey(key).map((text) => invalid(new Path('data').key(key), key, text)))
      if (key in binaryData) errors.push(invalid(new Path('data').key(key), key, 'duplicate of key present in binaryData'))
    }
    for (const key of Object.keys(binaryData)) {
      errors.push(...isConfigMapKey(key).map((text) => invalid(new Path('binaryData').key(key), key, text)))
    }
    const size = [...Object.values(data), ...Object.values(binaryData)].reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    return size > megabyte ? [...errors, tooLong(new Path('[]'), megabyte)] : errors
  },
  validateChange(map, old) {
    if (!old.immutable) return []
    const errors: FieldError[] = map.immutable ? [] : [forbidden(new Path('immutable'), lockedData)]
    for (const field of ['data', 'binaryData'] as const) {
      if (!isDeepStrictEqual(map[field] ?? {}, old[field] ?? {})) errors.push(forbidden(new Path(field), lockedData))
    }
    return errors
  },
}

const secretKeys: Record<string, string[]> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
}

export const secretRules: Partial<Definition<Secret>> = {
  default(secret) {
    secret.type ??= 'Opaque'
    if (!secret.stringData) return
    const data = (secret.data ??= {})
    for (const [key, text] of Object.entries(secret.stringData)) data[key] = Buffer.from(text).toString('base64')
    delete secret.stringData
  },
  validate({ type = '', data = {}, metadata }) {
    const path = new Path('data')
    const errors = Object.keys(data).flatMap((key) => isConfigMapKey(key).map((text) => invalid(path.key(key), key, text)))
    for (const key of secretKeys[type] ?? []) if (!(key in data)) errors.push(required(path.key(key)))
    const config = data['.dockerconfigjson']
    if (type === 'kubernetes.io/dockerconfigjson' && config !== undefined && !isJson(config)) {
      errors.push(invalid(path.key('.dockerconfigjson'), '<secret contents redacted>', 'unexpected end of JSON input'))
    }
    if (type === 'kubernetes.io/service-account-token' && !metadata.annotations?.['kubernetes.io/service-account.name']) {
      errors.push(required(metadataPath.child('annotations').key('kubernetes.io/service-account.name')))
    }
    if (type === 'kubernetes.io/basic-auth' && !('username' in data) && !('password' in data)) {
      errors.push(required(path.key('username')), required(path.key('password')))
    }
    const size = Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text, 'base64'), 0)
    return size > megabyte ? [...errors, tooLong(path, megabyte)] : errors
  },
  validateChange(secret, old) {
    const errors = validateImmutable(secret.type, old.type, new Path('type'))
    if (!old.immutable) return errors
    if (!secret.immutable) errors.push(forbidden(new Path('immutable'), lockedData))
    if (!isDeepStrictEqual(secret.data ?? {}, old.data ?? {})) errors.push(forbidden(new Path('data'), lockedData))
    return errors
  },
  fieldSelectors: { type: ({ type }) => type ?? '' },
}

export const namespaceRules: Partial<Definition<Namespace>> = {
  name: dnsLabel,
  default(namespace) {
    if (namespace.metadata.name) {
      namespace.metadata.labels = { ...namespace.metadata.labels, 'kubernetes.io/metadata.name': namespace.metadata.name }
    }
    namespace.status ??= {}
    namespace.status.phase ??= 'Active'
  },
  prepareForCreate(namespace) {
    namespace.status = { phase: 'Active' }
    namespace.spec ??= {}
    if (!namespace.spec.finalizers?.includes('kubernetes')) {
      namespace.spec.finalizers = [...(namespace.spec.finalizers ?? []), 'kubernetes']
    }
    namespace.metadata.labels = { ...namespace.metadata.labels, 'kubernetes.io/metadata.name': namespace.metadata.name ?? '' }
  },
  prepareForUpdate(namespace, old) {
    namespace.spec = { ...namespace.spec, ...(old.spec?.finalizers && { finalizers: [...old.spec.finalizers] }) }
  },
  fieldSelectors: { 'status.phase': ({ status }) => status?.phase ?? '' },
}

export const nodeRules: Partial<Definition<Node>> = {
  default(node) {
    const status = (node.status ??= {})
    if (status.capacity) status.allocatable ??= { ...status.capacity }
  },
  keepsStatusOnCreate: true,
  validateChange({ spec }, old) {
    if (!old.spec?.podCIDR || spec?.podCIDR === old.spec.podCIDR) return []
    return [forbidden(specPath.child('podCIDRs'), 'node updates may not change podCIDR except from "" to valid')]
  },
  fieldSelectors: { 'spec.unschedulable': ({ spec }) => String(spec?.unschedulable ?? false) },
}

export const persistentVolumeClaimRules: Partial<Definition<PersistentVolumeClaim>> = {
  default(claim) {
    claim.status ??= {}
    claim.status.phase ??= 'Pending'
    if (claim.spec) defaultPersistentVolumeClaimSpec(claim.spec)
  },
  prepareForCreate(claim) {
    claim.status = { phase: 'Pending' }
    if (claim.spec) alignSources(claim.spec)
  },
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    return validateClaimSpec(spec, specPath)
  },
  validateChange({ spec }, old) {
    const bound = old.status?.phase === 'Bound'
    const comparable = (source: PersistentVolumeClaim['spec']) => {
      const { resources, volumeName, volumeAttributesClassName, ...rest } = copyOf(source ?? {})
      return {
        ...rest,
        volumeName: old.spec?.volumeName ? volumeName : undefined,
        limits: resources?.limits,
        requests: bound ? undefined : resources?.requests,
      }
    }
    const before = old.spec?.resources?.requests?.['storage']
    const storage = spec?.resources?.requests?.['storage']
    const errors: FieldError[] = []
    if (!isDeepStrictEqual(comparable(spec), comparable(old.spec))) {
      errors.push(
        forbidden(
          specPath,
          `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${specDiff(old.spec, spec, 'core.v1.PersistentVolumeClaimSpec')}`,
        ),
      )
    }
    if (bound && before !== undefined && storage !== undefined && compareQuantities(storage, before) < 0) {
      errors.push(forbidden(specPath.child('resources', 'requests', 'storage'), 'field can not be less than status.capacity'))
    }
    return errors
  },
}

/** Where a claim's data comes from is said in two fields, of which the older knows fewer places: each follows the other. */
function alignSources(spec: NonNullable<PersistentVolumeClaim['spec']>): void {
  const { dataSource, dataSourceRef } = spec
  const known = ({ apiGroup = '', kind }: { apiGroup?: string; kind: string }) =>
    (apiGroup === '' && kind === 'PersistentVolumeClaim') || (apiGroup === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot')
  // what the older field does not know it forgets
  if (dataSource && !dataSourceRef && !known(dataSource)) delete spec.dataSource
  else if (dataSource && !dataSourceRef) spec.dataSourceRef = { ...dataSource }
  else if (dataSourceRef && !dataSource && known(dataSourceRef) && !dataSourceRef.namespace) {
    const { namespace: _, ...source } = dataSourceRef
    spec.dataSource = source
  }
}

export const persistentVolumeRules: Partial<Definition<PersistentVolume>> = {
  default(volume) {
    volume.status ??= {}
    volume.status.phase ??= 'Pending'
    const { spec } = volume
    if (!spec) return
    spec.persistentVolumeReclaimPolicy ??= 'Retain'
    spec.volumeMode ??= 'Filesystem'
    if (spec.hostPath) spec.hostPath.type ??= ''
  },
  prepareForCreate(volume, { now }) {
    volume.status = { phase: 'Pending', lastPhaseTransitionTime: now }
  },
  validate({ spec, metadata }) {
    if (!spec) return [required(specPath)]
    const { capacity = {}, volumeAttributesClassName: attributes } = spec
    const at = (name: string) => specPath.child(name)
    const errors = [
      ...(spec.accessModes?.length ? [] : [required(at('accessModes'))]),
      ...validateAccessModes(spec.accessModes, at('accessModes')),
      ...(Object.keys(capacity).length > 0 ? [] : [required(at('capacity'))]),
    ]
    if (capacity['storage'] === undefined || Object.keys(capacity).length > 1) {
      errors.push(notSupported(at('capacity'), spec.capacity ?? null, ['storage']))
    }
    for (const [name, quantity] of Object.entries(capacity)) {
      const place = at('capacity').key(name)
      if (compareQuantities(quantity, 0) < 0) errors.push(invalid(place, quantity, 'must be a valid resource quantity'))
      if (compareQuantities(quantity, 0) <= 0) errors.push(invalid(place, quantity, 'must be greater than zero'))
    }
    errors.push(...validateEnum(spec.persistentVolumeReclaimPolicy, ['Delete', 'Recycle', 'Retain'], at('persistentVolumeReclaimPolicy')))
    errors.push(...validateVolumeNodes(spec.nodeAffinity, at('nodeAffinity')))
    errors.push(...validatePersistentVolumeSource(spec, specPath, metadata.name ?? ''))
    if (spec.hostPath?.path === '/' && spec.persistentVolumeReclaimPolicy === 'Recycle') {
      errors.push(forbidden(at('persistentVolumeReclaimPolicy'), "may not be 'recycle' for a hostPath mount of '/'"))
    }
    const className = (value: string, path: Path) => isDns1123Subdomain(value).map((text) => invalid(path, value, text))
    if (spec.storageClassName) errors.push(...className(spec.storageClassName, at('storageClassName')))
    errors.push(...validateEnum(spec.volumeMode, ['Block', 'Filesystem'], at('volumeMode')))
    if (attributes === undefined) return errors
    const place = at('volumeAttributesClassName')
    errors.push(...(attributes ? className(attributes, place) : [required(place, 'an empty string is disallowed')]))
    return spec.csi ? errors : [...errors, required(at('csi'), 'has to be specified when using volumeAttributesClassName')]
  },
}

function validateVolumeNodes(affinity: NonNullable<PersistentVolume['spec']>['nodeAffinity'], path: Path): FieldError[] {
  if (!affinity) return []
  const { required: needed } = affinity
  if (!needed) return [required(path.child('required'), 'must specify required node constraints')]
  const terms = path.child('required', 'nodeSelectorTerms')
  const none = needed.nodeSelectorTerms?.length ? [] : [required(terms, 'must have at least one node selector term')]
  return [...none, ...(needed.nodeSelectorTerms ?? []).flatMap((term, index) => nodeTerm(term, terms.index(index), true))]
}

export const podTemplateRules: Partial<Definition<PodTemplate>> = {
  podSpec: ({ template }) => template?.spec,
  default: ({ template }) => template && defaultPodTemplate(template),
  validate: ({ template }) => (template ? validatePodTemplate(template, new Path('template')) : []),
}

/** What has no slash must be one of the resources that a quota counts by itself. */
function isQuotaName(name: string): boolean {
  const own =
    'cpu memory ephemeral-storage storage requests.cpu requests.memory requests.storage requests.ephemeral-storage limits.cpu limits.memory limits.ephemeral-storage pods resourcequotas services replicationcontrollers secrets persistentvolumeclaims configmaps services.nodeports services.loadbalancers'
  return name.includes('/') || own.split(' ').includes(name) || /^(requests\.)?hugepages-/.test(name)
}

export const resourceQuotaRules: Partial<Definition<ResourceQuota>> = {
  validate({ spec }) {
    const unknown = Object.keys(spec?.hard ?? {}).flatMap((name) => {
      if (isQuotaName(name)) return []
      const at = specPath.child('hard').key(name)
      return [
        invalid(at, name, 'must be a standard resource type or fully qualified'),
        invalid(at, name, 'must be a standard resource for quota'),
      ]
    })
    const negative = Object.entries(spec?.hard ?? {})
      .filter(([, quantity]) => compareQuantities(quantity, 0) < 0)
      .map(([name, quantity]) => invalid(specPath.child('hard').key(name), quantity, 'must be greater than or equal to 0'))
    return [...unknown, ...negative]
  },
  validateChange: ({ spec }, old) =>
    isDeepStrictEqual(spec?.scopes ?? [], old.spec?.scopes ?? [])
      ? []
      : [invalid(specPath.child('scopes'), spec?.scopes, 'field is immutable')],
}

export const endpointsRules: Partial<Definition<Endpoints>> = {
  default({ subsets }) {
    for (const subset of subsets ?? []) for (const port of subset.ports ?? []) port.protocol ??= 'TCP'
  },
}

export const eventRules: Partial<Definition<Event>> = {
  validate({ type, involvedObject, metadata }) {
    const errors: FieldError[] = []
    const about = involvedObject.namespace ?? 'default'
    if (metadata.namespace !== about && involvedObject.namespace) {
      errors.push(invalid(new Path('involvedObject').child('namespace'), involvedObject.namespace, 'does not match event.namespace'))
    }
    if (type && type !== 'Normal' && type !== 'Warning') errors.push(notSupported(new Path('type'), type, ['Normal', 'Warning']))
    return errors
  },
  fieldSelectors: {
    'involvedObject.kind': ({ involvedObject }) => involvedObject?.kind ?? '',
    'involvedObject.namespace': ({ involvedObject }) => involvedObject?.namespace ?? '',
    'involvedObject.name': ({ involvedObject }) => involvedObject?.name ?? '',
    'involvedObject.uid': ({ involvedObject }) => involvedObject?.uid ?? '',
    'involvedObject.apiVersion': ({ involvedObject }) => involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': ({ involvedObject }) => involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': ({ involvedObject }) => involvedObject?.fieldPath ?? '',
    reason: ({ reason }) => reason ?? '',
    reportingComponent: ({ reportingComponent }) => reportingComponent ?? '',
    source: ({ source, reportingComponent }) => source?.component ?? reportingComponent ?? '',
    type: ({ type }) => type ?? '',
  },
}

function isJson(base64: string): boolean {
  try {
    JSON.parse(Buffer.from(base64, 'base64').toString())
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}
