'use client'
import dynamic from 'next/dynamic'
import { type ReactNode, useEffect, useState } from 'react'
import { call } from '../../../../../client/call.ts'
import type { BenchWords, ClockWords, LeaseWords } from '../../../../../lab/words.ts'
import type { TerminalWords } from '../../../../../terminal/words.ts'

const Bench = dynamic(() => import('../../../../../lab/bench.tsx').then((module) => module.Bench), { ssr: false })

interface Props {
  lesson: string
  /** The reader's open cluster beside this lesson. */
  attempt: string | null
  /** Where to sign in, for a stranger. */
  signIn: string | null
  words: BenchWords
  terminalWords: TerminalWords
  leaseWords: LeaseWords
  clockWords: ClockWords
  locale: string
  children: ReactNode
}

/** The text, and at its side (below it in a narrow window) a terminal on a cluster to try things on. */
export function LessonBench({ lesson, attempt: start, signIn, words, terminalWords, leaseWords, clockWords, locale, children }: Props) {
  const [attempt, setAttempt] = useState(start)
  const [open, setOpen] = useState(false)
  const [fault, setFault] = useState('')
  const [busy, setBusy] = useState(false)
  const key = `bench.${lesson}`

  // After a reload the bench stands open as it was.
  useEffect(() => {
    if (start && sessionStorage.getItem(key) === 'open') setOpen(true)
  }, [start, key])

  const begin = async () => {
    if (signIn) return location.assign(signIn)
    setFault('')
    setBusy(true)
    try {
      setAttempt(attempt ?? (await call<{ id: string }>('POST', '/api/attempts', { lesson })).id)
      sessionStorage.setItem(key, 'open')
      setOpen(true)
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
    } finally {
      setBusy(false)
    }
  }
  const fold = () => {
    sessionStorage.removeItem(key)
    setOpen(false)
  }

  return (
    <div className="with-bench" data-open={open || undefined}>
      {children}
      {open && attempt ? (
        <aside className="bench" aria-label={words.label}>
          <Bench
            attempt={attempt}
            words={words}
            terminalWords={terminalWords}
            leaseWords={leaseWords}
            clockWords={clockWords}
            locale={locale}
            onFold={fold}
            onEnded={() => {
              setAttempt(null)
              fold()
            }}
          />
        </aside>
      ) : (
        <div className="bench-handle">
          <span role="alert">{fault}</span>
          <button type="button" className="button button-primary" onClick={begin} disabled={busy}>
            <svg viewBox="0 0 18 14" width="18" height="14" aria-hidden="true">
              <path d="M1 1h16v12H1zM4 4.5l3 2.500-3 2.500M9 9.500h4" fill="none" stroke="currentColor" strokeWidth="1.5" />
            </svg>
            {busy ? words.opening : attempt ? words.reopen : words.open}
          </button>
        </div>
      )}
    </div>
  )
}
