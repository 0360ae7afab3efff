import type { AppArmorProfile, PodSpec, SeccompProfile, Sysctl } from '../schema/types/core.v1.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, type Path, required, tooLong } from './field.ts'
import { goShape } from './go-shape.ts'
import { validateEnum } from './metadata.ts'
import { between } from './names.ts'
import type { allContainers } from './pod-defaults.ts'
import { descending } from './volume-sources.ts'

const maxInt32 = 2147483647

/** Source: validatePodSpecSecurityContext in pkg/apis/core/validation. */
export function validatePodSecurityContext(spec: PodSpec, path: Path): FieldError[] {
  const { securityContext } = spec
  if (!securityContext) return []
  const { fsGroup, runAsUser, runAsGroup, supplementalGroups, seccompProfile } = securityContext
  const errors: FieldError[] = []
  for (const [field, id] of Object.entries({ fsGroup, runAsUser, runAsGroup })) errors.push(...validateId(id, path.child(field)))
  for (const [index, id] of (supplementalGroups ?? []).entries()) {
    errors.push(...validateId(id, path.child('supplementalGroups').index(index)))
  }
  if (spec.shareProcessNamespace && spec.hostPID) {
    const why = 'ShareProcessNamespace and HostPID cannot both be enabled'
    errors.push(invalid(path.child('shareProcessNamespace'), true, why))
  }
  // MountOption is of a feature that is switched off
  const changes = ['Recursive']
  return [
    ...errors,
    ...validateSysctls(securityContext.sysctls ?? [], spec, path.child('sysctls')),
    ...validateEnum(securityContext.fsGroupChangePolicy, ['Always', 'OnRootMismatch'], path.child('fsGroupChangePolicy')),
    ...validateSeccomp(seccompProfile, path.child('seccompProfile')),
    ...validateAppArmor(securityContext.appArmorProfile, path.child('appArmorProfile')),
    ...validateEnum(securityContext.supplementalGroupsPolicy, ['Merge', 'Strict'], path.child('supplementalGroupsPolicy')),
    ...validateEnum(securityContext.seLinuxChangePolicy, changes, path.child('seLinuxChangePolicy')),
  ]
}

export function validateId(id: number | undefined, path: Path): FieldError[] {
  return id !== undefined && (id < 0 || id > maxInt32) ? [invalid(path, id, between(0, maxInt32))] : []
}

export function validateSeccomp(profile: SeccompProfile | undefined, path: Path): FieldError[] {
  if (!profile) return []
  const { type, localhostProfile } = profile
  const at = path.child('localhostProfile')
  const errors = type
    ? validateEnum(type, ['Localhost', 'RuntimeDefault', 'Unconfined'], path.child('type'))
    : [required(path.child('type'), 'type is required when seccompProfile is set')]
  if (type === 'Localhost') {
    if (localhostProfile === undefined) return [...errors, required(at, 'must be set when seccomp type is Localhost')]
    return [...errors, ...descending(localhostProfile, at)]
  }
  if (localhostProfile === undefined) return errors
  return [...errors, invalid(at, goShape(profile, 'core.v1.SeccompProfile'), 'can only be set when seccomp type is Localhost')]
}

export function validateAppArmor(profile: AppArmorProfile | undefined, path: Path): FieldError[] {
  if (!profile) return []
  const { type, localhostProfile } = profile
  const at = path.child('localhostProfile')
  if (!type) return [required(path.child('type'), 'type is required when appArmorProfile is set')]
  if (type === 'RuntimeDefault' || type === 'Unconfined') {
    return localhostProfile === undefined ? [] : [invalid(at, localhostProfile, 'can only be set when AppArmor type is Localhost')]
  }
  if (type !== 'Localhost') return [notSupported(path.child('type'), type, ['Localhost', 'RuntimeDefault', 'Unconfined'])]
  if (!localhostProfile) return [required(at, 'must be set when AppArmor type is Localhost')]
  const errors = localhostProfile.trim() === localhostProfile ? [] : [invalid(at, localhostProfile, 'must not be padded with whitespace')]
  return localhostProfile.length > 4095 ? [...errors, tooLong(at, 4095)] : errors
}

/** What an operating system allows. Source: validateOS, validateLinux, validateWindows. */
export function validateOs(spec: PodSpec, path: Path): FieldError[] {
  if (!spec.os) return []
  const at = path.child('os')
  if (!spec.os.name) return [required(at.child('name'))]
  if (spec.os.name === 'windows') return validateWindows(spec, path)
  if (spec.os.name !== 'linux') return [notSupported(at, spec.os.name, ['linux', 'windows'])]
  const why = 'windows options cannot be set for a linux pod'
  const errors = spec.securityContext?.windowsOptions ? [forbidden(path.child('securityContext', 'windowsOptions'), why)] : []
  return [
    ...errors,
    ...eachContainer(spec, path).flatMap(({ container, at: place }) =>
      container.securityContext?.windowsOptions ? [forbidden(place.child('securityContext', 'windowsOptions'), why)] : [],
    ),
  ]
}

function validateWindows(spec: PodSpec, path: Path): FieldError[] {
  const why = 'cannot be set for a windows pod'
  const refuse = (owner: object | undefined, at: Path, fields: readonly string[]) =>
    fields.flatMap((field) => {
      const value = (owner as Record<string, unknown> | undefined)?.[field]
      return value === undefined || value === false || (Array.isArray(value) && value.length === 0) ? [] : [forbidden(at.child(field), why)]
    })
  const context = path.child('securityContext')
  return [
    ...refuse(spec.securityContext, context, ['appArmorProfile', 'seLinuxOptions']),
    ...refuse(spec, path, ['hostUsers', 'hostPID', 'hostIPC']),
    ...refuse(spec.securityContext, context, ['seccompProfile', 'fsGroup', 'fsGroupChangePolicy', 'sysctls']),
    ...refuse(spec, path, ['shareProcessNamespace']),
    ...refuse(spec.securityContext, context, ['runAsUser', 'runAsGroup', 'supplementalGroups', 'supplementalGroupsPolicy']),
    ...eachContainer(spec, path).flatMap(({ container, at }) =>
      refuse(container.securityContext, at.child('securityContext'), [
        'appArmorProfile',
        'seLinuxOptions',
        'seccompProfile',
        'capabilities',
        'readOnlyRootFilesystem',
        'privileged',
        'allowPrivilegeEscalation',
        'procMount',
        'runAsUser',
        'runAsGroup',
      ]),
    ),
  ]
}

function eachContainer(spec: PodSpec, path: Path): { container: ReturnType<typeof allContainers>[number]; at: Path }[] {
  return (['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap((field) =>
    (spec[field] ?? []).map((container, index) => ({ container, at: path.child(field).index(index) })),
  )
}

const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/
const sysctlPattern = '([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?'

function validateSysctls(sysctls: Sysctl[], { hostNetwork, hostIPC }: PodSpec, path: Path): FieldError[] {
  return sysctls.flatMap(({ name }, index) => {
    const at = path.index(index).child('name')
    if (!name) return [required(at)]
    if (name.length > 253 || !sysctlName.test(name)) {
      return [invalid(at, name, `must have at most 253 characters and match regex ^${sysctlPattern}$`)]
    }
    const dotted = name.replaceAll('/', '.')
    const isShared = (hostNetwork && /^net\./.test(dotted)) || (hostIPC && /^(kernel\.(sem|shm|msg)|fs\.mqueue\.)/.test(dotted))
    return [
      ...(isShared ? [invalid(at, name, `may not be specified when '${/^net\./.test(dotted) ? 'hostNetwork' : 'hostIPC'}' is true`)] : []),
      ...(sysctls.findIndex((other) => other.name === name) < index ? [duplicate(at, name)] : []),
    ]
  })
}
