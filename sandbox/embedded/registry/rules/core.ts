import { isDeepStrictEqual } from 'node:util'
import { goJsonFault } from '../../api/go-json.ts'
import type {
  ConfigMap,
  Namespace,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PodTemplate,
  Secret,
  ServiceAccount,
} from '../../schema/types/core.v1.ts'
import { validateClaimChange, validateClaimStatus } from '../claim-change.ts'
import { validateClaimSpec } from '../claim-validation.ts'
import type { Definition } from '../define.ts'
import { type FieldError, forbidden, invalid, metadataPath, Path, required, specPath, tooLong } from '../field.ts'
import { validateFinalizerDomain, validateFinalizerName, validateImmutable } from '../metadata.ts'
import { dnsLabel, isConfigMapKey } from '../names.ts'
import { defaultPersistentVolumeClaimSpec, defaultPodTemplate } from '../pod-defaults.ts'
import { validatePodTemplate } from '../pod-validation.ts'

const megabyte = 1024 * 1024
const lockedData = 'field is immutable when `immutable` is set'

export const configMapRules: Partial<Definition<ConfigMap>> = {
  validate({ data = {}, binaryData = {} }) {
    const errors: FieldError[] = []
    let size = 0
    for (const key of Object.keys(data)) {
      for (const text of isConfigMapKey(key)) errors.push(invalid(new Path('data').key(key), key, text))
      if (key in binaryData) errors.push(invalid(new Path('data').key(key), key, 'duplicate of key present in binaryData'))
      size += Buffer.byteLength(data[key] as string)
    }
    for (const key of Object.keys(binaryData)) {
      for (const text of isConfigMapKey(key)) errors.push(invalid(new Path('binaryData').key(key), key, text))
      size += Buffer.byteLength(binaryData[key] as string)
    }
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
    if (type === 'kubernetes.io/ssh-auth' && data['ssh-privatekey'] === '') errors.push(required(path.key('ssh-privatekey')))
    for (const [kind, key] of [
      ['kubernetes.io/dockercfg', '.dockercfg'],
      ['kubernetes.io/dockerconfigjson', '.dockerconfigjson'],
    ] as const) {
      const config = type === kind ? data[key] : undefined
      const fault = config === undefined ? undefined : goJsonFault(Buffer.from(config, 'base64').toString())
      if (fault !== undefined) errors.push(invalid(path.key(key), '<secret contents redacted>', fault))
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
  validateStatus({ metadata, status }) {
    const [phase, when] = metadata.deletionTimestamp ? ['Terminating', 'not empty'] : ['Active', 'empty']
    if (status?.phase === phase) return []
    const why = `may only be '${phase}' if \`deletionTimestamp\` is ${when}`
    return [invalid(new Path('status').child('Phase'), status?.phase ?? '', why)]
  },
  name: dnsLabel,
  default(namespace) {
    if (namespace.metadata.name) {
      namespace.metadata.labels = { ...namespace.metadata.labels, 'kubernetes.io/metadata.name': namespace.metadata.name }
    }
    namespace.status ??= {}
    namespace.status.phase ??= 'Active'
  },
  validate: ({ spec }) =>
    (spec?.finalizers ?? []).flatMap((name) => {
      const at = specPath.child('finalizers')
      return [...validateFinalizerName(name, at), ...validateFinalizerDomain(name, at)]
    }),
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
  prepareForUpdate(claim, old) {
    if (claim.spec) alignSources(claim.spec, old.spec)
  },
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    return validateClaimSpec(spec, specPath)
  },
  validateChange: validateClaimChange,
  validateStatus: validateClaimStatus,
}

/**
 * Where a claim's data comes from is said in two fields, of which the older once knew only claims and snapshots: each follows the
 * other. Source: EnforceDataSourceBackwardsCompatibility and NormalizeDataSources in pkg/api/persistentvolumeclaim.
 */
function alignSources(spec: PersistentVolumeClaimSpec, old?: PersistentVolumeClaimSpec): void {
  if (spec.dataSourceRef?.namespace && !old?.dataSourceRef) delete spec.dataSourceRef
  const { dataSource, dataSourceRef } = spec
  const known = ({ apiGroup = '', kind }: { apiGroup?: string; kind: string }) =>
    (apiGroup === '' && kind === 'PersistentVolumeClaim') || (apiGroup === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot')
  const inUse = old?.dataSource !== undefined || old?.dataSourceRef !== undefined
  if (dataSource && !dataSourceRef) {
    if (inUse || known(dataSource)) spec.dataSourceRef = { ...dataSource }
    else delete spec.dataSource
  } else if (dataSourceRef && !dataSource && !dataSourceRef.namespace) {
    const { namespace: _, ...source } = dataSourceRef
    spec.dataSource = source
  }
}

export const podTemplateRules: Partial<Definition<PodTemplate>> = {
  podSpec: ({ template }) => template?.spec,
  default: ({ template }) => template && defaultPodTemplate(template),
  validate: ({ template }) => (template ? validatePodTemplate(template, new Path('template')) : []),
}

/** Of the Secrets of a ServiceAccount only their names are kept. */
function keepSecretNames(account: ServiceAccount): void {
  if (account.secrets) account.secrets = account.secrets.map(({ name }) => (name ? { name } : {}))
}

export const serviceAccountRules: Partial<Definition<ServiceAccount>> = {
  prepareForCreate: keepSecretNames,
  prepareForUpdate: keepSecretNames,
}
