'use client'
import { useState } from 'react'
import { call } from '../client/call.ts'
import { useAttempt } from '../client/use-attempt.ts'
import { Terminals } from '../terminal/terminals.tsx'
import type { TerminalWords } from '../terminal/words.ts'
import { ClusterClock } from './cluster-clock.tsx'
import { LeaseLine, LeaseWait } from './lease-line.tsx'
import { useFirstTerminal } from './use-first-terminal.ts'
import type { BenchWords, ClockWords, LeaseWords } from './words.ts'

interface Props {
  attempt: string
  words: BenchWords
  terminalWords: TerminalWords
  leaseWords: LeaseWords
  clockWords: ClockWords
  locale: string
  onFold: () => void
  onEnded: () => void
}

/** The workbench beside a lesson: the free cluster's terminals. */
export function Bench({ attempt, words, terminalWords, leaseWords, clockWords, locale, onFold, onEnded }: Props) {
  const { lease, terminals, time } = useAttempt(attempt)
  const [fault, setFault] = useState('')
  const ready = lease?.state === 'ready'

  useFirstTerminal(attempt, ready, terminals.length, setFault)
  const end = () => call('DELETE', `/api/attempts/${attempt}`).then(onEnded, (error: Error) => setFault(error.message))

  return (
    <>
      <div className="bench-head">
        <p className="bench-title">{words.title}</p>
        <LeaseLine
          lease={lease}
          words={leaseWords}
          onExtend={() => call('POST', `/api/attempts/${attempt}/extend`).catch((error: Error) => setFault(error.message))}
        />
        <ClusterClock attempt={attempt} time={time} words={clockWords} locale={locale} onFault={setFault} />
        <button type="button" className="bench-tool" onClick={end}>
          {lease?.engine === 'hosts' ? words.endHosts : words.end}
        </button>
        <button type="button" className="bench-tool" onClick={onFold}>
          {words.fold}
        </button>
      </div>
      {fault ? (
        <p role="alert" className="terminals-fault">
          {fault}
        </p>
      ) : null}
      {ready ? (
        <Terminals attempt={attempt} terminals={terminals} nodes={lease.nodes} words={terminalWords} />
      ) : (
        <LeaseWait lease={lease} words={leaseWords} locale={locale} />
      )}
    </>
  )
}
