import { isDeepStrictEqual } from 'node:util'
import type { Job, JobStatus } from '../../schema/types/batch.v1.ts'
import { duplicate, type FieldError, invalid, invalidUnshown, Path, required } from '../field.ts'
import { notBelowZero } from './workload-status.ts'

const path = new Path('status')
const at = (field: string) => path.child(field)

/**
 * What is wrong with a Job's new status. What has not changed is let be, so that a status which was wrong before may be put right.
 * Source: getStatusValidationOptions in pkg/registry/batch/job, ValidateJobStatusUpdate in pkg/apis/batch/validation.
 */
export function validateJobStatus(job: Job, old: Job): FieldError[] {
  const { status = {}, spec } = job
  const before = old.status ?? {}
  const changed = (...fields: (keyof JobStatus)[]) => fields.some((field) => !isDeepStrictEqual(status[field], before[field]))
  const turned = (...types: string[]) => types.some((type) => isTrue(status, type) !== isTrue(before, type))
  const finished = isFinished(status)
  const finishing = finished !== isFinished(before)
  const { active = 0, ready, terminating = 0, startTime, completionTime, uncountedTerminatedPods: uncounted } = status
  const errors = [
    ...notBelowZero(status, ['active', 'succeeded', 'failed', 'ready', 'terminating']),
    ...uncountedErrors(status),
    ...conditionErrors(status, spec?.successPolicy !== undefined, turned, changed('failedIndexes')),
  ]
  if ((turned('Complete') || changed('completionTime')) && completionTime && !isTrue(status, 'Complete')) {
    errors.push(invalid(at('completionTime'), completionTime, 'cannot set completionTime when there is no Complete=True condition'))
  }
  if ((turned('Complete') || changed('completionTime')) && !completionTime && isTrue(status, 'Complete')) {
    errors.push(required(at('completionTime'), 'completionTime is required for Complete jobs'))
  }
  if (changed('startTime', 'completionTime') && startTime && completionTime && Date.parse(completionTime) < Date.parse(startTime)) {
    errors.push(invalid(at('completionTime'), completionTime, 'must be equal to or after `startTime`'))
  }
  if ((finishing || changed('active')) && active > 0 && finished) {
    errors.push(invalid(at('active'), active, 'active>0 is invalid for finished job'))
  }
  const isIdle = spec?.suspend === true && spec.completions === 0
  if ((finishing || changed('startTime')) && !isIdle && !startTime && finished) {
    errors.push(required(at('startTime'), 'startTime is required for finished job'))
  }
  if ((finishing || changed('uncountedTerminatedPods')) && finished && (uncounted?.failed?.length || uncounted?.succeeded?.length)) {
    errors.push(invalid(at('uncountedTerminatedPods'), uncounted, 'must be empty for finished job'))
  }
  errors.push(...indexErrors(job, changed))
  if ((finishing || changed('terminating')) && terminating > 0 && finished) {
    errors.push(invalid(at('terminating'), terminating, 'terminating>0 is invalid for finished job'))
  }
  if (changed('ready', 'active') && ready !== undefined && ready > active) {
    errors.push(invalid(at('ready'), ready, 'cannot set more ready pods than active'))
  }
  return [...errors, ...transitionErrors(job, old)]
}

function transitionErrors({ status = {}, spec }: Job, old: Job): FieldError[] {
  const before = old.status ?? {}
  const errors = ['Failed', 'Complete', 'FailureTarget'].flatMap((type) =>
    isTrue(before, type) && !isTrue(status, type) ? [unshown(`cannot disable the terminal ${type}=True condition`)] : [],
  )
  const fewer = (field: 'failed' | 'succeeded') => (status[field] ?? 0) < (before[field] ?? 0)
  if (fewer('failed')) errors.push(invalid(at('failed'), status.failed ?? 0, 'cannot decrease the failed counter'))
  const isScaled = spec?.completionMode === 'Indexed' && spec.completions === spec.parallelism
  if (!isScaled && fewer('succeeded')) {
    errors.push(invalid(at('succeeded'), status.succeeded ?? 0, 'cannot decrease the succeeded counter'))
  }
  const { completionTime, startTime } = status
  if (completionTime && before.completionTime && completionTime !== before.completionTime) {
    errors.push(invalid(at('completionTime'), completionTime, 'field is immutable'))
  }
  const resumes = isTrue(before, 'Suspended') && status.conditions?.some(({ type, status: now }) => type === 'Suspended' && now === 'False')
  if (!resumes && before.startTime && startTime !== before.startTime && !spec?.suspend) {
    errors.push(required(at('startTime'), 'startTime cannot be removed for unsuspended job'))
  }
  const [met, wasMet] = [isTrue(status, criteria), isTrue(before, criteria)]
  if (wasMet && !met) errors.push(unshown('cannot disable the SuccessCriteriaMet=True condition'))
  if (isTrue(before, 'Complete') && !wasMet && met) {
    errors.push(unshown('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions'))
  }
  return errors
}

const criteria = 'SuccessCriteriaMet'

function conditionErrors(status: JobStatus, hasPolicy: boolean, turned: (...types: string[]) => boolean, failed: boolean): FieldError[] {
  const is = (type: string) => isTrue(status, type)
  const rules: [boolean, string][] = [
    [turned('Complete', 'Failed') && is('Complete') && is('Failed'), 'cannot set Complete=True and Failed=true conditions'],
    [
      turned('Complete', 'FailureTarget') && is('Complete') && is('FailureTarget'),
      'cannot set Complete=True and FailureTarget=true conditions',
    ],
    [
      (turned('Failed') || failed) && is('Failed') && !is('FailureTarget'),
      'cannot set Failed=True condition without the FailureTarget=true condition',
    ],
    [
      turned('Complete', criteria) && is('Complete') && !is(criteria),
      'cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
    ],
    [is(criteria) && is('Failed'), 'cannot set SuccessCriteriaMet=True and Failed=true conditions'],
    [is(criteria) && is('FailureTarget'), 'cannot set SuccessCriteriaMet=True and FailureTarget=true conditions'],
    [hasPolicy && !is(criteria) && is('Complete'), 'cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True'],
  ]
  return rules.flatMap(([isBroken, why]) => (isBroken ? [unshown(why)] : []))
}

function uncountedErrors({ uncountedTerminatedPods: { succeeded = [], failed = [] } = {} }: JobStatus): FieldError[] {
  const seen = new Set<string>()
  const of = (field: string, names: readonly string[]) =>
    names.flatMap((name, index) => {
      const place = at('uncountedTerminatedPods').child(field).index(index)
      if (name === '') return [invalid(place, name, 'must not be empty')]
      if (seen.has(name)) return [duplicate(place, name)]
      seen.add(name)
      return []
    })
  return [...of('succeeded', succeeded), ...of('failed', failed)]
}

function indexErrors({ status = {}, spec }: Job, changed: (...fields: (keyof JobStatus)[]) => boolean): FieldError[] {
  const { completedIndexes = '', failedIndexes } = status
  const { completions, backoffLimitPerIndex, completionMode } = spec ?? {}
  const errors: FieldError[] = []
  const [completedToo, failedToo] = [changed('completedIndexes'), changed('failedIndexes')]
  if (completedToo && completions !== undefined) {
    const why = indexProblem(completedIndexes, completions)
    if (why) errors.push(invalid(at('completedIndexes'), completedIndexes, `error parsing completedIndexes: ${why}`))
  }
  if (failedToo && completions !== undefined && backoffLimitPerIndex !== undefined && failedIndexes !== undefined) {
    const why = indexProblem(failedIndexes, completions)
    if (why) errors.push(invalid(at('failedIndexes'), failedIndexes, `error parsing failedIndexes: ${why}`))
  }
  if (completedToo && completedIndexes !== '' && completionMode !== 'Indexed') {
    const why = 'cannot set non-empty completedIndexes when non-indexed completion mode'
    errors.push(invalid(at('completedIndexes'), completedIndexes, why))
  }
  if (failedToo && backoffLimitPerIndex === undefined && failedIndexes !== undefined) {
    errors.push(invalid(at('failedIndexes'), failedIndexes, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null'))
  }
  if ((completedToo || failedToo) && completions !== undefined && failedIndexes !== undefined) {
    const shared = overlap(completedIndexes, failedIndexes, completions)
    const why = `failedIndexes and completedIndexes overlap at index: ${shared}`
    if (shared !== undefined) errors.push(invalid(at('failedIndexes'), failedIndexes, why))
  }
  return errors
}

/** From and to, or why it is neither. */
function interval(text: string, completions: number): [number, number] | string {
  const [from = '', to, more] = text.split('-')
  if (more !== undefined) {
    return `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`
  }
  for (const part of [from, to]) {
    if (part === undefined) continue
    if (!/^[+-]?\d+$/.test(part)) return `cannot convert string to integer for index: ${JSON.stringify(part)}`
    if (Number(part) >= completions) return `too large index: ${JSON.stringify(part)}`
  }
  if (to !== undefined && Number(from) >= Number(to)) return `non-increasing order, previous: ${from}, current: ${to}`
  return [Number(from), Number(to ?? from)]
}

function indexProblem(text: string, completions: number): string | undefined {
  let last: number | undefined
  for (const part of text === '' ? [] : text.split(',')) {
    const read = interval(part, completions)
    if (typeof read === 'string') return read
    if (last !== undefined && last >= read[0]) return `non-increasing order, previous: ${last}, current: ${read[0]}`
    last = read[1]
  }
  return undefined
}

function overlap(completed: string, failed: string, completions: number): number | undefined {
  const intervals = (text: string) =>
    text.split(',').flatMap((part) => [interval(part, completions)].filter((read) => typeof read !== 'string'))
  for (const [from, to] of intervals(completed)) {
    for (const [first, last] of intervals(failed)) if (from <= last && first <= to) return Math.max(from, first)
  }
  return undefined
}

function unshown(why: string): FieldError {
  return invalidUnshown(at('conditions'), why)
}

function isTrue({ conditions = [] }: JobStatus, type: string): boolean {
  return conditions.some((condition) => condition.type === type && condition.status === 'True')
}

function isFinished(status: JobStatus): boolean {
  return isTrue(status, 'Complete') || isTrue(status, 'Failed')
}
