import { isDeepStrictEqual } from 'node:util'
import { partAsStored } from '../schema/go-empty.ts'

/**
 * Whether two values say the same: a list without anything in it is none at all. Maps without anything are too where `type` tells
 * them from structures (`core.v1.PodSpec`, both of its kind). Source: apimachinery's equality.Semantic.
 */
export function semanticEqual(a: unknown, b: unknown, type?: string): boolean {
  if (a === b) return true
  if (type) return isDeepStrictEqual(partAsStored(a, type) ?? undefined, partAsStored(b, type) ?? undefined)
  return isDeepStrictEqual(withoutEmptyLists(a), withoutEmptyLists(b))
}

function withoutEmptyLists(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(withoutEmptyLists)
  if (typeof value !== 'object' || value === null) return value ?? undefined
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, field]) => {
      const kept = withoutEmptyLists(field)
      return kept === undefined ? [] : [[name, kept]]
    }),
  )
}
