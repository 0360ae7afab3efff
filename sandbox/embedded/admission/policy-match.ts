import { faultOf } from '../cel/fault.ts'
import { compile } from '../cel/index.ts'
import type { Cache } from '../machinery/context.ts'
import type { MatchCondition, MatchResources } from '../schema/types/admissionregistration.v1.ts'
import type { AdmissionRequest } from './admission.ts'
import type { conversions } from './equivalents.ts'
import { type Match, matches } from './matching.ts'

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
 * that counts is told in `faults`.
 */
export function conditionsHold(
  conditions: readonly MatchCondition[],
  variables: Readonly<Record<string, unknown>>,
): { hold: boolean; faults: string[] } {
  const faults: string[] = []
  for (const { expression } of conditions) {
    try {
      if (compile(expression)(variables) === false) return { hold: false, faults: [] }
    } catch (error) {
      faults.push(`expression '${expression}' resulted in error: ${faultOf(error)}`)
    }
  }
  return { hold: faults.length === 0, faults }
}
