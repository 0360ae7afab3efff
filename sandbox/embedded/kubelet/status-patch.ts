import type { Pod, PodStatus } from '../schema/types/core.v1.ts'

/** The merge patch that turns a pod's status into the one given; undefined when it is that already. */
export function statusPatch(pod: Pod, status: PodStatus): { metadata: { uid?: string }; status: Record<string, unknown> } | undefined {
  const old = (pod.status ?? {}) as Record<string, unknown>
  const next = status as Record<string, unknown>
  const changes: Record<string, unknown> = {}
  for (const key of new Set([...Object.keys(old), ...Object.keys(next)])) {
    if (next[key] === undefined) {
      if (old[key] !== undefined) changes[key] = null
    } else if (old[key] === undefined || !same(old[key], next[key])) {
      changes[key] = next[key]
    }
  }
  return Object.keys(changes).length > 0 ? { metadata: { uid: pod.metadata.uid }, status: changes } : undefined
}

/** Equal as JSON, whatever the order of keys; empty objects and absent ones are the same. */
function same(a: unknown, b: unknown): boolean {
  if (a === b || (isEmpty(a) && isEmpty(b))) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index]))
  }
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  for (const key in left) if (!same(left[key], right[key])) return false
  for (const key in right) if (!(key in left) && !isEmpty(right[key])) return false
  return true
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0)
}
