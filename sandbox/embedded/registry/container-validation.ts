import { compareQuantities, parseQuantity } from '../schema/quantity.ts'
import type { Container, ContainerPort, EnvVar, Lifecycle, Probe, ResourceRequirements, VolumeMount } from '../schema/types/core.v1.ts'
import { duplicate, type FieldError, forbidden, invalid, notFound, notSupported, type Path, required } from './field.ts'
import { validateEnum, validateNonnegative } from './metadata.ts'
import {
  between,
  isConfigMapKey,
  isDns1123Label,
  isDns1123Subdomain,
  isEnvVarName,
  isHttpHeaderName,
  isPortName,
  isPortNumber,
  isQualifiedName,
} from './names.ts'
import { goShape } from './pod-diff.ts'

type Handler = NonNullable<Lifecycle['preStop']> & Pick<Probe, 'grpc'>

/** Regular containers: at least one, each name once. Source: pkg/apis/core/validation. */
export function validateContainers(containers: Container[], volumes: ReadonlySet<string>, path: Path): FieldError[] {
  if (containers.length === 0) return [required(path)]
  const names = new Set<string>()
  const errors = containers.flatMap((container, index) => {
    const at = path.index(index)
    const found = validateContainer(container, volumes, at)
    if (names.has(container.name)) found.push(duplicate(at.child('name'), container.name))
    names.add(container.name)
    found.push(...validateHooksAndProbes(container, at))
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
  volumes: ReadonlySet<string>,
  path: Path,
): FieldError[] {
  const names = new Set(regular.map(({ name }) => name))
  return containers.flatMap((container, index) => {
    const at = path.index(index)
    const errors = validateContainer(container, volumes, at)
    const sidecar = container.restartPolicy === 'Always'
    if (!sidecar) errors.push(...validateEnum(container.restartPolicy, ['Always', 'Never', 'OnFailure'], at.child('restartPolicy')))
    if (names.has(container.name)) errors.push(duplicate(at.child('name'), container.name))
    else if (container.name) names.add(container.name)
    errors.push(...hostPortConflicts([container], path))
    if (sidecar) return [...errors, ...validateHooksAndProbes(container, at)]
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
      if (container[field]) errors.push(forbidden(at.child(field), 'may not be set for init containers without restartPolicy=Always'))
    }
    return errors
  })
}

/** The rules that all containers share. */
export function validateContainer(container: Container, volumes: ReadonlySet<string>, path: Path): FieldError[] {
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
    ...validateVolumeMounts(container.volumeMounts ?? [], volumes, path.child('volumeMounts')),
    ...validateEnum(container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never'], path.child('imagePullPolicy')),
    ...validateResources(container.resources ?? {}, path.child('resources')),
    ...validateSecurityContext(container, path.child('securityContext')),
  ]
}

/** Requests may not be more than limits, and nothing may be negative. */
export function validateResources(resources: ResourceRequirements, path: Path): FieldError[] {
  const errors: FieldError[] = []
  for (const kind of ['limits', 'requests'] as const) {
    for (const [name, quantity] of Object.entries(resources[kind] ?? {})) {
      const at = path.child(kind).key(name)
      errors.push(...validateResourceName(name, at))
      if (parseQuantity(quantity).nano < 0n) errors.push(invalid(at, quantity, 'must be greater than or equal to 0'))
      const limit = resources.limits?.[name]
      if (kind === 'limits') continue
      if (limit !== undefined && compareQuantities(quantity, limit) > 0) {
        errors.push(invalid(path.child('requests'), quantity, `must be less than or equal to ${name} limit of ${limit}`))
      }
    }
  }
  return errors
}

function validateResourceName(name: string, path: Path): FieldError[] {
  const errors = isQualifiedName(name).map((text) => invalid(path, name, text))
  if (errors.length > 0 || name.includes('/')) return errors
  const standard = ['cpu', 'memory', 'ephemeral-storage'].includes(name) || name.startsWith('hugepages-')
  if (standard) return []
  return [
    invalid(path, name, 'must be a standard resource type or fully qualified'),
    invalid(path, name, 'must be a standard resource for containers'),
  ]
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
const envResources = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
]

function validateValueFrom({ value, valueFrom }: EnvVar, path: Path): FieldError[] {
  if (!valueFrom) return []
  const errors: FieldError[] = []
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = valueFrom
  if (fieldRef) errors.push(...validateFieldPath(fieldRef.fieldPath, envFields, path.child('fieldRef')))
  if (resourceFieldRef) {
    const at = path.child('resourceFieldRef', 'resource')
    if (!resourceFieldRef.resource) errors.push(required(at))
    else if (!envResources.includes(resourceFieldRef.resource) && !/^(limits|requests)\.hugepages-/.test(resourceFieldRef.resource)) {
      errors.push(notSupported(at, resourceFieldRef.resource, envResources))
    }
  }
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
export function validateFieldPath(fieldPath: string | undefined, supported: readonly string[], path: Path): FieldError[] {
  if (!fieldPath) return [required(path.child('fieldPath'))]
  const at = path.child('fieldPath')
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
      if (source[name] && !source[name].name) errors.push(required(at.child(name, 'name')))
    }
    if (!source.configMapRef && !source.secretRef) errors.push(invalid(path, '', 'must specify one of: `configMapRef` or `secretRef`'))
    else if (source.configMapRef && source.secretRef) errors.push(invalid(path, '', 'may not have more than one field specified at a time'))
    return errors
  })
}

function validateVolumeMounts(mounts: VolumeMount[], volumes: ReadonlySet<string>, path: Path): FieldError[] {
  const paths = new Set<string>()
  return mounts.flatMap((mount, index) => {
    const at = path.index(index)
    const errors: FieldError[] = []
    if (!mount.name) errors.push(required(at.child('name')))
    if (!volumes.has(mount.name)) errors.push(notFound(at.child('name'), mount.name))
    if (!mount.mountPath) errors.push(required(at.child('mountPath')))
    if (paths.has(mount.mountPath)) errors.push(invalid(at.child('mountPath'), mount.mountPath, 'must be unique'))
    paths.add(mount.mountPath)
    for (const field of ['subPath', 'subPathExpr'] as const) if (mount[field]) errors.push(...descending(mount[field], path.child(field)))
    if (mount.subPath && mount.subPathExpr) {
      errors.push(invalid(at.child('subPathExpr'), mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'))
    }
    return errors
  })
}

/** A path inside a volume: relative, and never upwards. */
export function descending(value: string, path: Path): FieldError[] {
  const errors = value.startsWith('/') ? [invalid(path, value, 'must be a relative path')] : []
  return value.split('/').includes('..') ? [...errors, invalid(path, value, "must not contain '..'")] : errors
}

function validateHooksAndProbes(container: Container, path: Path): FieldError[] {
  const errors: FieldError[] = []
  for (const name of ['postStart', 'preStop'] as const) {
    const handler = container.lifecycle?.[name]
    if (handler) errors.push(...validateHandler(handler, path.child('lifecycle', name)))
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[name]
    if (probe) errors.push(...validateProbe(probe, name, path.child(name)))
  }
  return errors
}

function validateProbe(probe: Probe, name: 'livenessProbe' | 'readinessProbe' | 'startupProbe', path: Path): FieldError[] {
  const numbers = ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const
  const errors = [...validateHandler(probe, path), ...numbers.flatMap((field) => validateNonnegative(probe[field], path.child(field)))]
  const grace = probe.terminationGracePeriodSeconds
  if (grace !== undefined && grace <= 0) errors.push(invalid(path.child('terminationGracePeriodSeconds'), grace, 'must be greater than 0'))
  if (name === 'readinessProbe') {
    if (grace !== undefined) errors.push(invalid(path.child('terminationGracePeriodSeconds'), grace, 'must not be set for readinessProbes'))
  } else if (probe.successThreshold !== 1) {
    errors.push(invalid(path.child('successThreshold'), probe.successThreshold ?? 0, 'must be 1'))
  }
  return errors
}

function validateHandler(handler: Handler, path: Path): FieldError[] {
  const kinds = (['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const).filter((kind) => handler[kind])
  if (kinds.length === 0) return [required(path, 'must specify a handler type')]
  const errors: FieldError[] = []
  for (const [index, kind] of kinds.entries()) {
    const at = path.child(kind)
    if (index > 0) errors.push(forbidden(at, 'may not specify more than 1 handler type'))
    else if (kind === 'exec' && !handler.exec?.command?.length) errors.push(required(at.child('command')))
    else if (kind === 'httpGet') errors.push(...validateHttpGet(handler, at))
    else if (kind === 'tcpSocket') errors.push(...validatePort(handler.tcpSocket?.port, at.child('port')))
    else if (kind === 'grpc') errors.push(...validatePort(handler.grpc?.port, at.child('port')))
  }
  return errors
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

function validateSecurityContext({ securityContext }: Container, path: Path): FieldError[] {
  if (!securityContext) return []
  const errors: FieldError[] = []
  for (const field of ['runAsUser', 'runAsGroup'] as const) {
    const id = securityContext[field]
    if (id !== undefined && (id < 0 || id > 2147483647)) errors.push(invalid(path.child(field), id, between(0, 2147483647)))
  }
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
  return errors
}

export function validateSubdomain(name: string, path: Path): FieldError[] {
  return isDns1123Subdomain(name).map((text) => invalid(path, name, text))
}
