import { isNone } from '../../schema/go-empty.ts'
import type { CronJob, Job, JobSpec } from '../../schema/types/batch.v1.ts'
import type { PodSpec, PodTemplateSpec } from '../../schema/types/core.v1.ts'
import type { Definition } from '../define.ts'
import { type FieldError, invalid, metadataPath, notSupported, type Path, required, specPath, tooLong } from '../field.ts'
import { goShape } from '../go-shape.ts'
import {
  selectorMatches,
  validateEnum,
  validateImmutable,
  validateLabelSelector,
  validateNonnegative,
  validateSubdomain,
} from '../metadata.ts'
import { dnsSubdomain, isDns1123Label } from '../names.ts'
import { defaultPodTemplate } from '../pod-defaults.ts'
import { validatePodTemplate } from '../pod-validation.ts'
import { validatePodFailurePolicy, validateSuccessPolicy } from './job-policies.ts'
import { validateJobStatus } from './job-status.ts'

/** pkg/apis/batch/v1/defaults.go, pkg/registry/batch/job/strategy.go. */
export const jobRules: Partial<Definition<Job>> = {
  validateStatus: validateJobStatus,
  default(job) {
    if (!job.spec) return
    defaultJobSpec(job.spec)
    const labels = job.spec.template.metadata?.labels
    // the same map in both places, as on the real server: what the template is given later the job has too
    if (labels && isNone(job.metadata.labels)) job.metadata.labels = labels
  },
  prepareForCreate(job) {
    const { spec, metadata } = job
    if (!spec || spec.manualSelector) return
    const uid = metadata.uid ?? ''
    const labels = ((spec.template.metadata ??= {}).labels ??= {})
    // those that its creator gives it are looked at later
    labels['job-name'] ??= metadata.name ?? ''
    labels['batch.kubernetes.io/job-name'] ??= metadata.name ?? ''
    labels['controller-uid'] ??= uid
    labels['batch.kubernetes.io/controller-uid'] ??= uid
    // read back from the store the job is given its template's labels, where it has none
    if (isNone(metadata.labels)) metadata.labels = labels
    const selector = (spec.selector ??= {})
    const matched = {
      ...selector.matchLabels,
      'batch.kubernetes.io/controller-uid': selector.matchLabels?.['batch.kubernetes.io/controller-uid'] ?? uid,
    }
    selector.matchLabels = Object.fromEntries(Object.entries(matched).sort(([a], [b]) => (a < b ? -1 : 1)))
  },
  podSpec: ({ spec }) => spec?.template?.spec,
  validate({ spec, metadata }) {
    if (!spec) return [required(specPath)]
    const errors = validateJobSpec(spec, specPath)
    const { selector, template, completions = 0 } = spec
    const at = specPath.child('selector')
    const labels = template?.metadata?.labels
    const wrong = validateLabelSelector(selector, at)
    errors.push(...(selector ? wrong : [required(at)]))
    if (wrong.length === 0 && !selectorMatches(selector, labels)) {
      const place = specPath.child('template', 'metadata', 'labels')
      errors.push(invalid(place, labels ? byKey(labels) : null, '`selector` does not match template `labels`'))
    }
    const host = `${metadata.name ?? ''}-${completions - 1}`
    if (spec.completionMode === 'Indexed' && completions > 0 && isDns1123Label(host).length > 0) {
      errors.push(invalid(metadataPath.child('name'), metadata.name ?? '', `will not able to create pod with invalid DNS label: ${host}`))
    }
    return errors
  },
  validateFirst: (job) => generatedSelectorErrors(job),
  validateChange(job, old) {
    const { spec } = job
    const before = old.spec
    const known = before?.template?.metadata?.labels ?? {}
    const notStarted = before?.suspend === true && !old.status?.startTime
    const same = (field: keyof JobSpec, type?: string) => validateImmutable(spec?.[field], before?.[field], specPath.child(field), type)
    const template = notStarted ? withDirectives(before.template, spec?.template) : before?.template
    return [
      ...generatedSelectorErrors(
        job,
        prefixed.every((key) => key in known),
      ),
      ...(spec?.completionMode === 'Indexed' ? changedCompletions(spec, before) : same('completions')),
      ...same('selector', 'meta.v1.LabelSelector'),
      ...validateImmutable(spec?.template, template, specPath.child('template'), 'core.v1.PodTemplateSpec'),
      ...same('completionMode'),
      ...same('podFailurePolicy', 'batch.v1.PodFailurePolicy'),
      ...same('backoffLimitPerIndex'),
      ...same('managedBy'),
      ...same('successPolicy', 'batch.v1.SuccessPolicy'),
    ]
  },
  fieldSelectors: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
}

/**
 * A selector that was generated must be there as it was generated, and the template have the labels that it selects. Jobs from
 * before the labels had a prefix need only those without.
 */
function generatedSelectorErrors({ spec, metadata }: Job, isPrefixed = true): FieldError[] {
  if (!spec?.selector || spec.manualSelector) return []
  const { uid = '', name = '' } = metadata
  const legacy = { 'controller-uid': uid, 'job-name': name }
  const own = { 'batch.kubernetes.io/controller-uid': uid, 'batch.kubernetes.io/job-name': name }
  const expected = isPrefixed ? { ...legacy, ...own } : legacy
  const labels = spec.template?.metadata?.labels ?? {}
  const at = specPath.child('template', 'metadata', 'labels')
  const errors = Object.entries(expected).flatMap(([key, value]) => {
    if (!(key in labels)) return [required(at.key(key), `must be '${value}'`)]
    return labels[key] === value ? [] : [invalid(at.key(key), labels, `must be '${value}'`)]
  })
  const readable = validateLabelSelector(spec.selector, specPath).length === 0
  if (!readable || selectorMatches(spec.selector, expected)) return errors
  const { matchLabels } = spec.selector
  const shown = { ...spec.selector, ...(matchLabels && { matchLabels: byKey(matchLabels) }) }
  return [...errors, invalid(specPath.child('selector'), shown, '`selector` not auto-generated')]
}

/** As Go writes a map. */
function byKey(map: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const prefixed = ['batch.kubernetes.io/controller-uid', 'batch.kubernetes.io/job-name']

/** Of indexed Jobs the completions change with the parallelism. */
function changedCompletions({ completions, parallelism }: JobSpec, before: JobSpec | undefined): FieldError[] {
  if (completions === undefined || completions === before?.completions || completions === parallelism) return []
  return [invalid(specPath.child('completions'), completions, 'can only be modified in tandem with spec.parallelism')]
}

/** A template with what says where its Pods go taken from another, which a Job may change until it has started. */
function withDirectives(template: PodTemplateSpec, next: PodTemplateSpec | undefined): PodTemplateSpec {
  const { labels, annotations } = next?.metadata ?? {}
  const { nodeSelector, tolerations, schedulingGates, affinity } = next?.spec ?? ({} as Partial<PodSpec>)
  const { nodeAffinity: _, ...pods } = template.spec?.affinity ?? {}
  const moved = { ...pods, ...(affinity?.nodeAffinity && { nodeAffinity: affinity.nodeAffinity }) }
  const cleared = affinity === undefined && Object.keys(pods).length === 0
  const given = {
    metadata: { ...template.metadata, labels, annotations },
    spec: { ...template.spec, nodeSelector, tolerations, schedulingGates, affinity: cleared ? undefined : moved },
  }
  // what neither has is not there, instead of being undefined
  return JSON.parse(JSON.stringify(given)) as PodTemplateSpec
}

export const cronJobRules: Partial<Definition<CronJob>> = {
  name: (name, prefix) => [...dnsSubdomain(name, prefix), ...(!prefix && name.length > 52 ? ['must be no more than 52 characters'] : [])],
  default({ spec }) {
    if (!spec) return
    spec.concurrencyPolicy ??= 'Allow'
    spec.suspend ??= false
    spec.successfulJobsHistoryLimit ??= 3
    spec.failedJobsHistoryLimit ??= 1
    const job = spec.jobTemplate?.spec
    if (job) defaultPodTemplate(job.template)
  },
  podSpec: ({ spec }) => spec?.jobTemplate?.spec?.template?.spec,
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    const schedule = specPath.child('schedule')
    const errors = spec.schedule
      ? scheduleProblems(spec.schedule).map((text) => invalid(schedule, spec.schedule, text))
      : [required(schedule)]
    if (spec.timeZone === '') errors.push(invalid(specPath.child('timeZone'), '', 'timeZone must be nil or non-empty string'))
    else if (spec.timeZone?.toLowerCase() === 'local') {
      const what = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'
      errors.push(invalid(specPath.child('timeZone'), spec.timeZone, what))
    } else if (spec.timeZone !== undefined && !isTimeZone(spec.timeZone)) {
      errors.push(invalid(specPath.child('timeZone'), spec.timeZone, `unknown time zone ${spec.timeZone}`))
    }
    return [
      ...errors,
      ...validateNonnegative(spec.startingDeadlineSeconds, specPath.child('startingDeadlineSeconds')),
      ...validateEnum(spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace'], specPath.child('concurrencyPolicy')),
      ...validateNonnegative(spec.successfulJobsHistoryLimit, specPath.child('successfulJobsHistoryLimit')),
      ...validateNonnegative(spec.failedJobsHistoryLimit, specPath.child('failedJobsHistoryLimit')),
      ...validateJobTemplate(spec.jobTemplate?.spec, specPath.child('jobTemplate', 'spec')),
    ]
  },
}

function defaultJobSpec(spec: JobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1
  spec.parallelism ??= 1
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2147483647
  spec.completionMode ??= 'NonIndexed'
  spec.suspend ??= false
  for (const rule of spec.podFailurePolicy?.rules ?? []) for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True'
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed'
  spec.manualSelector ??= false
  for (const { onPodConditions = [] } of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of onPodConditions) pattern.status ||= 'True'
  }
  defaultPodTemplate(spec.template)
}

/** The job of a CronJob: its selector is not its own to choose. */
function validateJobTemplate(spec: JobSpec = { template: { metadata: {} } }, path: Path): FieldError[] {
  const errors = validateJobSpec(spec, path)
  if (spec.manualSelector) errors.push(notSupported(path.child('manualSelector'), true, ['nil', 'false']))
  return spec.selector ? [...errors, invalid(path.child('selector'), spec.selector, '`selector` will be auto-generated')] : errors
}

/** Source: validateJobSpec in pkg/apis/batch/validation. */
function validateJobSpec(spec: JobSpec, path: Path): FieldError[] {
  const { completionMode, completions, parallelism = 0, maxFailedIndexes, backoffLimitPerIndex, managedBy } = spec
  const at = (name: string) => path.child(name)
  const numbers = ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished'] as const
  const errors = [...numbers, 'backoffLimitPerIndex' as const, 'maxFailedIndexes' as const].flatMap((field) =>
    validateNonnegative(spec[field], at(field)),
  )
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined) {
    errors.push(required(at('backoffLimitPerIndex'), 'when maxFailedIndexes is specified'))
  }
  if (managedBy !== undefined) {
    errors.push(...isDomainPrefixedPath(managedBy, at('managedBy')))
    if (managedBy.length > 63) errors.push(tooLong(at('managedBy'), 63))
  }
  errors.push(...validateEnum(completionMode, ['NonIndexed', 'Indexed'], at('completionMode')))
  if (completionMode === 'Indexed') {
    const most = 'must be less than or equal to'
    if (completions === undefined) errors.push(required(at('completions'), 'when completion mode is Indexed'))
    if (parallelism > 100_000) {
      errors.push(invalid(at('parallelism'), parallelism, `${most} 100000 when completion mode is Indexed`))
    }
    if (maxFailedIndexes !== undefined && completions !== undefined && maxFailedIndexes > completions) {
      errors.push(invalid(at('maxFailedIndexes'), maxFailedIndexes, `${most} completions`))
    }
    if (maxFailedIndexes !== undefined && maxFailedIndexes > 100_000) {
      errors.push(invalid(at('maxFailedIndexes'), maxFailedIndexes, `${most} 100000`))
    }
    if (completions !== undefined && completions > 100_000 && backoffLimitPerIndex !== undefined) {
      const why = `${most} 10000 when completions are above 100000 and used with backoff limit per index`
      if (maxFailedIndexes === undefined) {
        errors.push(required(at('maxFailedIndexes'), 'must be specified when completions is above 100000'))
      }
      if (parallelism > 10_000) errors.push(invalid(at('parallelism'), parallelism, why))
      if (maxFailedIndexes !== undefined && maxFailedIndexes > 10_000) errors.push(invalid(at('maxFailedIndexes'), maxFailedIndexes, why))
    }
  }
  if (completionMode === undefined || completionMode === 'NonIndexed') {
    for (const field of ['backoffLimitPerIndex', 'maxFailedIndexes'] as const) {
      if (spec[field] !== undefined) errors.push(invalid(at(field), spec[field], 'requires indexed completion mode'))
    }
  }
  if (spec.podFailurePolicy) errors.push(...validatePodFailurePolicy(spec, at('podFailurePolicy')))
  if (spec.successPolicy && completionMode === 'Indexed') errors.push(...validateSuccessPolicy(spec, at('successPolicy')))
  else if (spec.successPolicy) {
    errors.push(invalid(at('successPolicy'), goShape(spec.successPolicy, 'batch.v1.SuccessPolicy'), 'requires indexed completion mode'))
  }
  const replacements = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed']
  errors.push(...validateEnum(spec.podReplacementPolicy, replacements, at('podReplacementPolicy')))
  errors.push(...validatePodTemplate(spec.template ?? { metadata: {} }, at('template')))
  const policy = spec.template?.spec?.restartPolicy ?? ''
  const place = path.child('template', 'spec', 'restartPolicy')
  if (policy === '' || policy === 'Always') errors.push(required(place, 'valid values: "OnFailure", "Never"'))
  else if (policy !== 'OnFailure' && policy !== 'Never') errors.push(notSupported(place, policy, ['OnFailure', 'Never']))
  else if (spec.podFailurePolicy && policy !== 'Never') {
    errors.push(invalid(place, policy, 'only "Never" is supported when podFailurePolicy is specified'))
  }
  return errors
}

/** A domain, a slash and a path. */
function isDomainPrefixedPath(value: string, path: Path): FieldError[] {
  if (!value) return [required(path)]
  const slash = value.indexOf('/')
  if (slash <= 0 || slash === value.length - 1) return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
  const domain = value.slice(0, slash)
  const rest = value.slice(slash + 1)
  const errors = validateSubdomain(domain, path)
  return /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(rest) ? errors : [...errors, invalid(path, rest, 'Invalid path')]
}

const ranges: [string, number, number][] = [
  ['minute', 0, 59],
  ['hour', 0, 23],
  ['day of month', 1, 31],
  ['month', 1, 12],
  ['day of week', 0, 6],
]
const names = [
  'jan',
  'feb',
  'mar',
  'apr',
  'may',
  'jun',
  'jul',
  'aug',
  'sep',
  'oct',
  'nov',
  'dec',
  'sun',
  'mon',
  'tue',
  'wed',
  'thu',
  'fri',
  'sat',
]

/** The words are those of github.com/robfig/cron, which the API server parses schedules with. */
function scheduleProblems(schedule: string): string[] {
  const [, zone, inZone = ''] = /^(?:CRON_)?TZ=(\S*)\s+(.*)$/.exec(schedule) ?? []
  if (zone !== undefined) {
    const unknown = zone !== '' && zone !== 'Local' && !isTimeZone(zone)
    const problems = unknown ? [`provided bad location ${zone}: unknown time zone ${zone}`] : scheduleProblems(inZone)
    return [...problems, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead']
  }
  if (schedule.startsWith('@')) {
    if (/^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/.test(schedule)) return []
    const [, period] = /^@every (.*)$/.exec(schedule) ?? []
    if (period === undefined) return [`unrecognized descriptor: ${schedule}`]
    const problem = durationProblem(period)
    return problem ? [`failed to parse duration ${schedule}: ${problem}`] : []
  }
  const fields = schedule.split(/\s+/).filter(Boolean)
  if (fields.length !== 5) return [`expected exactly 5 fields, found ${fields.length}: [${fields.join(' ')}]`]
  for (const [index, [, low, high]] of ranges.entries()) {
    for (const part of (fields[index] ?? '').split(',')) {
      const problem = rangeProblem(part, low, high)
      if (problem) return [problem]
    }
  }
  return []
}

function rangeProblem(part: string, low: number, high: number): string | undefined {
  const [range = '', step, more] = part.split('/')
  if (more !== undefined) return `too many slashes: ${part}`
  if (step !== undefined && !/^\d+$/.test(step))
    return `failed to parse int from ${step}: strconv.Atoi: parsing ${JSON.stringify(step)}: invalid syntax`
  if (Number(step) === 0 && step !== undefined) return `step of range should be a positive number: ${part}`
  if (range === '*' || range === '?') return undefined
  const [from = '', to, rest] = range.split('-')
  if (rest !== undefined) return `too many hyphens: ${part}`
  const numbers = [from, ...(to === undefined ? [] : [to])].map((text) =>
    names.includes(text.toLowerCase()) ? low : /^\d+$/.test(text) ? Number(text) : text,
  )
  const bad = numbers.find((value) => typeof value === 'string')
  if (bad !== undefined) return `failed to parse int from ${bad}: strconv.Atoi: parsing ${JSON.stringify(bad)}: invalid syntax`
  const [start = 0, end = start] = numbers as number[]
  if (start < low) return `beginning of range (${start}) below minimum (${low}): ${part}`
  if (end > high) return `end of range (${end}) above maximum (${high}): ${part}`
  return start > end ? `beginning of range (${start}) beyond end of range (${end}): ${part}` : undefined
}

/** Source: time.ParseDuration. */
function durationProblem(text: string): string | undefined {
  const shown = JSON.stringify(text)
  const [, amount = '', unit = ''] = /^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*(\d+\.?\d*|\.\d+)?([^\d.]*)/.exec(text) ?? []
  if (/^[-+]?0$/.test(text) || /^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) return undefined
  if (amount === '') return `time: invalid duration ${shown}`
  return unit === '' ? `time: missing unit in duration ${shown}` : `time: unknown unit ${JSON.stringify(unit)} in duration ${shown}`
}

/** A name of the zone database; an offset, which JavaScript takes too, is none. */
function isTimeZone(name: string): boolean {
  try {
    return /^[A-Za-z]/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}
