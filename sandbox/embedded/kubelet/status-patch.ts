import type { Pod, PodStatus } from '../schema/types/core.v1.ts'

/** The merge patch that turns a pod's status into the one given; undefined when it is that already. */
export function statusPatch(pod: Pod, status: PodStatus): { metadata: { uid?: string }; status: Record<string, unknown> } | undefined {
  const old = (pod.status ?? {}) as Record<string, unknown>
  const next = status as Record<string, unknown>
  const changes: Record<string, unknown> = {}
  for (const key of new Set([...Object.keys(old), ...Object.keys(next)])) {
    if (next[key] === undefined) {
      if (old[key] !== undefined) changes[key] = null
    } else if (!same(old[key], next[key])) {
      changes[key] = next[key]
    }
  }
  return Object.keys(changes).length > 0 ? { metadata: { uid: pod.metadata.uid }, status: changes } : undefined
}

/** Equal as JSON, whatever the order of keys; empty objects and absent ones are the same. */
function same(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b)
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part ?? undefined
    const entries = Object.entries(part).filter(([, inner]) => !isEmpty(inner))
    return Object.fromEntries(entries.sort(([x], [y]) => (x < y ? -1 : 1)))
  })
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0)
}
