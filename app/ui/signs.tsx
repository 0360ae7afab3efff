/** Small signs with a shape of their own for each state, so that colour never says it alone. */
import type { VerdictState } from '../../platform/model.ts'

export function LessonSign({ done, label }: { done: boolean; label?: string }) {
  return (
    <svg
      viewBox="0 0 16 16"
      width="14"
      height="14"
      className="sign"
      role={label ? 'img' : undefined}
      aria-label={label}
      aria-hidden={label ? undefined : true}
    >
      <circle cx="8" cy="8" r="6.25" fill={done ? 'currentColor' : 'none'} stroke="currentColor" strokeWidth="1.5" />
      {done ? <path d="M4.8 8.2l2.2 2.2 4.2-4.6" fill="none" stroke="var(--paper)" strokeWidth="1.75" /> : null}
    </svg>
  )
}

/** A workbench seen from above: empty, in use, handed in. */
export function LabSign({ state }: { state: 'open' | 'started' | 'submitted' }) {
  return (
    <svg viewBox="0 0 16 16" width="14" height="14" className="sign" aria-hidden="true">
      <rect
        x="1.5"
        y="3.5"
        width="13"
        height="9"
        fill={state === 'submitted' ? 'currentColor' : 'none'}
        stroke="currentColor"
        strokeWidth="1.5"
      />
      {state === 'started' ? <path d="M1.5 12.5v-9H8v9z" fill="currentColor" /> : null}
      {state === 'submitted' ? <path d="M4.8 8.2l2.2 2.2 4.2-4.6" fill="none" stroke="var(--paper)" strokeWidth="1.75" /> : null}
    </svg>
  )
}

/** Pass is a filled disc with a tick, not yet an open ring with a gap, waiting an hourglass. The word stands beside it. */
export function VerdictSign({ state, size = 18 }: { state: VerdictState; size?: number }) {
  return (
    <svg viewBox="0 0 20 20" width={size} height={size} className="verdict-sign" data-state={state} aria-hidden="true">
      {state === 'pass' ? (
        <>
          <circle cx="10" cy="10" r="8.5" fill="currentColor" />
          <path d="M5.8 10.3l2.9 2.9 5.5-6" fill="none" stroke="var(--paper)" strokeWidth="2" />
        </>
      ) : null}
      {state === 'not-yet' ? (
        <>
          <path d="M16.6 5.2A8.2 8.2 0 1 0 18.2 10" fill="none" stroke="currentColor" strokeWidth="2" />
          <path d="M6.5 10h7" stroke="currentColor" strokeWidth="2" />
        </>
      ) : null}
      {state === 'waiting' ? (
        <path d="M5 2.5h10M5 17.5h10M6 3c0 4.5 8 9.5 8 14M14 3c0 4.5-8 9.5-8 14" fill="none" stroke="currentColor" strokeWidth="1.75" />
      ) : null}
    </svg>
  )
}
