import type { CronJob, Job, JobSpec } from '../../schema/types/batch.v1.ts'
import type { Definition } from '../define.ts'
import { type FieldError, invalid, type Path, required, specPath } from '../field.ts'
import { validateEnum, validateImmutable, validateNonnegative } from '../metadata.ts'
import { dnsSubdomain } from '../names.ts'
import { defaultPodTemplate } from '../pod-defaults.ts'
import { validatePodTemplate } from '../pod-validation.ts'

/** pkg/apis/batch/v1/defaults.go, pkg/registry/batch/job/strategy.go. */
export const jobRules: Partial<Definition<Job>> = {
  default(job) {
    if (!job.spec) return
    defaultJobSpec(job.spec)
    const labels = job.spec.template.metadata?.labels
    if (labels && !job.metadata.labels) job.metadata.labels = { ...labels }
  },
  prepareForCreate(job) {
    const { spec, metadata } = job
    if (!spec || spec.manualSelector) return
    const uid = metadata.uid ?? ''
    const labels = ((spec.template.metadata ??= {}).labels ??= {})
    Object.assign(labels, {
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': metadata.name,
      'controller-uid': uid,
      'job-name': metadata.name,
    })
    const selector = (spec.selector ??= {})
    selector.matchLabels = { ...selector.matchLabels, 'batch.kubernetes.io/controller-uid': uid }
  },
  validate: ({ spec }) => (spec ? validateJobSpec(spec, specPath) : [required(specPath)]),
  validateChange({ spec }, old) {
    const before = old.spec
    const suspended = before?.suspend === true && !old.status?.startTime
    const kept =
      spec?.completionMode === 'Indexed'
        ? (['selector', 'completionMode'] as const)
        : (['completions', 'selector', 'completionMode'] as const)
    return [
      ...kept.flatMap((field) => validateImmutable(spec?.[field], before?.[field], specPath.child(field))),
      ...(suspended ? [] : validateImmutable(spec?.template, before?.template, specPath.child('template'))),
    ]
  },
  fieldSelectors: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
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
  validate({ spec }) {
    if (!spec) return [required(specPath)]
    const schedule = specPath.child('schedule')
    const errors = spec.schedule
      ? scheduleProblems(spec.schedule).map((text) => invalid(schedule, spec.schedule, text))
      : [required(schedule)]
    if (spec.timeZone !== undefined && !isTimeZone(spec.timeZone)) {
      errors.push(invalid(specPath.child('timeZone'), spec.timeZone, `unknown time zone ${spec.timeZone}`))
    }
    return [
      ...errors,
      ...validateNonnegative(spec.startingDeadlineSeconds, specPath.child('startingDeadlineSeconds')),
      ...validateEnum(spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace'], specPath.child('concurrencyPolicy')),
      ...validateNonnegative(spec.successfulJobsHistoryLimit, specPath.child('successfulJobsHistoryLimit')),
      ...validateNonnegative(spec.failedJobsHistoryLimit, specPath.child('failedJobsHistoryLimit')),
      ...validateJobSpec(spec.jobTemplate?.spec ?? { template: { metadata: {} } }, specPath.child('jobTemplate', 'spec')),
    ]
  },
}

function defaultJobSpec(spec: JobSpec): void {
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1
  spec.parallelism ??= 1
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : 2147483647
  spec.completionMode ??= 'NonIndexed'
  spec.suspend ??= false
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed'
  spec.manualSelector ??= false
  defaultPodTemplate(spec.template)
}

function validateJobSpec(spec: JobSpec, path: Path): FieldError[] {
  const numbers = ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished'] as const
  const errors = numbers.flatMap((field) => validateNonnegative(spec[field], path.child(field)))
  if (spec.completionMode === 'Indexed' && spec.completions === undefined) {
    errors.push(required(path.child('completions'), 'when completion mode is Indexed'))
  }
  errors.push(...validatePodTemplate(spec.template, path.child('template')))
  const policy = spec.template?.spec?.restartPolicy
  if (policy !== 'OnFailure' && policy !== 'Never') {
    errors.push(required(path.child('template', 'spec', 'restartPolicy'), 'valid values: "OnFailure", "Never"'))
  }
  return errors
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
  if (/^(?:CRON_)?TZ=/.test(schedule)) return ['cannot use TZ or CRON_TZ in schedule, use timeZone field instead']
  if (schedule.startsWith('@')) {
    if (/^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/.test(schedule)) return []
    if (/^@every (\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(schedule)) return []
    return [`unrecognized descriptor: ${schedule}`]
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

function isTimeZone(name: string): boolean {
  try {
    return name !== '' && new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}
