import type { PodSpec } from '../schema/types/core.v1.ts'
import { goShape } from './go-shape.ts'
import { unifiedDiff } from './unified-diff.ts'

/** The unified diff that the API server shows for a refused change of a pod: Go's fields, unset ones as null. */
export function podSpecDiff(before: PodSpec, after: PodSpec): string {
  return specDiff(before, after, 'core.v1.PodSpec')
}

/** The same for another type of spec. */
export function specDiff(before: unknown, after: unknown, type: string): string {
  const lines = (spec: unknown) => JSON.stringify(goShape(spec, type), undefined, 1).split('\n')
  return unifiedDiff(lines(before), lines(after))
}
