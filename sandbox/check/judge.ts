import type { CriterionVerdict, Evidence, LabDefinition, Outcome, TaskVerdict, Verdict } from './kit.ts'

/**
 * A judge that threw: a fault of the lab, logged for the operator.
 * Instructors find it in the submission (`faulty`) and can give the points.
 */
export interface JudgeFault {
  criterion: string
  error: unknown
}

/** Runs every criterion's judge over the evidence. Pure, apart from telling of faults. */
export function judge(
  lab: LabDefinition,
  evidence: Evidence,
  onFault: (fault: JudgeFault) => void,
): { verdict: Verdict; until: number | null } {
  let until: number | null = null
  const tasks = lab.tasks.map((task): TaskVerdict => {
    const criteria = task.criteria.map((criterion): CriterionVerdict => {
      const outcome = outcomeOf(
        () => criterion.judge(evidence),
        (error) => onFault({ criterion: `${task.id}/${criterion.id}`, error }),
      )
      if (outcome.state === 'waiting' && outcome.until !== undefined) until = Math.min(until ?? Number.POSITIVE_INFINITY, outcome.until)
      const { id, points: maxPoints, label, why } = criterion
      const points =
        outcome.state === 'pass' ? maxPoints : outcome.state === 'not-yet' ? Math.min(maxPoints, Math.max(0, outcome.points ?? 0)) : 0
      return {
        ...{ id, state: outcome.state, points, maxPoints, label, why },
        ...('expected' in outcome ? { expected: outcome.expected } : {}),
        ...(outcome.observed ? { observed: outcome.observed } : {}),
        ...('hint' in outcome && outcome.hint !== undefined ? { hint: outcome.hint } : {}),
        ...(outcome === broken ? { faulty: true } : {}),
      }
    })
    return { id: task.id, state: stateOf(criteria), points: sum(criteria, 'points'), maxPoints: sum(criteria, 'maxPoints'), criteria }
  })
  return { verdict: { time: evidence.time, points: sum(tasks, 'points'), maxPoints: sum(tasks, 'maxPoints'), tasks }, until }
}

function outcomeOf(run: () => Outcome, onFault: (error: unknown) => void): Outcome {
  try {
    return run()
  } catch (error) {
    onFault(error)
    return broken
  }
}

const broken: Outcome = {
  state: 'waiting',
  expected: { en: 'The check can be run', zh: '检查能够执行' },
  observed: {
    en: 'The check itself failed: this is no mistake of yours. When you hand in, your instructor sees it and can give you the points.',
    zh: '检查程序本身出错了，并不是你做错了。提交后教师会看到这一点，可以为你补上分数。',
  },
}

function stateOf(criteria: readonly CriterionVerdict[]): Outcome['state'] {
  if (criteria.some((criterion) => criterion.state === 'not-yet')) return 'not-yet'
  return criteria.some((criterion) => criterion.state === 'waiting') ? 'waiting' : 'pass'
}

function sum<K extends 'points' | 'maxPoints'>(parts: readonly Record<K, number>[], key: K): number {
  return parts.reduce((total, part) => total + part[key], 0)
}
