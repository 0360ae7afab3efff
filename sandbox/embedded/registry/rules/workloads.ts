import { isNone, partAsJson } from '../../schema/go-empty.ts'
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet, StatefulSetSpec } from '../../schema/types/apps.v1.ts'
import type { PersistentVolumeClaim, PodTemplateSpec, ReplicationController } from '../../schema/types/core.v1.ts'
import type { LabelSelector } from '../../schema/types/meta.v1.ts'
import { validateClaimSpec } from '../claim-validation.ts'
import type { Definition } from '../define.ts'
import { type FieldError, forbidden, invalid, notSupported, Path, required, specPath } from '../field.ts'
import { goShape } from '../go-shape.ts'
import { selectorMatches, validateEnum, validateImmutable, validateLabelSelector, validateNonnegative } from '../metadata.ts'
import { dnsLabel, isDns1123Label, isPercent } from '../names.ts'
import { defaultPersistentVolumeClaimSpec, defaultPodTemplate } from '../pod-defaults.ts'
import { validatePodTemplate } from '../pod-validation.ts'
import { podWarnings } from '../pod-warnings.ts'
import { semanticEqual } from '../semantic-equal.ts'
import { validateDaemonSetStatus, validateDeploymentStatus, validateReplicaStatus, validateStatefulSetStatus } from './workload-status.ts'

/** pkg/apis/apps/v1/defaults.go, pkg/apis/apps/validation. */
export const deploymentRules: Partial<Definition<Deployment>> = {
  // what it selects by was once kept in its labels
  prepareForStatusUpdate({ metadata }, old) {
    if (old.metadata.labels === undefined) delete metadata.labels
    else metadata.labels = { ...old.metadata.labels }
  },
  validateStatus: validateDeploymentStatus,
  podSpec: ({ spec }) => spec?.template?.spec,
  default({ spec }) {
    if (!spec) return
    spec.replicas ??= 1
    const strategy = (spec.strategy ??= {})
    strategy.type ??= 'RollingUpdate'
    if (strategy.type === 'RollingUpdate') {
      strategy.rollingUpdate ??= {}
      strategy.rollingUpdate.maxUnavailable ??= '25%'
      strategy.rollingUpdate.maxSurge ??= '25%'
    }
    spec.revisionHistoryLimit ??= 10
    spec.progressDeadlineSeconds ??= 600
    defaultPodTemplate(spec.template)
  },
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    const strategy = specPath.child('strategy')
    const { type, rollingUpdate } = spec.strategy ?? {}
    const errors = [
      ...validateNonnegative(spec.replicas, specPath.child('replicas')),
      ...validateSelected(spec.selector, spec.template, 'deployment'),
      ...validateTemplate(spec.template, 'ReplicaSet'),
      ...validateNonnegative(spec.minReadySeconds, specPath.child('minReadySeconds')),
      ...validateNonnegative(spec.revisionHistoryLimit, specPath.child('revisionHistoryLimit')),
      ...(type === 'Recreate' || type === 'RollingUpdate'
        ? []
        : [notSupported(strategy, goShape(spec.strategy ?? {}, 'apps.v1.DeploymentStrategy'), ['Recreate', 'RollingUpdate'])]),
    ]
    if (type === 'Recreate' && rollingUpdate) {
      errors.push(forbidden(strategy.child('rollingUpdate'), "may not be specified when strategy `type` is 'Recreate'"))
    }
    if (type === 'RollingUpdate') errors.push(...validateRolling(rollingUpdate ?? {}, strategy.child('rollingUpdate')))
    const deadline = spec.progressDeadlineSeconds
    if (deadline !== undefined) {
      errors.push(...validateNonnegative(deadline, specPath.child('progressDeadlineSeconds')))
      if (deadline <= (spec.minReadySeconds ?? 0)) {
        errors.push(invalid(specPath.child('progressDeadlineSeconds'), deadline, 'must be greater than minReadySeconds'))
      }
    }
    return errors
  },
  validateChange: ({ spec }, old) =>
    validateImmutable(spec?.selector, old.spec?.selector, specPath.child('selector'), 'meta.v1.LabelSelector'),
  warnings: ({ spec }) => podWarnings(spec?.template.spec, 'spec.template.'),
}

export const replicaSetRules: Partial<Definition<ReplicaSet>> = {
  // of a feature that is switched off
  prepareForStatusUpdate({ status }, old) {
    if (old.status?.terminatingReplicas === undefined) delete status?.terminatingReplicas
  },
  validateStatus: validateReplicaStatus,
  podSpec: ({ spec }) => spec?.template?.spec,
  default({ spec }) {
    if (!spec) return
    spec.replicas ??= 1
    if (spec.template) defaultPodTemplate(spec.template)
  },
  validate: ({ spec }) => [
    ...validateNonnegative(spec?.replicas, specPath.child('replicas')),
    ...validateNonnegative(spec?.minReadySeconds, specPath.child('minReadySeconds')),
    // its words are the Deployment's
    ...validateSelected(spec?.selector, spec?.template, 'deployment'),
    ...validateTemplate(spec?.template, 'ReplicaSet'),
  ],
  validateChange: ({ spec }, old) =>
    validateImmutable(spec?.selector, old.spec?.selector, specPath.child('selector'), 'meta.v1.LabelSelector'),
  fieldSelectors: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
}

export const controllerRevisionRules: Partial<Definition<ControllerRevision>> = {
  validate: ({ revision }) => validateNonnegative(revision, new Path('revision')),
  validateCreate: ({ data }) => (data === undefined || data === null ? [required(new Path('data'), 'data is mandatory')] : []),
  validateChange: ({ data }, old) => validateImmutable(data, old.data, new Path('data')),
}

const templateGeneration = 'deprecated.daemonset.template.generation'

export const daemonSetRules: Partial<Definition<DaemonSet>> = {
  validateStatus: validateDaemonSetStatus,
  podSpec: ({ spec }) => spec?.template?.spec,
  default({ spec, metadata }) {
    metadata.annotations = { [templateGeneration]: '0', ...metadata.annotations }
    if (!spec) return
    const strategy = (spec.updateStrategy ??= {})
    strategy.type ??= 'RollingUpdate'
    if (strategy.type === 'RollingUpdate') {
      strategy.rollingUpdate ??= {}
      strategy.rollingUpdate.maxUnavailable ??= 1
      strategy.rollingUpdate.maxSurge ??= 0
    }
    spec.revisionHistoryLimit ??= 10
    defaultPodTemplate(spec.template)
  },
  prepareForCreate({ metadata }) {
    metadata.annotations = { ...metadata.annotations, [templateGeneration]: '1' }
  },
  prepareForStatusUpdate({ metadata }, old) {
    const generation = old.metadata.annotations?.[templateGeneration]
    if (generation !== undefined) metadata.annotations = { ...metadata.annotations, [templateGeneration]: generation }
  },
  prepareForUpdate({ spec, metadata }, old) {
    const before = Number(old.metadata.annotations?.[templateGeneration] ?? 1)
    const changed = !semanticEqual(spec?.template, old.spec?.template, 'core.v1.PodTemplateSpec')
    metadata.annotations = { ...metadata.annotations, [templateGeneration]: String(changed ? before + 1 : before) }
  },
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    const strategy = specPath.child('updateStrategy')
    return [
      ...validateSelected(spec.selector, spec.template, 'daemonset', null),
      ...validateTemplate(spec.template, 'DaemonSet'),
      ...validateNonnegative(spec.minReadySeconds, specPath.child('minReadySeconds')),
      ...(spec.updateStrategy?.type === 'RollingUpdate' || spec.updateStrategy?.type === 'OnDelete'
        ? []
        : [notSupported(strategy, goShape(spec.updateStrategy ?? {}, 'apps.v1.DaemonSetUpdateStrategy'), ['RollingUpdate', 'OnDelete'])]),
      ...(spec.updateStrategy?.type === 'RollingUpdate'
        ? validateDaemonRolling(spec.updateStrategy.rollingUpdate ?? {}, strategy.child('rollingUpdate'))
        : []),
      ...validateNonnegative(spec.revisionHistoryLimit, specPath.child('revisionHistoryLimit')),
    ]
  },
  validateChange: ({ spec }, old) =>
    validateImmutable(spec?.selector, old.spec?.selector, specPath.child('selector'), 'meta.v1.LabelSelector'),
}

const statefulSetMutable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]

export const statefulSetRules: Partial<Definition<StatefulSet>> = {
  validateStatus: validateStatefulSetStatus,
  podSpec: ({ spec }) => spec?.template?.spec,
  name: dnsLabel,
  // of a feature that is switched off
  prepareForCreate({ spec }) {
    delete spec?.updateStrategy?.rollingUpdate?.maxUnavailable
  },
  default({ spec }) {
    if (!spec) return
    spec.podManagementPolicy ??= 'OrderedReady'
    const strategy = (spec.updateStrategy ??= {})
    if (!strategy.type) {
      strategy.type = 'RollingUpdate'
      strategy.rollingUpdate ??= {}
    }
    if (strategy.type === 'RollingUpdate' && strategy.rollingUpdate) strategy.rollingUpdate.partition ??= 0
    const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {})
    retention.whenDeleted ??= 'Retain'
    retention.whenScaled ??= 'Retain'
    spec.replicas ??= 1
    spec.revisionHistoryLimit ??= 10
    defaultPodTemplate(spec.template)
    for (const claim of spec.volumeClaimTemplates ?? []) {
      claim.apiVersion = 'v1'
      claim.kind = 'PersistentVolumeClaim'
      if (claim.spec) defaultPersistentVolumeClaimSpec(claim.spec)
      claim.status ??= {}
      claim.status.phase ??= 'Pending'
    }
  },
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    const {
      podManagementPolicy: policy,
      persistentVolumeClaimRetentionPolicy: retention,
      serviceName,
      volumeClaimTemplates: claims = [],
    } = spec
    const at = (name: string) => specPath.child(name)
    const when = (['whenDeleted', 'whenScaled'] as const).flatMap((field) =>
      validateEnum(retention?.[field] ?? '', ['Retain', 'Delete'], at('persistentVolumeClaimRetentionPolicy').child(field)),
    )
    const known = policy === 'OrderedReady' || policy === 'Parallel'
    return [
      ...(policy ? [] : [required(at('podManagementPolicy'))]),
      ...(!policy || known ? [] : [invalid(at('podManagementPolicy'), policy, "must be 'OrderedReady' or 'Parallel'")]),
      ...validateStatefulStrategy(spec.updateStrategy ?? {}, at('updateStrategy')),
      ...(retention ? when : []),
      ...validateNonnegative(spec.replicas, at('replicas')),
      ...validateNonnegative(spec.minReadySeconds, at('minReadySeconds')),
      ...validateNonnegative(spec.ordinals?.start, at('ordinals').child('start')),
      ...(serviceName ? isDns1123Label(serviceName).map((text) => invalid(at('serviceName'), serviceName, text)) : []),
      ...validateSelected(spec.selector, spec.template, 'statefulset', ''),
      ...(selectorReads(spec.selector) ? validateStatefulTemplate(spec.template, claims) : []),
      ...validateLasting(spec.template, 'StatefulSet'),
    ]
  },
  validateCreate({ spec }) {
    const at = specPath.child('volumeClaimTemplates')
    return (spec?.volumeClaimTemplates ?? []).flatMap((claim, index) => validateClaimSpec(claim.spec ?? {}, at.index(index).child('spec')))
  },
  validateChange({ spec }, old) {
    const rest = (source: object | undefined) =>
      Object.fromEntries(Object.entries(source ?? {}).filter(([key]) => !statefulSetMutable.includes(key)))
    if (semanticEqual(rest(spec), rest(old.spec), 'apps.v1.StatefulSetSpec')) return []
    return [
      forbidden(
        specPath,
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ),
    ]
  },
}

export const replicationControllerRules: Partial<Definition<ReplicationController>> = {
  validateStatus: validateReplicaStatus,
  podSpec: ({ spec }) => spec?.template?.spec,
  default(controller) {
    const { spec, metadata } = controller
    if (!spec) return
    spec.replicas ??= 1
    const labels = spec.template?.metadata?.labels
    if (labels) {
      if (isNone(spec.selector)) spec.selector = { ...labels }
      if (isNone(metadata.labels)) metadata.labels = { ...labels }
    }
    if (spec.template) defaultPodTemplate(spec.template)
  },
  validate({ spec }) {
    const errors = validateNonnegative(spec?.replicas, specPath.child('replicas'))
    errors.push(...validateNonnegative(spec?.minReadySeconds, specPath.child('minReadySeconds')))
    const labels = spec?.template?.metadata?.labels
    const wanted = Object.entries(spec?.selector ?? {})
    if (wanted.length === 0) errors.push(required(specPath.child('selector')))
    else if (spec?.template && wanted.some(([key, value]) => labels?.[key] !== value)) {
      errors.push(invalid(specPath.child('template', 'metadata', 'labels'), labels ?? null, '`selector` does not match template `labels`'))
    }
    return [...errors, ...validateTemplate(spec?.template, 'ReplicationController')]
  },
}

function validateStatefulStrategy(strategy: NonNullable<StatefulSetSpec['updateStrategy']>, path: Path): FieldError[] {
  const { type, rollingUpdate } = strategy
  const at = path.child('rollingUpdate')
  if (!type) return [required(path)]
  if (type === 'OnDelete') {
    if (!rollingUpdate) return []
    const shown = goShape(rollingUpdate, 'apps.v1.RollingUpdateStatefulSetStrategy')
    return [invalid(at, shown, "only allowed for updateStrategy 'RollingUpdate'")]
  }
  if (type !== 'RollingUpdate') {
    return [invalid(path, goShape(strategy, 'apps.v1.StatefulSetUpdateStrategy'), "must be 'RollingUpdate' or 'OnDelete'")]
  }
  return validateNonnegative(rollingUpdate?.partition, at.child('partition'))
}

/** The claims are volumes of the pods; host and subdomain are the set's to give. */
function validateStatefulTemplate(template: PodTemplateSpec | undefined, claims: readonly PersistentVolumeClaim[]): FieldError[] {
  const names = [...new Set(claims.map(({ metadata }) => metadata?.name ?? ''))]
  const { hostname: _, subdomain: __, ...spec } = template?.spec ?? { containers: [] }
  const volumes = [
    ...names.map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
    ...(spec.volumes ?? []).filter(({ name }) => !names.includes(name)),
  ]
  return validatePodTemplate({ metadata: {}, ...template, spec: { ...spec, volumes } }, specPath.child('template'))
}

function validateDaemonRolling(update: { maxUnavailable?: string | number; maxSurge?: string | number }, path: Path): FieldError[] {
  const { maxUnavailable = 0, maxSurge = 0 } = update
  const errors = [
    ...validateAmount(maxUnavailable, path.child('maxUnavailable')),
    ...validateAmount(maxSurge, path.child('maxSurge')),
    ...notMoreThanAll(maxUnavailable, path.child('maxUnavailable')),
    ...notMoreThanAll(maxSurge, path.child('maxSurge')),
  ]
  const unavailable = amountOf(maxUnavailable) !== 0
  const surge = amountOf(maxSurge) !== 0
  if (unavailable && surge) errors.push(invalid(path.child('maxSurge'), maxSurge, 'may not be set when maxUnavailable is non-zero'))
  if (!unavailable && !surge) errors.push(required(path.child('maxUnavailable'), 'cannot be 0 when maxSurge is 0'))
  return errors
}

/** A number or a percentage; what is neither counts as the number that it begins with. */
function amountOf(value: string | number): number {
  if (typeof value === 'number') return value
  return isPercent(value).length === 0 ? Number.parseInt(value, 10) : Number(/^[+-]?\d+$/.test(value) ? value : 0)
}

function notMoreThanAll(value: string | number, path: Path): FieldError[] {
  if (typeof value === 'number' || isPercent(value).length > 0 || Number.parseInt(value, 10) <= 100) return []
  return [invalid(path, value, 'must not be greater than 100%')]
}

function selectorReads(selector: LabelSelector | null | undefined): boolean {
  return validateLabelSelector(selector ?? undefined, specPath).length === 0
}

/**
 * A selector that is there, is not empty and selects the template. `unreadable` is what is said of one that says nothing
 * sensible besides; null: nothing.
 */
function validateSelected(
  selector: LabelSelector | null | undefined,
  template: PodTemplateSpec | undefined,
  owner: string,
  unreadable: string | null = 'invalid label selector',
): FieldError[] {
  const path = specPath.child('selector')
  const labels = template?.metadata?.labels
  const shown = selector && partAsJson(selector, 'meta.v1.LabelSelector')
  const daemons = owner === 'daemonset'
  const wrong = validateLabelSelector(selector ?? undefined, path)
  const errors = selector ? [...wrong] : daemons ? [] : [required(path)]
  const empty = selector && !Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length
  if (empty) return [...errors, invalid(path, shown, `empty selector is invalid for ${owner}`)]
  if (wrong.length > 0) return unreadable === null ? errors : [...errors, unreadable ? invalid(path, shown, unreadable) : bare(path, shown)]
  if (!selectorMatches(selector ?? undefined, labels)) {
    errors.push(invalid(specPath.child('template', 'metadata', 'labels'), labels ?? null, '`selector` does not match template `labels`'))
  }
  return errors
}

function bare(path: Path, value: unknown): FieldError {
  const error = invalid(path, value, '')
  return { ...error, message: error.message.replace(/: $/, '') }
}

function validateTemplate(template: PodTemplateSpec | undefined, owner: string): FieldError[] {
  const path = specPath.child('template')
  if (!template) return [required(path)]
  return [...validatePodTemplate(template, path), ...validateLasting(template, owner)]
}

/** Pods that are to run on: always started again, without an end. */
function validateLasting(template: PodTemplateSpec | undefined, owner: string): FieldError[] {
  const path = specPath.child('template')
  const errors: FieldError[] = []
  const policy = template?.spec?.restartPolicy
  if (policy !== undefined && policy !== 'Always') errors.push(notSupported(path.child('spec', 'restartPolicy'), policy, ['Always']))
  if (template?.spec?.activeDeadlineSeconds !== undefined) {
    errors.push(forbidden(path.child('spec', 'activeDeadlineSeconds'), `activeDeadlineSeconds in ${owner} is not Supported`))
  }
  return errors
}

function validateRolling(update: { maxUnavailable?: string | number; maxSurge?: string | number }, path: Path): FieldError[] {
  const errors = [
    ...validateAmount(update.maxUnavailable, path.child('maxUnavailable')),
    ...validateAmount(update.maxSurge, path.child('maxSurge')),
  ]
  const zero = (value: string | number | undefined) => Number.parseInt(String(value ?? 0), 10) === 0
  if (zero(update.maxUnavailable) && zero(update.maxSurge)) {
    errors.push(invalid(path.child('maxUnavailable'), update.maxUnavailable ?? 0, 'may not be 0 when `maxSurge` is 0'))
  }
  if (typeof update.maxUnavailable === 'string' && Number.parseInt(update.maxUnavailable, 10) > 100) {
    errors.push(invalid(path.child('maxUnavailable'), update.maxUnavailable, 'must not be greater than 100%'))
  }
  return errors
}

/** A whole number or a percentage. */
export function validateAmount(value: string | number | undefined, path: Path): FieldError[] {
  if (value === undefined) return []
  if (typeof value === 'number') return validateNonnegative(value, path)
  return isPercent(value).map((text) => invalid(path, value, text))
}
