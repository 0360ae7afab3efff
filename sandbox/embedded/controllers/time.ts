import type { ClusterContext } from '../machinery/context.ts'

/** Cluster time now as the API writes it: RFC 3339 in whole seconds. */
export function timestamp(context: ClusterContext): string {
  return formatTime(context.clock.now())
}

/** RFC 3339 in whole seconds, from ms since the epoch. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** ms since the epoch of an API time; 0 when there is none. */
export function parseTime(time: string | undefined): number {
  return time ? Date.parse(time) : 0
}
