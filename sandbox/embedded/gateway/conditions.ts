import type { Condition } from '../schema/types/meta.v1.ts'
import type { Finding } from './resolve.ts'

/** Conditions by type, with the time at which each came to be what it is. */
export function conditions(
  found: Readonly<Record<string, Finding>>,
  before: readonly Condition[] | undefined,
  observedGeneration: number | undefined,
  now: string,
): Condition[] {
  return Object.entries(found).map(([type, { status, reason, message }]) => {
    const old = before?.find((condition) => condition.type === type)
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : now
    return { type, status, reason, message, lastTransitionTime, ...(observedGeneration !== undefined && { observedGeneration }) }
  })
}
