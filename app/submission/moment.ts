/** A moment of an attempt, in real time, as the recordings of its terminals have it. */

const prefix = '#at-'

/** The fragment that leads to a moment (ms since the epoch) on the page of its submission. */
export function momentHash(at: number): string {
  return `${prefix}${at}`
}

/** The moment that a fragment leads to, or null. */
export function momentOf(hash: string): number | null {
  const at = Number(hash.startsWith(prefix) ? hash.slice(prefix.length) : Number.NaN)
  return Number.isFinite(at) ? at : null
}

/**
 * Where a moment is among recordings (asciicast v2): the one that showed something closest to it, and the second in it. Null when
 * none has shown anything. Lines that cannot be read (a last one that was torn off) are passed over.
 */
export function findMoment(recordings: readonly string[], at: number): { index: number; second: number } | null {
  let best: { index: number; second: number; distance: number } | null = null
  for (const [index, recording] of recordings.entries()) {
    const [header = '', ...lines] = recording.split('\n')
    const { timestamp } = (parse(header) ?? {}) as { timestamp?: number }
    if (timestamp === undefined) continue
    const second = (at - timestamp * 1000) / 1000
    for (const line of lines) {
      const event = parse(line)
      if (!Array.isArray(event) || event[1] !== 'o') continue
      const distance = Math.abs(event[0] - second)
      if (!best || distance < best.distance) best = { index, second: Math.max(0, second), distance }
    }
  }
  return best && { index: best.index, second: best.second }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
