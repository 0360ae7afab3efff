import type { Container, ContainerPort, ContainerResizePolicy, PodSpec, Volume } from '../schema/types/core.v1.ts'
import { validateEnv, validateEnvFrom } from './env-validation.ts'
import { duplicate, type FieldError, forbidden, invalid, notFound, type Path, required } from './field.ts'
import { goShape } from './go-shape.ts'
import { validateEnum } from './metadata.ts'
import { validateVolumeDevices, validateVolumeMounts } from './mount-validation.ts'
import { isDns1123Label, isPortName, isPortNumber } from './names.ts'
import { validateAppArmor, validateId, validateSeccomp } from './pod-security.ts'
import { validateHooksAndProbes } from './probe-validation.ts'
import { validateResources } from './resource-validation.ts'

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
function validateContainer(container: Container, volumes: ReadonlyMap<string, Volume>, path: Path, pod: PodFacts): FieldError[] {
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
