import { matchConditionsBudget } from '../cel/budget.ts'
import type { Cache } from '../machinery/context.ts'
import type { MatchResources } from '../schema/types/admissionregistration.v1.ts'
import type { AdmissionRequest } from './admission.ts'
import type { conversions } from './equivalents.ts'
import { type Match, matches } from './matching.ts'
import { type Expression, OutOfBudget, PolicyEvaluation, type Variables } from './policy-program.ts'

/**
 * The request as somebody who asked for these rules is to see it: as it is, or in an equivalent version that the rules name
 * (matchPolicy Equivalent). Undefined when it is none of theirs. Rejects with ApiError when it cannot be converted.
 */
export async function seenBy(
  cache: Cache,
  equivalents: ReturnType<typeof conversions>,
  request: AdmissionRequest,
  match: Match,
  matchPolicy: string | undefined,
): Promise<AdmissionRequest | undefined> {
  if (matches(cache, request, match)) return request
  if (matchPolicy !== 'Equivalent') return undefined
  const other = equivalents.of(request).find((one) => matches(cache, { ...request, resource: one }, match))
  return other && equivalents.convert(request, other)
}

/** A policy's constraints as matching.ts takes them; `otherwise` stands for rules that are not given. */
export function matchOf(constraints: MatchResources | undefined, otherwise?: NonNullable<Match['rules']>): Match {
  const { namespaceSelector, objectSelector, resourceRules, excludeResourceRules } = constraints ?? {}
  return {
    rules: resourceRules?.length ? resourceRules : (otherwise ?? []),
    excluded: excludeResourceRules ?? [],
    ...(namespaceSelector ? { namespaceSelector } : {}),
    ...(objectSelector ? { objectSelector } : {}),
  }
}

/** Every request, for constraints that name no rules. */
export const anyRule: NonNullable<Match['rules']> = [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*', '*/*'] }]

/**
 * Whether all match conditions hold (matchconditions/matcher.go): one that is false decides, whatever else fails; a failure
 * that counts is told in `fault`.
 */
export function conditionsHold(
  conditions: readonly Expression[],
  given: Variables,
  variables: ReadonlyMap<string, Expression> = new Map(),
): { hold: boolean; fault?: string } {
  const faults: string[] = []
  // A namespace is nothing that they are told of.
  const known: Variables = (name) => (name === 'namespaceObject' ? null : given(name))
  const evaluation = new PolicyEvaluation(known, variables, matchConditionsBudget)
  try {
    const outcomes = conditions.map((condition) => evaluation.outcome(condition))
    for (const outcome of outcomes) {
      if ('error' in outcome) faults.push(outcome.error)
      else if (outcome.value === false) return { hold: false }
    }
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error
    return { hold: false, fault: error.message }
  }
  const [first] = faults
  if (first === undefined) return { hold: true }
  return { hold: false, fault: faults.length === 1 ? first : `[${[...new Set(faults)].join(', ')}]` }
}
