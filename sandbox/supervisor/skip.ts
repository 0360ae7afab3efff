import type { Sandbox } from '../engine.ts'
import type { Language, Text } from '../text.ts'
import { followClusterView } from './cluster-view.ts'

/** Time in a sandbox's cluster. */
export interface ClusterTime {
  /** Cluster time when this was told, ms since the epoch. */
  now: number
  /** By so many ms it is ahead of the machine's. */
  ahead: number
  /** Whether learners can skip it, or why they cannot. */
  skip: 'yes' | 'no-clock' | 'forbidden'
  /** While it is skipped: from where, and to where unless that is open; cluster ms. */
  skipping: { from: number; to: number | null } | null
}

export interface Skipped {
  /** Cluster ms. */
  from: number
  to: number
  /** `limit`: it is as far as one skip goes. */
  end: 'reached' | 'happened' | 'stopped' | 'limit'
}

/** How far one skip goes at most when nothing happens: cluster ms. */
const farthest = 3_600_000
/** And how long it may take: ms. A cluster with much to do has less time skipped. */
const patience = 30_000
/** How exactly it stops when something has happened: cluster ms, and farther on the part of the way that it has come. */
const lookEvery = 1_000
const lookEveryPart = 1 / 60
/** A step should take about so long that progress is seen and a stop is heard: ms. */
const stepTakes = 60
/** Cluster ms of a step: a busy machine makes each slow, whatever its length. */
const shortest = 10_000
const longest = 60_000

/**
 * Skips ahead by `ms` of cluster time, or (null) until something in the cluster's view changes. Calls back with cluster time as
 * it goes on; an abort stops it where it is. What would have happened meanwhile has happened when it resolves.
 */
export async function skipTime(
  sandbox: Sandbox,
  ms: number | null,
  onProgress: (now: number) => void,
  signal: AbortSignal,
): Promise<Skipped> {
  const watching = new AbortController()
  try {
    let dirty = false
    const noteChange = () => {
      dirty = true
    }
    const look = ms === null ? await followClusterView(sandbox, noteChange, watching.signal) : () => null
    look()
    const began = performance.now()
    const from = await sandbox.now()
    const target = from + (ms ?? farthest)
    let step = ms === null ? lookEvery : shortest
    for (let now = from; ; onProgress(now)) {
      if (now >= target) return { from, to: now, end: ms === null ? 'limit' : 'reached' }
      if (signal.aborted) return { from, to: now, end: 'stopped' }
      if (performance.now() - began > patience) return { from, to: now, end: 'limit' }
      const stepBegan = performance.now()
      await sandbox.advance?.(Math.ceil(Math.min(step, target - now)))
      now = await sandbox.now()
      if (dirty && look()) return { from, to: now, end: 'happened' }
      dirty = false
      step = ms === null ? Math.max(lookEvery, (now - from) * lookEveryPart) : paced(step, performance.now() - stepBegan)
    }
  } finally {
    watching.abort()
  }
}

function paced(step: number, took: number): number {
  return Math.min(longest, Math.max(shortest, (step * stepTakes) / Math.max(1, took)))
}

/** '1 h 2 min 3 s', of ms. */
export function sayDuration(ms: number): Text {
  const seconds = Math.round(ms / 1000)
  const parts = [
    { count: Math.floor(seconds / 3600), en: 'h', zh: '小时' },
    { count: Math.floor(seconds / 60) % 60, en: 'min', zh: '分' },
    { count: seconds % 60, en: 's', zh: '秒' },
  ].filter(({ count, en }) => count > 0 || (seconds === 0 && en === 's'))
  const say = (language: Language) => parts.map((part) => `${part.count} ${part[language]}`).join(' ')
  return { en: say('en'), zh: say('zh') }
}
