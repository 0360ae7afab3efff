import { isIP } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { copyOf } from '../machinery/copy.ts'
import type { Container, Pod, PodSpec, PodTemplateSpec, Sysctl, Volume } from '../schema/types/core.v1.ts'
import { descending, validateContainer, validateContainers, validateInitContainers, validateSubdomain } from './container-validation.ts'
import { duplicate, type FieldError, forbidden, invalid, type Path, required, specPath } from './field.ts'
import { validateAnnotations, validateEnum, validateLabels } from './metadata.ts'
import { between, isDns1123Label } from './names.ts'
import { podSpecDiff } from './pod-diff.ts'
import { qualified, validateAffinity, validateSchedulingGates, validateSpread, validateTolerations } from './pod-placement.ts'

const maxInt32 = 2147483647

export function validatePod(pod: Pod): FieldError[] {
  return validatePodSpec(pod.spec ?? { containers: [] }, specPath)
}

export function validatePodTemplate(template: PodTemplateSpec, path: Path): FieldError[] {
  const spec = template.spec ?? { containers: [] }
  const errors = [
    ...validateLabels(template.metadata?.labels, path.child('labels')),
    ...validateAnnotations(template.metadata?.annotations, path.child('annotations')),
    ...validatePodSpec(spec, path.child('spec')),
  ]
  if (spec.ephemeralContainers?.length) {
    errors.push(forbidden(path.child('spec', 'ephemeralContainers'), 'ephemeral containers not allowed in pod template'))
  }
  return errors
}

/** Source: ValidatePodSpec in pkg/apis/core/validation, in its order. */
export function validatePodSpec(spec: PodSpec, path: Path): FieldError[] {
  const volumes = validateVolumes(spec.volumes ?? [], path.child('volumes'))
  const containers = spec.containers ?? []
  return [
    ...volumes.errors,
    ...validateContainers(containers, volumes.names, path.child('containers')),
    ...validateInitContainers(spec.initContainers ?? [], containers, volumes.names, path.child('initContainers')),
    ...(spec.ephemeralContainers ?? []).flatMap((container, index) =>
      validateContainer(container as Container, volumes.names, path.child('ephemeralContainers').index(index)),
    ),
    ...validateHostNetwork(spec, path),
    ...validateEnum(spec.restartPolicy, ['Always', 'OnFailure', 'Never'], path.child('restartPolicy')),
    ...validateEnum(spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], path.child('dnsPolicy')),
    ...validateLabels(spec.nodeSelector, path.child('nodeSelector')),
    ...validatePodSecurityContext(spec, path.child('securityContext')),
    ...validateAffinity(spec.affinity, path.child('affinity')),
    ...validateDnsConfig(spec, path.child('dnsConfig')),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType }, index) =>
      qualified(conditionType, path.child('readinessGates').index(index).child('conditionType')),
    ),
    ...validateSchedulingGates(spec, path.child('schedulingGates')),
    ...validateSpread(spec.topologySpreadConstraints ?? [], path.child('topologySpreadConstraints')),
    ...(['serviceAccountName', 'nodeName'] as const).flatMap((field) =>
      spec[field] ? validateSubdomain(spec[field], path.child(field)) : [],
    ),
    ...validateDeadline(spec.activeDeadlineSeconds, path.child('activeDeadlineSeconds')),
    ...(['hostname', 'subdomain'] as const).flatMap((field) =>
      spec[field] ? isDns1123Label(spec[field]).map((text) => invalid(path.child(field), spec[field], text)) : [],
    ),
    ...validateTolerations(spec.tolerations ?? [], path.child('tolerations')),
    ...validateHostAliases(spec, path.child('hostAliases')),
    ...(['priorityClassName', 'runtimeClassName'] as const).flatMap((field) =>
      spec[field] ? validateSubdomain(spec[field], path.child(field)) : [],
    ),
    ...validateEnum(spec.preemptionPolicy, ['Never', 'PreemptLowerPriority'], path.child('preemptionPolicy')),
  ]
}

const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/

function validateSysctls(sysctls: Sysctl[], path: Path): FieldError[] {
  return sysctls.flatMap(({ name }, index) => {
    const at = path.index(index).child('name')
    if (!name) return [required(at)]
    if (name.length > 253 || !sysctlName.test(name)) {
      return [
        invalid(
          at,
          name,
          `must have at most 253 characters and match regex ${sysctlName.source.replaceAll('[./]', '[\\./]').replace(/^\^\(/, '^(')}`,
        ),
      ]
    }
    return sysctls.findIndex((other) => other.name === name) < index ? [duplicate(at, name)] : []
  })
}

/** What a running pod may change: images, a shorter deadline, more tolerations, fewer gates. */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  const spec = pod.spec!
  const before = old.spec!
  const errors = validatePod(pod)
  for (const field of ['containers', 'initContainers'] as const) {
    const at = specPath.child(field)
    if ((spec[field] ?? []).length !== (before[field] ?? []).length) {
      return [...errors, forbidden(at, 'pod updates may not add or remove containers')]
    }
    for (const [index, { image }] of (spec[field] ?? []).entries()) if (!image) errors.push(required(at.index(index).child('image')))
  }
  const at = specPath.child('activeDeadlineSeconds')
  if (spec.activeDeadlineSeconds !== undefined) {
    if (spec.activeDeadlineSeconds < 0) return [...errors, invalid(at, spec.activeDeadlineSeconds, between(0, maxInt32))]
    if (before.activeDeadlineSeconds !== undefined && before.activeDeadlineSeconds < spec.activeDeadlineSeconds) {
      return [...errors, invalid(at, spec.activeDeadlineSeconds, 'must be less than or equal to previous value')]
    }
  } else if (before.activeDeadlineSeconds !== undefined) {
    errors.push(invalid(at, undefined, 'must not update from a positive integer to nil value'))
  }
  for (const toleration of before.tolerations ?? []) {
    if (!(spec.tolerations ?? []).some((other) => isDeepStrictEqual(other, toleration))) {
      errors.push(forbidden(specPath.child('tolerations'), 'existing toleration can not be modified except its tolerationSeconds'))
    }
  }
  for (const [index, gate] of (spec.schedulingGates ?? []).entries()) {
    if (!(before.schedulingGates ?? []).some(({ name }) => name === gate.name)) {
      const place = specPath.child('schedulingGates').index(index)
      errors.push(forbidden(place, `only deletion is allowed, but found new scheduling gate '${gate.name}'`))
    }
  }
  const comparable = withAllowedChanges(spec, before)
  return isDeepStrictEqual(comparable, copyOf(before)) ? errors : [...errors, forbidden(specPath, changes(before, comparable))]
}

function withAllowedChanges(spec: PodSpec, before: PodSpec): PodSpec {
  const copy = copyOf(spec)
  for (const field of ['containers', 'initContainers'] as const) {
    for (const [index, container] of (copy[field] ?? []).entries()) container.image = before[field]?.[index]?.image ?? ''
  }
  for (const field of [
    'activeDeadlineSeconds',
    'schedulingGates',
    'tolerations',
    ...(before.schedulingGates?.length ? (['nodeSelector', 'affinity'] as const) : []),
  ] as const) {
    if (before[field] === undefined) delete copy[field]
    else Object.assign(copy, { [field]: copyOf(before[field]) })
  }
  if ((before.terminationGracePeriodSeconds ?? 0) < 0 && copy.terminationGracePeriodSeconds === 1) {
    copy.terminationGracePeriodSeconds = before.terminationGracePeriodSeconds
  }
  return copy
}

function changes(before: PodSpec, after: PodSpec): string {
  const allowed = [
    '`spec.containers[*].image`',
    '`spec.initContainers[*].image`',
    '`spec.activeDeadlineSeconds`',
    '`spec.tolerations` (only additions to existing tolerations)',
    '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
  ]
  return `pod updates may not change fields other than ${allowed.join(',')}\n${podSpecDiff(before, after)}`
}

function validateVolumes(volumes: Volume[], path: Path): { names: Set<string>; errors: FieldError[] } {
  const names = new Set<string>()
  const errors: FieldError[] = []
  for (const [index, volume] of volumes.entries()) {
    const at = path.index(index)
    const found = validateVolumeSource(volume, at)
    if (!volume.name) found.push(required(at.child('name')))
    else found.push(...isDns1123Label(volume.name).map((text) => invalid(at.child('name'), volume.name, text)))
    if (names.has(volume.name)) found.push(duplicate(at.child('name'), volume.name))
    if (found.length === 0) names.add(volume.name)
    errors.push(...found)
  }
  return { names, errors }
}

function validateVolumeSource(volume: Volume, path: Path): FieldError[] {
  const { name: _, ...sources } = volume
  // An emptyDir beside another source is the one that counts as first.
  const kinds = Object.keys(sources).sort((a, b) => Number(b === 'emptyDir') - Number(a === 'emptyDir'))
  if (kinds.length === 0) return [required(path, 'must specify a volume type')]
  const errors = kinds.slice(1).map((kind) => forbidden(path.child(kind), 'may not specify more than 1 volume type'))
  const { secret, configMap, persistentVolumeClaim, hostPath, nfs } = volume
  if (secret && !secret.secretName) errors.push(required(path.child('secret', 'secretName')))
  if (configMap && !configMap.name) errors.push(required(path.child('configMap', 'name')))
  for (const [kind, source] of Object.entries({ secret, configMap })) {
    if (!source) continue
    errors.push(...validateMode(source.defaultMode, path.child(kind, 'defaultMode')))
    for (const [index, item] of (source.items ?? []).entries()) {
      const at = path.child(kind, 'items').index(index)
      if (!item.key) errors.push(required(at.child('key')))
      if (!item.path) errors.push(required(at.child('path')))
      else errors.push(...descending(item.path, at.child('path')))
      errors.push(...validateMode(item.mode, at.child('mode')))
    }
  }
  if (persistentVolumeClaim && !persistentVolumeClaim.claimName) errors.push(required(path.child('persistentVolumeClaim', 'claimName')))
  if (hostPath) {
    const at = path.child('hostPath')
    if (!hostPath.path) errors.push(required(at.child('path')))
    else if (hostPath.path.split('/').includes('..')) errors.push(invalid(at.child('path'), hostPath.path, "must not contain '..'"))
    const types = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket']
    errors.push(...validateEnum(hostPath.type, types, at.child('type')))
  }
  if (nfs) {
    if (!nfs.server) errors.push(required(path.child('nfs', 'server')))
    if (!nfs.path) errors.push(required(path.child('nfs', 'path')))
    else if (!nfs.path.startsWith('/')) errors.push(invalid(path.child('nfs', 'path'), nfs.path, 'must be an absolute path'))
  }
  return errors
}

function validateMode(mode: number | undefined, path: Path): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > 0o777)
    ? [invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : []
}

function validateHostNetwork(spec: PodSpec, path: Path): FieldError[] {
  if (!spec.hostNetwork) return []
  return (spec.containers ?? []).flatMap((container, index) =>
    (container.ports ?? []).flatMap((port, position) => {
      if (!port.hostPort || port.hostPort === port.containerPort) return []
      const at = path.child('containers').index(index).child('ports').index(position).child('hostPort')
      return [invalid(at, port.hostPort, 'must match `containerPort` when `hostNetwork` is true')]
    }),
  )
}

function validatePodSecurityContext({ securityContext }: PodSpec, path: Path): FieldError[] {
  if (!securityContext) return []
  const { fsGroup, runAsUser, runAsGroup, supplementalGroups = [], seccompProfile } = securityContext
  const errors: FieldError[] = []
  for (const [field, id] of Object.entries({ fsGroup, runAsUser, runAsGroup })) {
    if (id !== undefined && (id < 0 || id > maxInt32)) errors.push(invalid(path.child(field), id, between(0, maxInt32)))
  }
  for (const [index, id] of supplementalGroups.entries()) {
    if (id < 0 || id > maxInt32) errors.push(invalid(path.child('supplementalGroups').index(index), id, between(0, maxInt32)))
  }
  errors.push(...validateSysctls(securityContext.sysctls ?? [], path.child('sysctls')))
  errors.push(...validateEnum(securityContext.fsGroupChangePolicy, ['Always', 'OnRootMismatch'], path.child('fsGroupChangePolicy')))
  errors.push(...validateEnum(seccompProfile?.type, ['Localhost', 'RuntimeDefault', 'Unconfined'], path.child('seccompProfile', 'type')))
  if (seccompProfile?.type === 'Localhost' && !seccompProfile.localhostProfile) {
    errors.push(required(path.child('seccompProfile', 'localhostProfile'), 'must be set when seccomp type is Localhost'))
  }
  return errors
}

function validateDnsConfig({ dnsPolicy, dnsConfig }: PodSpec, path: Path): FieldError[] {
  if (dnsPolicy === 'None') {
    if (!dnsConfig) return [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')]
    const message = 'must provide at least one DNS nameserver when `dnsPolicy` is None'
    if (!dnsConfig.nameservers?.length) return [required(path.child('nameservers'), message)]
  }
  const { nameservers = [], searches = [], options = [] } = dnsConfig ?? {}
  const errors: FieldError[] = []
  if (nameservers.length > 3) errors.push(invalid(path.child('nameservers'), nameservers, 'must not have more than 3 nameservers'))
  errors.push(...nameservers.flatMap((address, index) => validateIP(address, path.child('nameservers').index(index))))
  if (searches.length > 32) errors.push(invalid(path.child('searches'), searches, 'must not have more than 32 search paths'))
  for (const [index, { name }] of options.entries()) {
    if (!name) errors.push(required(path.child('options').index(index), 'must not be empty'))
  }
  return errors
}

function validateDeadline(seconds: number | undefined, path: Path): FieldError[] {
  return seconds !== undefined && (seconds < 1 || seconds > maxInt32) ? [invalid(path, seconds, between(1, maxInt32))] : []
}

function validateHostAliases({ hostAliases = [] }: PodSpec, path: Path): FieldError[] {
  return hostAliases.flatMap(({ ip, hostnames = [] }, index) => [
    ...validateIP(ip, path.index(index).child('ip')),
    ...hostnames.flatMap((name, position) => validateSubdomain(name, path.index(index).child('hostnames').index(position))),
  ])
}

/** Addresses in the older fields, which may be written in any way that is understood. */
function validateIP(address: string, path: Path): FieldError[] {
  return isIP(address) === 0 ? [invalid(path, address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')] : []
}
