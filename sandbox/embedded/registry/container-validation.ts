import { compareQuantities, parseQuantity } from '../schema/quantity.ts'
import type {
  Container,
  ContainerPort,
  ContainerResizePolicy,
  EnvVar,
  Lifecycle,
  ObjectFieldSelector,
  PodSpec,
  Probe,
  ResourceClaim,
  ResourceRequirements,
  Volume,
  VolumeDevice,
  VolumeMount,
} from '../schema/types/core.v1.ts'
import { duplicate, type FieldError, forbidden, invalid, notFound, notSupported, type Path, required } from './field.ts'
import { goShape } from './go-shape.ts'
import { validateEnum, validateNonnegative } from './metadata.ts'
import {
  isConfigMapKey,
  isDns1123Label,
  isDns1123Subdomain,
  isEnvVarName,
  isHttpHeaderName,
  isPortName,
  isPortNumber,
  isQualifiedName,
} from './names.ts'
import { validateAppArmor, validateId, validateSeccomp } from './pod-security.ts'
import { descending } from './volume-sources.ts'
import { validateResourceField } from './volume-validation.ts'

type Handler = NonNullable<Lifecycle['preStop']> & Pick<Probe, 'grpc'>

/** What of the whole pod decides on its containers. */
export interface PodFacts {
  restartPolicy: string
  /** The names of its resource claims. */
  claims: readonly string[]
  terminationGracePeriodSeconds: number | undefined
  hostUsers: boolean
}

/** Regular containers: at least one, each name once. Source: pkg/apis/core/validation. */
export function validateContainers(containers: Container[], volumes: ReadonlyMap<string, Volume>, path: Path, pod: PodFacts): FieldError[] {
  if (containers.length === 0) return [required(path)]
  const names = new Set<string>()
  const errors = containers.flatMap((container, index) => {
    const at = path.index(index)
    const found = validateContainer(container, volumes, at, pod)
    if (names.has(container.name)) found.push(duplicate(at.child('name'), container.name))
    names.add(container.name)
    found.push(...validateHooksAndProbes(container, at, pod))
    if (container.restartPolicy !== undefined) {
      found.push(forbidden(at.child('restartPolicy'), 'may not be set for non-init containers'))
    }
    return found
  })
  return [...errors, ...hostPortConflicts(containers, path)]
}

export function validateInitContainers(
  containers: Container[],
  regular: Container[],
  volumes: ReadonlyMap<string, Volume>,
  path: Path,
  pod: PodFacts,
): FieldError[] {
  const names = new Set(regular.map(({ name }) => name))
  return containers.flatMap((container, index) => {
    const at = path.index(index)
    const errors = validateContainer(container, volumes, at, pod)
    const sidecar = container.restartPolicy === 'Always'
    if (!sidecar) errors.push(...validateEnum(container.restartPolicy, ['Always'], at.child('restartPolicy')))
    if (names.has(container.name)) errors.push(duplicate(at.child('name'), container.name))
    else if (container.name) names.add(container.name)
    errors.push(...hostPortConflicts([container], path))
    if (sidecar) return [...errors, ...validateHooksAndProbes(container, at, pod)]
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[field]) errors.push(forbidden(at.child(field), 'may not be set for init containers without restartPolicy=Always'))
    }
    return errors
  })
}

/** Source: validateEphemeralContainers. */
export function validateEphemeralContainers(spec: PodSpec, volumes: ReadonlyMap<string, Volume>, path: Path, pod: PodFacts): FieldError[] {
  const others = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name))
  const names = new Set(others)
  const never = 'cannot be set for an Ephemeral Container'
  return (spec.ephemeralContainers ?? []).flatMap((container, index) => {
    const at = path.index(index)
    const errors = validateContainer(container as Container, volumes, at, pod)
    if (names.has(container.name)) errors.push(duplicate(at.child('name'), container.name))
    names.add(container.name)
    const { targetContainerName: target } = container
    if (target && !others.has(target)) errors.push(notFound(at.child('targetContainerName'), target))
    for (const field of notForEphemeral) {
      const value = container[field]
      if (value !== undefined && Object.keys(value).length > 0) errors.push(forbidden(at.child(field), never))
    }
    for (const [mount, { subPath, subPathExpr }] of (container.volumeMounts ?? []).entries()) {
      const where = at.child('volumeMounts').index(mount)
      if (subPath) errors.push(forbidden(where.child('subPath'), never))
      if (subPathExpr) errors.push(forbidden(where.child('subPathExpr'), never))
    }
    return errors
  })
}

/** In the order of the type's fields. */
const notForEphemeral = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const

/** The rules that all containers share. */
export function validateContainer(container: Container, volumes: ReadonlyMap<string, Volume>, path: Path, pod: PodFacts): FieldError[] {
  const errors: FieldError[] = []
  if (!container.name) errors.push(required(path.child('name')))
  else errors.push(...isDns1123Label(container.name).map((text) => invalid(path.child('name'), container.name, text)))
  if (!container.image) errors.push(required(path.child('image')))
  return [
    ...errors,
    ...validateEnum(container.terminationMessagePolicy, ['File', 'FallbackToLogsOnError'], path.child('terminationMessagePolicy')),
    ...validatePorts(container.ports ?? [], path.child('ports')),
    ...validateEnv(container.env ?? [], path.child('env')),
    ...validateEnvFrom(container, path.child('envFrom')),
    ...validateVolumeMounts(container, volumes, path.child('volumeMounts')),
    ...validateVolumeDevices(container, volumes, path.child('volumeDevices')),
    ...validateEnum(container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'], path.child('imagePullPolicy')),
    ...validateResources(container.resources ?? {}, path.child('resources'), pod.claims),
    ...validateResizePolicy(container.resizePolicy ?? [], path.child('resizePolicy'), pod.restartPolicy),
    ...validateSecurityContext(container, path.child('securityContext'), pod),
  ]
}

/**
 * Requests may not be more than limits, and nothing may be negative. `whose` decides which resources there are to ask for.
 * Source: validateResourceRequirements.
 */
export function validateResources(
  { limits = {}, requests = {}, claims = [] }: ResourceRequirements,
  path: Path,
  podClaims: readonly string[] = [],
  whose: 'container' | 'pod' = 'container',
): FieldError[] {
  const amount = (name: string, quantity: string | number, at: Path) => [
    ...(whose === 'pod' ? validatePodResourceName(name, at) : validateResourceName(name, at)),
    ...(compareQuantities(quantity, 0) < 0 ? [invalid(at, quantity, 'must be greater than or equal to 0')] : []),
    ...(isWhole(name) && parseQuantity(quantity).nano % 1_000_000_000n !== 0n ? [invalid(at, quantity, 'must be an integer')] : []),
  ]
  const errors = Object.entries(limits).flatMap(([name, quantity]) => amount(name, quantity, path.child('limits').key(name)))
  for (const [name, quantity] of Object.entries(requests)) {
    errors.push(...amount(name, quantity, path.child('requests').key(name)))
    const limit = limits[name]
    const shared = isNative(name) && !name.startsWith('hugepages-')
    if (limit === undefined) {
      if (!shared) errors.push(required(path.child('limits'), 'Limit must be set for non overcommitable resources'))
    } else if (!shared && compareQuantities(quantity, limit) !== 0) {
      errors.push(invalid(path.child('requests'), quantity, `must be equal to ${name} limit of ${limit}`))
    } else if (compareQuantities(quantity, limit) > 0) {
      errors.push(invalid(path.child('requests'), quantity, `must be less than or equal to ${name} limit of ${limit}`))
    }
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)]
  if (names.some((name) => name.startsWith('hugepages-')) && !names.some((name) => name === 'cpu' || name === 'memory')) {
    errors.push(forbidden(path, 'HugePages require cpu or memory'))
  }
  return [...errors, ...validateClaims(claims, path.child('claims'), podClaims)]
}

function validateClaims(claims: readonly ResourceClaim[], path: Path, podClaims: readonly string[]): FieldError[] {
  const seen = new Set<string>()
  return claims.flatMap(({ name, request }, index) => {
    const at = path.index(index)
    if (!name) return [required(at), ...lost(name, at, podClaims)]
    const key = request ? `${name}/${request}` : name
    const errors: FieldError[] = []
    if (request) errors.push(...isDns1123Label(request).map((text) => invalid(at.child('request'), request, text)))
    if (seen.has(name) || seen.has(key)) errors.push(duplicate(at, seen.has(name) ? name : key))
    else if (!request) errors.push(...[...seen].filter((other) => other.startsWith(`${name}/`)).map(() => duplicate(at, name)))
    seen.add(key)
    return [...errors, ...lost(name, at, podClaims)]
  })
}

function lost(name: string, path: Path, podClaims: readonly string[]): FieldError[] {
  if (!name || podClaims.includes(name)) return []
  const which = podClaims.length > 0 ? `: ${[...podClaims].sort().join(', ')}` : ' which is empty'
  const error = notFound(path, name)
  return [{ ...error, message: `${error.message}: must be one of the names in pod.spec.resourceClaims${which}` }]
}

/** What the API knows by itself, counted in whole numbers where there are no parts of one. */
const wholeResources = [
  'configmaps',
  'limits.ephemeral-storage',
  'persistentvolumeclaims',
  'pods',
  'replicationcontrollers',
  'requests.ephemeral-storage',
  'resourcequotas',
  'secrets',
  'services',
  'services.loadbalancers',
  'services.nodeports',
]

function isNative(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/')
}

function isWhole(name: string): boolean {
  return wholeResources.includes(name) || isExtended(name)
}

function isExtended(name: string): boolean {
  return !isNative(name) && !name.startsWith('requests.') && isQualifiedName(`requests.${name}`).length === 0
}

const standardResources = [
  ...['cpu', 'memory', 'ephemeral-storage', 'requests.cpu', 'requests.memory', 'requests.ephemeral-storage', 'limits.cpu'],
  ...['limits.memory', 'limits.ephemeral-storage', 'pods', 'resourcequotas', 'services', 'replicationcontrollers', 'secrets'],
  ...['persistentvolumeclaims', 'configmaps', 'services.nodeports', 'services.loadbalancers', 'storage', 'requests.storage'],
]

/** A name of any resource: of the API's own, or with a domain. */
export function validateAnyResourceName(name: string, path: Path): FieldError[] {
  const errors = isQualifiedName(name).map((text) => invalid(path, name, text))
  if (errors.length > 0 || name.includes('/') || standardResources.includes(name) || /^(requests\.)?hugepages-/.test(name)) return errors
  return [invalid(path, name, 'must be a standard resource type or fully qualified')]
}

/** A name of what containers can ask for. */
export function validateResourceName(name: string, path: Path): FieldError[] {
  const errors = validateAnyResourceName(name, path)
  if (!name.includes('/')) {
    const standard = ['cpu', 'memory', 'ephemeral-storage'].includes(name) || name.startsWith('hugepages-')
    return standard ? errors : [...errors, invalid(path, name, 'must be a standard resource for containers')]
  }
  if (isNative(name) || isExtended(name)) return errors
  return [...errors, invalid(path, name, "doesn't follow extended resource name standard")]
}

function validatePodResourceName(name: string, path: Path): FieldError[] {
  const errors = validateAnyResourceName(name, path)
  if (errors.length > 0 || name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')) return errors
  return [notSupported(path, name, ['cpu', 'hugepages-', 'memory'])]
}

function validatePorts(ports: ContainerPort[], path: Path): FieldError[] {
  const names = new Set<string>()
  return ports.flatMap((port, index) => {
    const at = path.index(index)
    const errors: FieldError[] = []
    if (port.name) {
      const messages = isPortName(port.name)
      if (messages.length > 0) errors.push(...messages.map((text) => invalid(at.child('name'), port.name, text)))
      else if (names.has(port.name)) errors.push(duplicate(at.child('name'), port.name))
      names.add(port.name)
    }
    if (!port.containerPort) errors.push(required(at.child('containerPort')))
    else errors.push(...isPortNumber(port.containerPort).map((text) => invalid(at.child('containerPort'), port.containerPort, text)))
    if (port.hostPort) errors.push(...isPortNumber(port.hostPort).map((text) => invalid(at.child('hostPort'), port.hostPort, text)))
    return [...errors, ...validateEnum(port.protocol, ['SCTP', 'TCP', 'UDP'], at.child('protocol'))]
  })
}

function hostPortConflicts(containers: Container[], path: Path): FieldError[] {
  const used = new Set<string>()
  const errors: FieldError[] = []
  for (const [index, container] of containers.entries()) {
    for (const [position, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue
      const name = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`
      const at = path.index(index).child('ports').index(position).child('hostPort')
      if (used.has(name)) errors.push(duplicate(at, name))
      used.add(name)
    }
  }
  return errors
}

function validateEnv(env: EnvVar[], path: Path): FieldError[] {
  return env.flatMap((variable, index) => {
    const at = path.index(index)
    const errors = variable.name
      ? isEnvVarName(variable.name).map((text) => invalid(at.child('name'), variable.name, text))
      : [required(at.child('name'))]
    return [...errors, ...validateValueFrom(variable, at.child('valueFrom'))]
  })
}

const envFields = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]
/** Fields that the API can select pods by, and yet does not hand to containers. */
const podFields = [
  'metadata.annotations',
  'metadata.labels',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.hostNetwork',
  'status.phase',
  'status.nominatedNodeName',
]

function validateValueFrom({ value, valueFrom }: EnvVar, path: Path): FieldError[] {
  if (!valueFrom) return []
  const errors: FieldError[] = []
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom
  if (fieldRef) errors.push(...validateFieldPath(fieldRef, envFields, path.child('fieldRef')))
  if (resourceFieldRef) errors.push(...validateResourceField(resourceFieldRef, path.child('resourceFieldRef'), false))
  for (const [name, reference] of Object.entries({ configMapKeyRef, secretKeyRef })) {
    if (!reference) continue
    errors.push(...validateSubdomain(reference.name ?? '', path.child(name, 'name')))
    if (!reference.key) errors.push(required(path.child(name, 'key')))
    else errors.push(...isConfigMapKey(reference.key).map((text) => invalid(path.child(name, 'key'), reference.key, text)))
  }
  const sources = [fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef].filter(Boolean).length
  if (sources === 0)
    errors.push(invalid(path, '', 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`'))
  else if (value) errors.push(invalid(path, '', 'may not be specified when `value` is not empty'))
  else if (sources > 1) errors.push(invalid(path, '', 'may not have more than one field specified at a time'))
  return errors
}

/** A field of the pod that the downward API gives; labels and annotations are named with their key. */
export function validateFieldPath({ fieldPath, apiVersion }: ObjectFieldSelector, supported: readonly string[], path: Path): FieldError[] {
  const at = path.child('fieldPath')
  if (!apiVersion) return [required(path.child('apiVersion'))]
  if (!fieldPath) return [required(at)]
  if (apiVersion !== 'v1') return [invalid(at, fieldPath, `error converting fieldPath: unsupported pod version: ${apiVersion}`)]
  const subscript = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(fieldPath)
  if (subscript) return isQualifiedName((subscript[2] ?? '').toLowerCase()).map((text) => invalid(at, subscript[2], text))
  if (supported.includes(fieldPath)) return []
  if (podFields.includes(fieldPath)) return [notSupported(at, fieldPath, supported)]
  return [invalid(at, fieldPath, `error converting fieldPath: field label not supported: ${fieldPath}`)]
}

function validateEnvFrom(container: Container, path: Path): FieldError[] {
  return (container.envFrom ?? []).flatMap((source, index) => {
    const at = path.index(index)
    const errors: FieldError[] = []
    if (source.prefix) errors.push(...isEnvVarName(source.prefix).map((text) => invalid(at.child('prefix'), source.prefix, text)))
    for (const name of ['configMapRef', 'secretRef'] as const) {
      const reference = source[name]
      const place = at.child(name, 'name')
      if (reference) errors.push(...(reference.name ? validateSubdomain(reference.name, place) : [required(place)]))
    }
    if (!source.configMapRef && !source.secretRef) errors.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'))
    else if (source.configMapRef && source.secretRef) errors.push(invalid(path, '', 'may not have more than one field specified at a time'))
    return errors
  })
}

function validateVolumeMounts(container: Container, volumes: ReadonlyMap<string, Volume>, path: Path): FieldError[] {
  const paths = new Set<string>()
  const devices = container.volumeDevices ?? []
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = path.index(index)
    const errors: FieldError[] = []
    if (!mount.name) errors.push(required(at.child('name')))
    if (!volumes.has(mount.name)) errors.push(notFound(at.child('name'), mount.name))
    if (!mount.mountPath) errors.push(required(at.child('mountPath')))
    if (paths.has(mount.mountPath)) errors.push(invalid(at.child('mountPath'), mount.mountPath, 'must be unique'))
    paths.add(mount.mountPath)
    if (devices.some(({ name }) => name === mount.name)) {
      errors.push(invalid(at.child('name'), mount.name, 'must not already exist in volumeDevices'))
    }
    if (devices.some(({ devicePath }) => devicePath === mount.mountPath)) {
      errors.push(invalid(at.child('mountPath'), mount.mountPath, 'must not already exist as a path in volumeDevices'))
    }
    if (mount.subPath) errors.push(...descending(mount.subPath, path.child('subPath')))
    if (mount.subPathExpr) {
      const why = 'subPathExpr and subPath are mutually exclusive'
      if (mount.subPath) errors.push(invalid(at.child('subPathExpr'), mount.subPathExpr, why))
      errors.push(...descending(mount.subPathExpr, path.child('subPathExpr')))
    }
    return [...errors, ...validatePropagation(mount, container, path), ...validateRecursion(mount, path.child('recursiveReadOnly'))]
  })
}

function validatePropagation({ mountPropagation }: VolumeMount, { securityContext }: Container, path: Path): FieldError[] {
  const at = path.child('mountPropagation')
  const errors = validateEnum(mountPropagation, ['Bidirectional', 'HostToContainer', 'None'], at)
  if (mountPropagation !== 'Bidirectional' || securityContext?.privileged) return errors
  return [...errors, forbidden(at, 'Bidirectional mount propagation is available only to privileged containers')]
}

function validateRecursion({ recursiveReadOnly, readOnly, mountPropagation }: VolumeMount, path: Path): FieldError[] {
  if (recursiveReadOnly !== 'Enabled' && recursiveReadOnly !== 'IfPossible') {
    return validateEnum(recursiveReadOnly, ['Disabled', 'Enabled', 'IfPossible'], path)
  }
  const spread = mountPropagation !== undefined && mountPropagation !== 'None'
  return [
    ...(readOnly ? [] : [forbidden(path, 'may only be specified when readOnly is true')]),
    ...(spread ? [forbidden(path, 'may only be specified when mountPropagation is None or not specified')] : []),
  ]
}

function validateVolumeDevices(container: Container, volumes: ReadonlyMap<string, Volume>, path: Path): FieldError[] {
  const names = new Set<string>()
  const paths = new Set<string>()
  const mounts = container.volumeMounts ?? []
  return (container.volumeDevices ?? []).flatMap(({ name, devicePath }: VolumeDevice, index) => {
    const errors: FieldError[] = []
    const nameAt = path.index(index).child('name')
    const pathAt = path.index(index).child('devicePath')
    const volume = volumes.get(name)
    if (!name) errors.push(required(nameAt))
    if (names.has(name)) errors.push(invalid(nameAt, name, 'must be unique'))
    if (!volume) errors.push(notFound(nameAt, name))
    else if (!volume.persistentVolumeClaim && !volume.ephemeral) {
      errors.push(invalid(nameAt, name, 'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode'))
    }
    if (!devicePath) errors.push(required(pathAt))
    if (paths.has(devicePath)) errors.push(invalid(pathAt, devicePath, 'must be unique'))
    if (devicePath?.split('/').includes('..')) errors.push(invalid(pathAt, devicePath, "can not contain backsteps ('..')"))
    else paths.add(devicePath)
    if (mounts.some((mount) => mount.name === name)) errors.push(invalid(nameAt, name, 'must not already exist in volumeMounts'))
    if (mounts.some(({ mountPath }) => mountPath === devicePath)) {
      errors.push(invalid(pathAt, devicePath, 'must not already exist as a path in volumeMounts'))
    }
    if (name) names.add(name)
    return errors
  })
}

function validateResizePolicy(policies: readonly ContainerResizePolicy[], path: Path, restartPolicy: string): FieldError[] {
  const seen = new Set<string>()
  return policies.flatMap(({ resourceName, restartPolicy: policy }, index) => {
    const errors: FieldError[] = seen.has(resourceName) ? [duplicate(path.index(index), resourceName)] : []
    seen.add(resourceName)
    errors.push(...(resourceName ? validateEnum(resourceName, ['cpu', 'memory'], path) : [required(path)]))
    errors.push(...(policy ? validateEnum(policy, ['NotRequired', 'RestartContainer'], path) : [required(path)]))
    if (restartPolicy === 'Never' && policy !== 'NotRequired') {
      errors.push(invalid(path, policy, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
    }
    return errors
  })
}

function validateHooksAndProbes(container: Container, path: Path, pod: PodFacts): FieldError[] {
  const errors: FieldError[] = []
  for (const name of ['postStart', 'preStop'] as const) {
    const handler = container.lifecycle?.[name]
    if (handler) errors.push(...validateHandler(handler, path.child('lifecycle', name), pod))
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[name]
    if (probe) errors.push(...validateProbe(probe, name, path.child(name), pod))
  }
  return errors
}

function validateProbe(probe: Probe, name: 'livenessProbe' | 'readinessProbe' | 'startupProbe', path: Path, pod: PodFacts): FieldError[] {
  const numbers = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const
  const errors = [...validateHandler(probe, path, pod), ...numbers.flatMap((field) => validateNonnegative(probe[field], path.child(field)))]
  const grace = probe.terminationGracePeriodSeconds
  if (grace !== undefined && grace <= 0) errors.push(invalid(path.child('terminationGracePeriodSeconds'), grace, 'must be greater than 0'))
  if (name === 'readinessProbe') {
    if (grace !== undefined) errors.push(invalid(path.child('terminationGracePeriodSeconds'), grace, 'must not be set for readinessProbes'))
  } else if (probe.successThreshold !== 1) {
    errors.push(invalid(path.child('successThreshold'), probe.successThreshold ?? 0, 'must be 1'))
  }
  return errors
}

function validateHandler(handler: Handler, path: Path, pod: PodFacts): FieldError[] {
  const kinds = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter((kind) => handler[kind])
  if (kinds.length === 0) return [required(path, 'must specify a handler type')]
  const errors: FieldError[] = []
  for (const [index, kind] of kinds.entries()) {
    const at = path.child(kind)
    if (index > 0) errors.push(forbidden(at, 'may not specify more than 1 handler type'))
    else if (kind === 'exec' && !handler.exec?.command?.length) errors.push(required(at.child('command')))
    else if (kind === 'httpGet') errors.push(...validateHttpGet(handler, at))
    else if (kind === 'tcpSocket') errors.push(...validatePort(handler.tcpSocket?.port, at.child('port')))
    else if (kind === 'sleep') errors.push(...validateSleep(handler, at, pod))
    else if (kind === 'grpc') errors.push(...validatePort(handler.grpc?.port, at.child('port')))
  }
  return errors
}

function validateSleep({ sleep }: Handler, path: Path, { terminationGracePeriodSeconds: grace }: PodFacts): FieldError[] {
  const seconds = sleep?.seconds ?? 0
  if (grace === undefined || (seconds >= 0 && seconds <= grace)) return []
  return [invalid(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`)]
}

function validateHttpGet({ httpGet }: Handler, path: Path): FieldError[] {
  if (!httpGet) return []
  return [
    ...(httpGet.path ? [] : [required(path.child('path'))]),
    ...validatePort(httpGet.port, path.child('port')),
    ...validateEnum(httpGet.scheme, ['HTTP', 'HTTPS'], path.child('scheme')),
    ...(httpGet.httpHeaders ?? []).flatMap(({ name }) =>
      isHttpHeaderName(name).map((text) => invalid(path.child('httpHeaders'), name, text)),
    ),
  ]
}

/** A port's number or name. */
export function validatePort(port: string | number | undefined, path: Path): FieldError[] {
  const messages = typeof port === 'string' ? isPortName(port) : isPortNumber(port ?? 0)
  return messages.map((text) => invalid(path, port ?? 0, text))
}

function validateSecurityContext({ securityContext }: Container, path: Path, { hostUsers }: PodFacts): FieldError[] {
  if (!securityContext) return []
  const { procMount } = securityContext
  const errors = [
    ...validateId(securityContext.runAsUser, path.child('runAsUser')),
    ...validateId(securityContext.runAsGroup, path.child('runAsGroup')),
    ...validateEnum(procMount, ['Default', 'Unmasked'], path.child('procMount')),
  ]
  if (hostUsers && procMount === 'Unmasked') {
    errors.push(invalid(path.child('procMount'), procMount, '`hostUsers` must be false to use `Unmasked`'))
  }
  errors.push(...validateSeccomp(securityContext.seccompProfile, path.child('seccompProfile')))
  if (securityContext.allowPrivilegeEscalation === false) {
    if (securityContext.privileged)
      errors.push(
        invalid(
          path,
          goShape(securityContext, 'core.v1.SecurityContext'),
          'cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
        ),
      )
    if (securityContext.capabilities?.add?.includes('CAP_SYS_ADMIN')) {
      errors.push(
        invalid(
          path,
          goShape(securityContext, 'core.v1.SecurityContext'),
          'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
        ),
      )
    }
  }
  return [...errors, ...validateAppArmor(securityContext.appArmorProfile, path.child('appArmorProfile'))]
}

export function validateSubdomain(name: string, path: Path): FieldError[] {
  return isDns1123Subdomain(name).map((text) => invalid(path, name, text))
}
