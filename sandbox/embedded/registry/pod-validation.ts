import { isDeepStrictEqual } from 'node:util'
import { copyOf } from '../machinery/copy.ts'
import type { Container, Pod, PodSpec, PodTemplateSpec, Sysctl, Toleration, Volume } from '../schema/types/core.v1.ts'
import { descending, validateContainer, validateContainers, validateInitContainers, validateSubdomain } from './container-validation.ts'
import { duplicate, type FieldError, forbidden, invalid, type Path, required, specPath } from './field.ts'
import { validateAnnotations, validateEnum, validateLabelSelector, validateLabels } from './metadata.ts'
import { between, isDns1123Label, isQualifiedName } from './names.ts'
import { podSpecDiff } from './pod-diff.ts'

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

/** Source: ValidatePodSpec in pkg/apis/core/validation. */
export function validatePodSpec(spec: PodSpec, path: Path): FieldError[] {
  const volumes = validateVolumes(spec.volumes ?? [], path.child('volumes'))
  const containers = spec.containers ?? []
  const errors = [
    ...volumes.errors,
    ...validateContainers(containers, volumes.names, path.child('containers')),
    ...validateInitContainers(spec.initContainers ?? [], containers, volumes.names, path.child('initContainers')),
    ...(spec.ephemeralContainers ?? []).flatMap((container, index) =>
      validateContainer(container as Container, volumes.names, path.child('ephemeralContainers').index(index)),
    ),
    ...validateHostNetwork(spec, path),
    ...validateSysctls(spec.securityContext?.sysctls ?? [], path.child('securityContext', 'sysctls')),
    ...validateEnum(spec.restartPolicy, ['Always', 'OnFailure', 'Never'], path.child('restartPolicy')),
    ...validateEnum(spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], path.child('dnsPolicy')),
    ...validateLabels(spec.nodeSelector, path.child('nodeSelector')),
    ...validateSpread(spec, path.child('topologySpreadConstraints')),
  ]
  if (spec.dnsPolicy === 'None' && !spec.dnsConfig?.nameservers?.length) {
    errors.push(required(path.child('dnsConfig', 'nameservers'), 'must provide at least one DNS nameserver when `dnsPolicy` is None'))
  }
  if (spec.serviceAccountName) errors.push(...validateSubdomain(spec.serviceAccountName, path.child('serviceAccountName')))
  if (spec.nodeName) errors.push(...validateSubdomain(spec.nodeName, path.child('nodeName')))
  const deadline = spec.activeDeadlineSeconds
  if (deadline !== undefined && (deadline < 1 || deadline > maxInt32)) {
    errors.push(invalid(path.child('activeDeadlineSeconds'), deadline, between(1, maxInt32)))
  }
  for (const field of ['hostname', 'subdomain'] as const) {
    const value = spec[field]
    if (value) errors.push(...isDns1123Label(value).map((text) => invalid(path.child(field), value, text)))
  }
  return [
    ...errors,
    ...validateTolerations(spec.tolerations ?? [], path.child('tolerations')),
    ...validateAffinity(spec, path.child('affinity')),
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

function validateTolerations(tolerations: Toleration[], path: Path): FieldError[] {
  return tolerations.flatMap((toleration, index) => {
    const at = path.index(index)
    const errors: FieldError[] = []
    if (toleration.key) errors.push(...isQualifiedName(toleration.key).map((text) => invalid(at.child('key'), toleration.key, text)))
    else if (toleration.operator !== 'Exists') {
      errors.push(
        invalid(
          at.child('operator'),
          toleration.operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      )
    }
    if (toleration.tolerationSeconds !== undefined && toleration.effect !== 'NoExecute') {
      errors.push(invalid(at.child('effect'), toleration.effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    }
    if (toleration.operator === 'Exists') {
      if (toleration.value) errors.push(invalid(at.child('operator'), toleration.value, "value must be empty when `operator` is 'Exists'"))
    } else errors.push(...validateEnum(toleration.operator, ['Equal', 'Exists'], at.child('operator')))
    return [...errors, ...validateEnum(toleration.effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute'], at.child('effect'))]
  })
}

function validateSpread(spec: PodSpec, path: Path): FieldError[] {
  return (spec.topologySpreadConstraints ?? []).flatMap((constraint, index) => {
    const at = path.index(index)
    const errors: FieldError[] = []
    if (!(constraint.maxSkew > 0)) errors.push(invalid(at.child('maxSkew'), constraint.maxSkew, 'must be greater than zero'))
    if (!constraint.topologyKey) errors.push(required(at.child('topologyKey'), 'can not be empty'))
    errors.push(...validateEnum(constraint.whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway'], at.child('whenUnsatisfiable')))
    return [...errors, ...validateLabelSelector(constraint.labelSelector, at.child('labelSelector'))]
  })
}

function validateAffinity({ affinity }: PodSpec, path: Path): FieldError[] {
  const errors: FieldError[] = []
  const nodes = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const at = path.child('nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms')
  if (nodes && !nodes.nodeSelectorTerms?.length) errors.push(required(at, 'must have at least one node selector term'))
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const field = 'requiredDuringSchedulingIgnoredDuringExecution'
    for (const [index, term] of (affinity?.[kind]?.[field] ?? []).entries()) {
      const place = path.child(kind, field).index(index)
      const key = term.topologyKey ?? ''
      if (!key) errors.push(required(place.child('topologyKey'), 'can not be empty'))
      errors.push(...isQualifiedName(key).map((text) => invalid(place.child('topologyKey'), key, text)))
      errors.push(...validateLabelSelector(term.labelSelector, place.child('labelSelector')))
    }
  }
  return errors
}
