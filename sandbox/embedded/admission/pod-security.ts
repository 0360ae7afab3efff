import type { ClusterContext } from '../machinery/context.ts'
import { ApiError } from '../machinery/errors.ts'
import { type KubeObject, resources } from '../machinery/object.ts'
import { type FieldError, invalid, Path } from '../registry/field.ts'
import type { Namespace, Pod } from '../schema/types/core.v1.ts'
import { type AdmissionPlugin, type AdmissionRequest, refuse } from './admission.ts'
import { type Level, type PodLike, violations } from './pod-security-checks.ts'

/** The Pod Security Standards, as the labels of each namespace ask for them: enforced on pods, warned of on their templates too. */
export function podSecurity({ cache }: Pick<ClusterContext, 'cache'>): AdmissionPlugin {
  return {
    name: 'PodSecurity',
    handles: ({ operation, subresource }) =>
      (operation === 'CREATE' || operation === 'UPDATE') && (subresource === '' || subresource === 'ephemeralcontainers'),
    validate(request) {
      const about = request.resource.group ? `${request.resource.resource}.${request.resource.group}` : request.resource.resource
      if (about === 'namespaces') return validateNamespace(request)
      const isPod = about === 'pods'
      const pod = isPod ? (request.object as PodLike) : request.subresource === '' ? templates[about]?.(request.object) : undefined
      if (!pod?.spec || (isPod && request.operation === 'UPDATE' && !changesImages(request))) return
      const policy = policyOf(cache.get<Namespace>(resources.namespaces, request.namespace)?.metadata.labels ?? {})
      if (isPod) {
        const found = violations(policy.enforce.level, policy.enforce.minor, pod)
        if (found.length > 0) throw refuse(request, `violates PodSecurity "${shown(policy.enforce)}": ${found.join(', ')}`)
      }
      const found = violations(policy.warn.level, policy.warn.minor, pod)
      if (found.length > 0) request.warn(`would violate PodSecurity "${shown(policy.warn)}": ${found.join(', ')}`)
    },
  }

  /** Bad labels are refused; stricter ones warn of the pods that are already there. */
  function validateNamespace(request: AdmissionRequest): void {
    if (request.subresource !== '') return
    const { labels = {}, name = '' } = (request.object as KubeObject).metadata
    const oldLabels = request.oldObject?.metadata.labels ?? {}
    const errors = labelErrors(labels)
    if (errors.length > 0 && (request.operation === 'CREATE' || labelErrors(oldLabels).length === 0)) {
      throw ApiError.invalid({ group: '', kind: 'Namespace' }, name, errors)
    }
    if (request.operation === 'CREATE') return
    const { enforce } = policyOf(labels)
    const before = policyOf(oldLabels).enforce
    if (shown(enforce) === shown(before) || levels.indexOf(enforce.level) < levels.indexOf(before.level) || enforce.level === 'privileged')
      return
    warnOfPods(request, name, enforce)
  }

  function warnOfPods(request: AdmissionRequest, namespace: string, enforce: LevelVersion): void {
    const byViolation = new Map<string, string[]>()
    for (const pod of cache.list<Pod>(resources.pods, namespace)) {
      const reasons = violations(enforce.level, enforce.minor, pod).map((text) => text.replace(/ \(.*$/s, ''))
      if (reasons.length === 0) continue
      const key = reasons.join(', ')
      byViolation.set(key, [...(byViolation.get(key) ?? []), pod.metadata.name ?? ''])
    }
    if (byViolation.size === 0) return
    request.warn(`existing pods in namespace "${namespace}" violate the new PodSecurity enforce level "${shown(enforce)}"`)
    const lines = [...byViolation].map(([reasons, names]) => {
      const others = names.length - 1
      const more = others === 0 ? '' : others === 1 ? ' (and 1 other pod)' : ` (and ${others} other pods)`
      return `${names.sort()[0]}${more}: ${reasons}`
    })
    for (const line of lines.sort()) request.warn(line)
  }
}

interface LevelVersion {
  level: Level
  version: string
  minor: number
}

const prefix = 'pod-security.kubernetes.io/'
const levels: readonly Level[] = ['privileged', 'baseline', 'restricted']
const versionPattern = /^v1\.(\d|[1-9]\d*)$/

function policyOf(labels: Readonly<Record<string, string>>): { enforce: LevelVersion; warn: LevelVersion } {
  const enforce = read(labels, 'enforce', 'restricted')
  const warn = read(labels, 'warn', 'privileged')
  const warnLabel = labels[`${prefix}warn`]
  const explicit = levels.includes(labels[`${prefix}enforce`] as Level)
  if (warnLabel !== undefined || !explicit || enforce.level === 'privileged') return { enforce, warn }
  return { enforce, warn: labels[`${prefix}warn-version`] === undefined ? enforce : { ...warn, level: enforce.level } }
}

/** A label that makes no sense counts as the fallback. */
function read(labels: Readonly<Record<string, string>>, mode: string, fallback: Level): LevelVersion {
  const label = labels[`${prefix}${mode}`]
  const level = label === undefined ? 'privileged' : levels.includes(label as Level) ? (label as Level) : fallback
  const match = labels[`${prefix}${mode}-version`]?.match(versionPattern)
  return match ? { level, version: match[0], minor: Number(match[1]) } : { level, version: 'latest', minor: Number.POSITIVE_INFINITY }
}

function shown({ level, version }: LevelVersion): string {
  return `${level}:${version}`
}

function labelErrors(labels: Readonly<Record<string, string>>): FieldError[] {
  const path = new Path('metadata').child('labels')
  return ['enforce', 'audit', 'warn'].flatMap((mode) => {
    const level = labels[`${prefix}${mode}`]
    const version = labels[`${prefix}${mode}-version`]
    return [
      ...(level !== undefined && !levels.includes(level as Level)
        ? [invalid(path.key(`${prefix}${mode}`), level, 'must be one of privileged, baseline, restricted')]
        : []),
      ...(version !== undefined && version !== 'latest' && !versionPattern.test(version)
        ? [invalid(path.key(`${prefix}${mode}-version`), version, 'must be "latest" or "v1.x"')]
        : []),
    ]
  })
}

type Templated = { spec?: { template?: PodLike } }
const template = (object: unknown) => (object as Templated).spec?.template
const templates: Record<string, (object: unknown) => PodLike | undefined> = {
  replicationcontrollers: template,
  podtemplates: (object) => (object as { template?: PodLike }).template,
  'deployments.apps': template,
  'replicasets.apps': template,
  'statefulsets.apps': template,
  'daemonsets.apps': template,
  'jobs.batch': template,
  'cronjobs.batch': (object) => (object as { spec?: { jobTemplate?: Templated } }).spec?.jobTemplate?.spec?.template,
}

/** Of a pod's update only new images and new ephemeral containers are judged again. */
function changesImages({ object, oldObject }: AdmissionRequest): boolean {
  const images = (value: unknown) => {
    const { initContainers = [], containers, ephemeralContainers = [] } = (value as Pod).spec as NonNullable<Pod['spec']>
    return JSON.stringify([...initContainers, ...containers, ...ephemeralContainers].map(({ name, image }) => [name, image]))
  }
  return images(object) !== images(oldObject)
}
