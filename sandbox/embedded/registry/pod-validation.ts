import { isIP } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { copyOf } from '../machinery/copy.ts'
import { compareQuantities } from '../schema/quantity.ts'
import type { Pod, PodResourceClaim, PodSpec, PodTemplateSpec, Toleration } from '../schema/types/core.v1.ts'
import { type PodFacts, validateContainers, validateEphemeralContainers, validateInitContainers } from './container-validation.ts'
import { duplicate, type FieldError, forbidden, invalid, metadataPath, type Path, required, specPath } from './field.ts'
import { goShape } from './go-shape.ts'
import { validateAnnotations, validateEnum, validateLabels, validateSubdomain } from './metadata.ts'
import { between, isDns1123Label, isSearchDomain } from './names.ts'
import { requestsOfContainers } from './pod-defaults.ts'
import { podSpecDiff } from './pod-diff.ts'
import { qualified, validateAffinity, validateSchedulingGates, validateSpread, validateTolerations } from './pod-placement.ts'
import { validateOs, validatePodSecurityContext } from './pod-security.ts'
import { validateResources } from './resource-validation.ts'
import { semanticEqual } from './semantic-equal.ts'
import { validateVolumes } from './volume-validation.ts'

const maxInt32 = 2147483647
const mirrorAnnotation = 'kubernetes.io/config.mirror'
const mirrorPath = metadataPath.child('annotations').key(mirrorAnnotation)

/** What is wrong with a pod, new or changed. */
export function validatePod(pod: Pod): FieldError[] {
  const { spec = { containers: [] } } = pod
  const images = (['containers', 'initContainers'] as const).flatMap((field) =>
    (spec[field] ?? []).flatMap(({ image = '' }, index) =>
      image.trim() === image
        ? []
        : [invalid(specPath.child(field).index(index).child('image'), image, 'must not have leading or trailing whitespace')],
    ),
  )
  const mirror = pod.metadata.annotations?.[mirrorAnnotation]
  const nowhere = mirror !== undefined && !spec.nodeName
  return [
    ...(nowhere ? [invalid(mirrorPath, mirror, 'must set spec.nodeName if mirror pod annotation is set')] : []),
    ...validatePodSpec(spec, specPath, pod.metadata.name),
    ...tokensWithoutAccount(spec),
    ...images,
  ]
}

function tokensWithoutAccount({ serviceAccountName, volumes = [] }: PodSpec): FieldError[] {
  if (serviceAccountName) return []
  return volumes.flatMap(({ projected }, index) =>
    (projected?.sources ?? []).flatMap(({ serviceAccountToken }, position) => {
      if (!serviceAccountToken) return []
      const at = specPath.child('volumes').index(index).child('projected', 'sources').index(position).child('serviceAccountToken')
      return [forbidden(at, 'must not be specified when serviceAccountName is not set')]
    }),
  )
}

/** What is wrong with a pod only while it is made. */
export function validatePodCreate({ spec }: Pod): FieldError[] {
  const gated = spec?.nodeName && spec.schedulingGates?.length
  return [
    ...(spec?.ephemeralContainers?.length ? [forbidden(specPath.child('ephemeralContainers'), 'cannot be set on create')] : []),
    ...(gated ? [forbidden(specPath.child('nodeName'), 'cannot be set until all schedulingGates have been cleared')] : []),
  ]
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

/** Source: ValidatePodSpec in pkg/apis/core/validation, in its order. `pod` is the pod's name, '' in a template. */
function validatePodSpec(spec: PodSpec, path: Path, pod = ''): FieldError[] {
  const { volumes, errors } = validateVolumes(spec.volumes ?? [], path.child('volumes'), pod)
  const containers = spec.containers ?? []
  const facts: PodFacts = {
    restartPolicy: spec.restartPolicy ?? '',
    claims: (spec.resourceClaims ?? []).map(({ name }) => name).filter(Boolean),
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds,
    hostUsers: spec.hostUsers !== false,
  }
  return [
    ...errors,
    ...validateResourceClaims(spec.resourceClaims ?? [], path.child('resourceClaims')),
    ...validateContainers(containers, volumes, path.child('containers'), facts),
    ...validateInitContainers(spec.initContainers ?? [], containers, volumes, path.child('initContainers'), facts),
    ...validateEphemeralContainers(spec, volumes, path.child('ephemeralContainers'), facts),
    ...validatePodResources(spec, path.child('resources')),
    ...validateHostNetwork(spec, path),
    ...oneOf(spec.restartPolicy, ['Always', 'OnFailure', 'Never'], path.child('restartPolicy')),
    ...oneOf(spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], path.child('dnsPolicy')),
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
    ...(spec.preemptionPolicy === undefined
      ? []
      : oneOf(spec.preemptionPolicy, ['PreemptLowerPriority', 'Never'], path.child('preemptionPolicy'))),
    ...(spec.overhead ? validateResources({ limits: spec.overhead }, path.child('overhead')) : []),
    ...validateOs(spec, path),
  ]
}

/** What a running pod may change: images, a shorter deadline, more tolerations, fewer gates. */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  const spec = pod.spec!
  const before = old.spec!
  const errors = [...mirrorChanges(pod, old), ...validatePod(pod)]
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
  const lasting = ({ tolerationSeconds: _, ...toleration }: Toleration) => toleration
  const isLost = (toleration: Toleration) => !spec.tolerations?.some((other) => isDeepStrictEqual(lasting(other), lasting(toleration)))
  if (before.tolerations?.some(isLost)) {
    errors.push(forbidden(specPath.child('tolerations'), 'existing toleration can not be modified except its tolerationSeconds'))
  }
  for (const [index, gate] of (spec.schedulingGates ?? []).entries()) {
    if (!(before.schedulingGates ?? []).some(({ name }) => name === gate.name)) {
      const place = specPath.child('schedulingGates').index(index)
      errors.push(forbidden(place, `only deletion is allowed, but found new scheduling gate '${gate.name}'`))
    }
  }
  const comparable = withAllowedChanges(spec, before)
  return semanticEqual(comparable, copyOf(before), 'core.v1.PodSpec')
    ? errors
    : [...errors, forbidden(specPath, changes(before, comparable))]
}

/** A kubelet knows by an annotation which Pods only show what it has from a file. */
function mirrorChanges({ metadata: { annotations } }: Pod, old: Pod): FieldError[] {
  const before = old.metadata.annotations?.[mirrorAnnotation]
  if (annotations?.[mirrorAnnotation] === before) return []
  return [forbidden(mirrorPath, `may not ${before === undefined ? 'add' : 'remove or update'} mirror pod annotation`)]
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

function validateResourceClaims(claims: PodResourceClaim[], path: Path): FieldError[] {
  const names = new Set<string>()
  return claims.flatMap((claim, index) => {
    const at = path.index(index)
    const errors: FieldError[] = []
    if (!claim.name) errors.push(required(at.child('name')))
    else if (names.has(claim.name)) errors.push(duplicate(at.child('name'), claim.name))
    else errors.push(...isDns1123Label(claim.name).map((text) => invalid(at.child('name'), claim.name, text)))
    names.add(claim.name)
    const { resourceClaimName: claimName, resourceClaimTemplateName: templateName } = claim
    const shown = goShape(claim, 'core.v1.PodResourceClaim')
    if (claimName !== undefined && templateName !== undefined) {
      errors.push(invalid(at, shown, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'))
    }
    if (claimName === undefined && templateName === undefined) {
      errors.push(invalid(at, shown, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'))
    }
    if (claimName !== undefined) errors.push(...validateSubdomain(claimName, at.child('resourceClaimName')))
    if (templateName !== undefined) errors.push(...validateSubdomain(templateName, at.child('resourceClaimTemplateName')))
    return errors
  })
}

/** Resources of the pod as a whole: its containers must fit into them. */
function validatePodResources(spec: PodSpec, path: Path): FieldError[] {
  const { resources } = spec
  if (!resources) return []
  if (spec.os?.name === 'windows') return [forbidden(path, 'may not be set for a windows pod')]
  const errors = resources.claims?.length ? [forbidden(path.child('claims'), 'claims may not be set for Resources at pod-level')] : []
  errors.push(...validateResources(resources, path, [], 'pod'))
  for (const [name, total] of Object.entries(requestsOfContainers(spec))) {
    const request = resources.requests?.[name]
    if (request === undefined || compareQuantities(total, request) <= 0) continue
    const why = `must be greater than or equal to aggregate container requests of ${total}`
    errors.push(invalid(path.child('requests').key(name), request, why))
  }
  for (const [index, container] of (spec.containers ?? []).entries()) {
    for (const [name, limit] of Object.entries(container.resources?.limits ?? {})) {
      const bound = resources.limits?.[name]
      if (bound === undefined || compareQuantities(limit, bound) <= 0) continue
      const at = path.child('containers').index(index).key(name).child('limits')
      errors.push(invalid(at, limit, `must be less than or equal to pod limits of ${bound}`))
    }
  }
  return errors
}

/** Of a field that is never left out: said, and known. */
function oneOf(value: string | undefined, supported: readonly string[], path: Path): FieldError[] {
  return value ? validateEnum(value, supported, path) : [required(path)]
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
  for (const [index, search] of searches.entries()) {
    if (search === '.') continue
    const problems = isSearchDomain(search.replace(/\.$/, ''))
    errors.push(...problems.map((text) => invalid(path.child('searches').index(index), search, text)))
  }
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
