'use client'
import { useState, useSyncExternalStore } from 'react'
import { hasTerminal, onTerminalChange, runInTerminal } from '../../terminal/runner.ts'

interface Props {
  command: string
  /** The node (or host) whose terminal it belongs in; null for the toolbox. */
  node: string | null
  words: { run: string; copy: string; ran: string; copied: string; failed: string }
}

export function RunButton({ command, node, words }: Props) {
  const open = useSyncExternalStore(onTerminalChange, hasTerminal, () => false)
  const [said, setSaid] = useState('')
  const act = async () => {
    if (open) return setSaid((await runInTerminal(command, node)) ? words.ran : words.failed)
    await navigator.clipboard.writeText(command)
    setSaid(words.copied)
  }
  return (
    <span className="run-tool">
      <span role="status" className="label">
        {said}
      </span>
      {node ? <span className="run-node">{node}</span> : null}
      <button
        type="button"
        className="button button-small"
        onClick={act}
        onBlur={() => setSaid('')}
        aria-label={`${open ? words.run : words.copy}${node ? ` (${node})` : ''}: ${command}`}
      >
        <svg viewBox="0 0 14 14" width="12" height="12" aria-hidden="true">
          {open ? (
            <path d="M3 1.5l8 5.5-8 5.5z" fill="currentColor" />
          ) : (
            <path d="M4 4V1.5h8.500V10H10M1.500 4H10v8.500H1.500z" fill="none" stroke="currentColor" strokeWidth="1.4" />
          )}
        </svg>
        {open ? words.run : words.copy}
      </button>
    </span>
  )
}
