/**
 * Freezes a value of JSON deeply and lets it share every part that is equal to `previous` (which is frozen already), so
 * that a version of an object costs only what changed. Returns `previous` itself when nothing did. A frozen part is
 * taken to be frozen to the bottom.
 */
export function freezeSharing<T>(value: T, previous?: unknown): T {
  if (typeof value !== 'object' || value === null || value === previous) return value
  if (Array.isArray(value)) return freezeArray(value, previous) as T
  return freezeObject(value as Record<string, unknown>, previous) as T
}

/** Whether two values of JSON say the same; the order of keys doesn't matter, an undefined field is an absent one. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => deepEqual(item, b[index]))
  }
  if (Array.isArray(b)) return false
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  for (const key in left) if (!deepEqual(left[key], right[key])) return false
  for (const key in right) if (right[key] !== undefined && left[key] === undefined) return false
  return true
}

function freezeArray(value: unknown[], previous: unknown): unknown[] {
  const before = Array.isArray(previous) ? previous : undefined
  if (Object.isFrozen(value)) return before && deepEqual(value, before) ? before : value
  let same = before?.length === value.length
  for (let index = 0; index < value.length; index++) {
    const part = freezeSharing(value[index], before?.[index])
    value[index] = part
    same &&= part === before?.[index]
  }
  return same ? (before as unknown[]) : (Object.freeze(value) as unknown[])
}

function freezeObject(value: Record<string, unknown>, previous: unknown): Record<string, unknown> {
  const before =
    typeof previous === 'object' && previous !== null && !Array.isArray(previous) ? (previous as Record<string, unknown>) : undefined
  if (Object.isFrozen(value)) return before && deepEqual(value, before) ? before : value
  let same = before !== undefined
  let count = 0
  for (const key in value) {
    const part = value[key]
    if (part === undefined) {
      delete value[key]
      continue
    }
    count++
    const frozen = freezeSharing(part, before?.[key])
    value[key] = frozen
    same &&= frozen === before?.[key]
  }
  if (same && before && count === Object.keys(before).length) return before
  return Object.freeze(value)
}
