import type { Rejection } from './filter.ts'

/** "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable." */
export function fitMessage(nodes: number, rejected: ReadonlyMap<string, Rejection>, refused?: Rejection): string {
  const start = `0/${nodes} nodes are available:`
  if (refused) return `${start} ${refused.reasons.join(', ')}.`
  const counts = new Map<string, number>()
  for (const { reasons } of rejected.values()) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const parts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort(byBytes)
  return parts.length > 0 ? `${start} ${parts.join(', ')}.` : start
}

/**
 * The whole sentence of a failed attempt. What follows the first part comes from the plugins that run afterwards: the one
 * for resource claims has nothing to free, or no state to look at when the Pod was refused before it; then preemption.
 */
export function failureMessage(
  nodes: number,
  rejected: ReadonlyMap<string, Rejection>,
  refused: Rejection | undefined,
  preemption: string | undefined,
): string {
  const first = fitMessage(nodes, rejected, refused)
  if (refused) return `${first} not found`
  return preemption === undefined ? first : `${first} no new claims to deallocate, preemption: ${preemption}`
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
