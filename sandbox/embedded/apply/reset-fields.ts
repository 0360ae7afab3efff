import type { ResetFields } from '../registry/resource-info.ts'
import { childOf, emptySet, type FieldSet, isEmpty, recursiveDifference } from './field-set.ts'

/** Takes out of a set what a request does not write, so that nobody owns it for that and nobody loses it. */
export type OwnershipFilter = (set: FieldSet) => FieldSet

/** The filter of a resource or subresource that resets these fields. Source: structured-merge-diff, fieldpath.Filter. */
export function filterOf(reset: ResetFields | undefined): OwnershipFilter {
  if (!reset) return (set) => set
  const known = filters.get(reset)
  if (known) return known
  const made = 'all' in reset ? excluding(reset.all) : including(reset.allBut)
  filters.set(reset, made)
  return made
}

const filters = new WeakMap<ResetFields, OwnershipFilter>()

function excluding(paths: readonly string[]): OwnershipFilter {
  const excluded = emptySet()
  for (const path of paths) elementsOf(path).reduce(childOf, excluded).member = true
  return (set) => recursiveDifference(set, excluded)
}

function including(paths: readonly string[]): OwnershipFilter {
  const patterns = paths.map(elementsOf)
  return (set) => matching(set, patterns)
}

/** What lies at or below one of the paths; '*' is any element. */
function matching(set: FieldSet, patterns: readonly (readonly string[])[]): FieldSet {
  const result: FieldSet = { member: false, children: new Map() }
  for (const [element, child] of set.children) {
    const rest = patterns.filter(([first]) => first === anything || first === element).map(([, ...more]) => more)
    const inner = rest.some((path) => path.length === 0) ? child : matching(child, rest)
    if (!isEmpty(inner)) result.children.set(element, inner)
  }
  return result
}

const anything = '*'

function elementsOf(path: string): string[] {
  return path.split('.').map((name) => (name === anything ? anything : `f:${name}`))
}
