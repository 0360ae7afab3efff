/** A duration in ms as Go prints it: 345ms, 1.2s, 1m20s, 5m0s. */
export function goDuration(ms: number): string {
  if (ms === 0) return '0s'
  if (ms < 1000) return `${ms}ms`
  const seconds = Number(((ms % 60_000) / 1000).toFixed(3))
  const minutes = Math.floor(ms / 60_000)
  if (minutes === 0) return `${seconds}s`
  if (minutes < 60) return `${minutes}m${seconds}s`
  return `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}s`
}
