import type { BackOffEntry } from './pod-record.ts'

/** Restarts and pulls wait 10 s, then twice as long each time, 5 minutes at most. */
const initialDelay = 10_000
const longestDelay = 300_000

/** Counts one more failure at `eventTime` (ms): the delay doubles, and starts anew after ten quiet minutes. */
export function nextBackOff(entries: Record<string, BackOffEntry>, key: string, eventTime: number, now: number): void {
  const entry = entries[key]
  const delay = !entry || expired(entry, eventTime) ? initialDelay : Math.min(entry.delay * 2, longestDelay)
  entries[key] = { delay, updatedAt: now }
}

/** How much of the back-off since `eventTime` is left, ms; 0 when there is none. */
export function backOffLeft(entry: BackOffEntry | undefined, eventTime: number, now: number): number {
  if (!entry || expired(entry, eventTime)) return 0
  return Math.max(0, entry.delay - (now - eventTime))
}

/** The back-off that was counted last, measured from then, ms. */
export function backOffLeftSinceUpdate(entry: BackOffEntry | undefined, now: number): number {
  return entry ? backOffLeft(entry, entry.updatedAt, now) : 0
}

function expired(entry: BackOffEntry, eventTime: number): boolean {
  return eventTime - entry.updatedAt > longestDelay * 2
}
