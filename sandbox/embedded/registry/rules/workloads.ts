import { isDeepStrictEqual } from 'node:util'
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../../schema/types/apps.v1.ts'
import type { PodTemplateSpec, ReplicationController } from '../../schema/types/core.v1.ts'
import type { LabelSelector } from '../../schema/types/meta.v1.ts'
import type { Definition } from '../define.ts'
import { type FieldError, forbidden, invalid, notSupported, type Path, required, specPath } from '../field.ts'
import { selectorMatches, validateImmutable, validateLabelSelector, validateNonnegative } from '../metadata.ts'
import { dnsLabel, isPercent } from '../names.ts'
import { defaultPersistentVolumeClaimSpec, defaultPodTemplate } from '../pod-defaults.ts'
import { validatePodTemplate } from '../pod-validation.ts'
import { podWarnings } from '../pod-warnings.ts'

/** pkg/apis/apps/v1/defaults.go, pkg/apis/apps/validation. */
export const deploymentRules: Partial<Definition<Deployment>> = {
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
        : [notSupported(strategy, { Type: type, RollingUpdate: rollingUpdate ?? null }, ['Recreate', 'RollingUpdate'])]),
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
  validateChange: ({ spec }, old) => validateImmutable(spec?.selector, old.spec?.selector, specPath.child('selector')),
  warnings: ({ spec }) => podWarnings(spec?.template.spec, 'spec.template.'),
}

export const replicaSetRules: Partial<Definition<ReplicaSet>> = {
  default({ spec }) {
    if (!spec) return
    spec.replicas ??= 1
    if (spec.template) defaultPodTemplate(spec.template)
  },
  validate: ({ spec }) => [
    ...validateNonnegative(spec?.replicas, specPath.child('replicas')),
    ...validateNonnegative(spec?.minReadySeconds, specPath.child('minReadySeconds')),
    ...validateSelected(spec?.selector, spec?.template, 'ReplicaSet'),
    ...validateTemplate(spec?.template, 'ReplicaSet'),
  ],
  validateChange: ({ spec }, old) => validateImmutable(spec?.selector, old.spec?.selector, specPath.child('selector')),
  fieldSelectors: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
}

const templateGeneration = 'deprecated.daemonset.template.generation'

export const daemonSetRules: Partial<Definition<DaemonSet>> = {
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
  prepareForUpdate({ spec, metadata }, old) {
    const before = Number(old.metadata.annotations?.[templateGeneration] ?? 1)
    const changed = !isDeepStrictEqual(spec?.template, old.spec?.template)
    metadata.annotations = { ...metadata.annotations, [templateGeneration]: String(changed ? before + 1 : before) }
  },
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    const strategy = specPath.child('updateStrategy')
    return [
      ...validateSelected(spec.selector, spec.template, 'daemonset'),
      ...validateTemplate(spec.template, 'DaemonSet'),
      ...validateNonnegative(spec.minReadySeconds, specPath.child('minReadySeconds')),
      ...(spec.updateStrategy?.type === 'RollingUpdate' || spec.updateStrategy?.type === 'OnDelete'
        ? []
        : [notSupported(strategy, { Type: spec.updateStrategy?.type, RollingUpdate: null }, ['RollingUpdate', 'OnDelete'])]),
      ...(spec.updateStrategy?.type === 'RollingUpdate'
        ? validateRolling(spec.updateStrategy.rollingUpdate ?? {}, strategy.child('rollingUpdate'))
        : []),
    ]
  },
  validateChange: ({ spec }, old) => validateImmutable(spec?.selector, old.spec?.selector, specPath.child('selector')),
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
  name: dnsLabel,
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
      claim.apiVersion ??= 'v1'
      claim.kind ??= 'PersistentVolumeClaim'
      if (claim.spec) defaultPersistentVolumeClaimSpec(claim.spec)
      claim.status ??= {}
      claim.status.phase ??= 'Pending'
    }
  },
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    const policy = spec.podManagementPolicy
    return [
      ...(policy === 'OrderedReady' || policy === 'Parallel'
        ? []
        : [invalid(specPath.child('podManagementPolicy'), policy, "must be 'OrderedReady' or 'Parallel'")]),
      ...validateUpdateStrategy(spec.updateStrategy?.type, specPath.child('updateStrategy')),
      ...validateNonnegative(spec.replicas, specPath.child('replicas')),
      ...validateSelected(spec.selector, spec.template, 'statefulset'),
      ...validateTemplate(spec.template, 'StatefulSet'),
    ]
  },
  validateChange({ spec }, old) {
    const rest = (source: object | undefined) =>
      Object.fromEntries(Object.entries(source ?? {}).filter(([key]) => !statefulSetMutable.includes(key)))
    if (isDeepStrictEqual(rest(spec), rest(old.spec))) return []
    return [
      forbidden(
        specPath,
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ),
    ]
  },
}

export const replicationControllerRules: Partial<Definition<ReplicationController>> = {
  default(controller) {
    const { spec, metadata } = controller
    if (!spec) return
    spec.replicas ??= 1
    const labels = spec.template?.metadata?.labels
    if (labels) {
      spec.selector ??= { ...labels }
      metadata.labels ??= { ...labels }
    }
    if (spec.template) defaultPodTemplate(spec.template)
  },
  validate({ spec }) {
    const errors = validateNonnegative(spec?.replicas, specPath.child('replicas'))
    if (!Object.keys(spec?.selector ?? {}).length) errors.push(required(specPath.child('selector')))
    return [...errors, ...validateTemplate(spec?.template, 'ReplicationController')]
  },
}

function validateUpdateStrategy(type: string | undefined, path: Path): FieldError[] {
  if (!type) return [required(path)]
  return type === 'RollingUpdate' || type === 'OnDelete'
    ? []
    : [invalid(path, { Type: type, RollingUpdate: null }, "must be 'RollingUpdate' or 'OnDelete'")]
}

/** A selector that is there, is not empty and selects the template. */
function validateSelected(selector: LabelSelector | null | undefined, template: PodTemplateSpec | undefined, owner: string): FieldError[] {
  const path = specPath.child('selector')
  const labels = template?.metadata?.labels
  const errors = selector ? validateLabelSelector(selector, path) : [required(path)]
  if (selector && !Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length) {
    return [...errors, invalid(path, selector, `empty selector is invalid for ${owner}`)]
  }
  if (errors.length > 0 && selector) return [...errors, invalid(path, selector, 'invalid label selector')]
  if (!selectorMatches(selector ?? undefined, labels)) {
    errors.push(invalid(specPath.child('template', 'metadata', 'labels'), labels ?? null, '`selector` does not match template `labels`'))
  }
  return errors
}

function validateTemplate(template: PodTemplateSpec | undefined, owner: string): FieldError[] {
  const path = specPath.child('template')
  if (!template) return [required(path)]
  const errors = validatePodTemplate(template, path)
  const policy = template.spec?.restartPolicy
  if (policy !== undefined && policy !== 'Always') errors.push(notSupported(path.child('spec', 'restartPolicy'), policy, ['Always']))
  if (template.spec?.activeDeadlineSeconds !== undefined) {
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
