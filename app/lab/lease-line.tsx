'use client'
import { useEffect, useState } from 'react'
import type { LeaseView } from '../../platform/model.ts'
import { fill } from '../client/words.ts'
import { spoken } from '../i18n/spoken.ts'
import type { LeaseWords } from './words.ts'

/** Time left of the cluster, with the way to have more. */
export function LeaseLine({ lease, words, onExtend }: { lease: LeaseView | null; words: LeaseWords; onExtend: () => void }) {
  const minutes = useMinutesLeft(lease?.expiresAt ?? null)
  if (lease?.state !== 'ready' && lease?.state !== 'paused') return null
  return (
    <p className="lease-line" data-short={minutes !== null && minutes <= 5 ? true : undefined}>
      <small className="label">{sayEngine(lease.engine, words)}</small>
      {minutes === null ? null : <span>{fill(minutes <= 5 ? words.leftShort : words.left, { minutes })}</span>}
      {lease.extensionsLeft > 0 ? (
        <button type="button" className="bench-tool" onClick={onExtend}>
          {words.extend}
        </button>
      ) : null}
    </p>
  )
}

/** What is happening while there is no cluster to work on. */
export function LeaseWait({ lease, words, locale }: { lease: LeaseView | null; words: LeaseWords; locale: string }) {
  const ended = lease?.state === 'ended'
  return (
    <div className="lease-wait" role="status">
      {ended ? null : <span className="lease-bar" aria-hidden="true" />}
      <p>{ended ? sayEnd(lease, words, locale) : lease?.state === 'paused' ? words.paused : words.starting}</p>
      {!ended && lease?.step ? (
        <p className="label">
          {sayEngine(lease.engine, words)} · {sayStep(lease.step, words)}
        </p>
      ) : null}
    </div>
  )
}

/** An engine or a step that the site has no words for is shown as the host calls it. */
function sayEngine(engine: string, words: LeaseWords): string {
  return (words as Record<string, string>)[`on-${engine}`] ?? engine
}

function sayStep(step: string, words: LeaseWords): string {
  return (words as Record<string, string>)[`step-${step}`] ?? step
}

function sayEnd({ reason, failure }: LeaseView, words: LeaseWords, locale: string): string {
  switch (reason) {
    case 'handed-in':
      return words.endedHandedIn
    case 'expired':
      return words.endedExpired
    case 'idle':
      return words.endedIdle
    case 'ended':
    case null:
      return words.ended
    default:
      return fill(words.endedFailed, { reason: failure ? spoken(failure, locale) : reason })
  }
}

function useMinutesLeft(expiresAt: string | null): number | null {
  const [minutes, setMinutes] = useState<number | null>(null)
  useEffect(() => {
    if (!expiresAt) return setMinutes(null)
    const look = () => setMinutes(Math.max(0, Math.ceil((Date.parse(expiresAt) - Date.now()) / 60_000)))
    look()
    const timer = setInterval(look, 10_000)
    return () => clearInterval(timer)
  }, [expiresAt])
  return minutes
}
