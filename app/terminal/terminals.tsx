'use client'
/** Terminal tabs of one attempt. */
import dynamic from 'next/dynamic'
import { useEffect, useRef, useState } from 'react'
import { call } from '../client/call.ts'
import { fill } from '../client/words.ts'
import { isOn, setRaise } from './runner.ts'
import type { TerminalWords } from './words.ts'

const TerminalView = dynamic(() => import('./terminal-view.tsx').then((module) => module.TerminalView), { ssr: false })

interface Props {
  attempt: string
  terminals: { id: string; title: string; node: string | null }[]
  /** Nodes on which a shell may be opened besides the learner's own. */
  nodes: string[]
  words: TerminalWords
}

const readerKey = 'terminal.screen-reader'

export function Terminals({ attempt, terminals, nodes, words }: Props) {
  const [chosen, setChosen] = useState<string | null>(null)
  const [screenReader, setScreenReader] = useState(false)
  const [fault, setFault] = useState('')
  const opening = useRef(false)
  const bar = useRef<HTMLDivElement>(null)
  const front = terminals.find((each) => each.id === chosen) ?? terminals[0]

  const frontTab = front && `tab-${front.id}`
  useEffect(() => {
    if (frontTab) document.getElementById(frontTab)?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [frontTab])

  useEffect(() => setScreenReader(localStorage.getItem(readerKey) === 'on'), [])

  const act = async (what: () => Promise<void>) => {
    setFault('')
    await what().catch((error: unknown) => setFault(error instanceof Error ? error.message : String(error)))
  }
  const open = (node: string | null) =>
    act(async () => {
      if (opening.current) return
      opening.current = true
      try {
        const { id } = await call<{ id: string }>('POST', `/api/attempts/${attempt}/terminals`, { node })
        setChosen(id)
      } finally {
        opening.current = false
      }
    })
  /** A command of the text is meant for that node: its terminal comes to the front, or a new one. */
  const raise = async (node: string | null) => {
    const known = terminals.find((each) => isOn(each.node, node))
    if (known) return setChosen(known.id)
    const name = nodes.find((each) => isOn(each, node))
    if (!name) throw new Error(`no terminal on ${node ?? 'the toolbox'}`)
    await open(name)
  }
  const latest = useRef(raise)
  latest.current = raise
  useEffect(() => {
    setRaise((node) => latest.current(node))
    return () => setRaise(null)
  }, [])
  const close = (id: string) => act(() => call('DELETE', `/api/attempts/${attempt}/terminals/${encodeURIComponent(id)}`))

  return (
    <div className="terminals">
      <div className="terminals-bar" ref={bar}>
        <div role="tablist" aria-label={words.tabs} className="terminals-tabs">
          {terminals.map((each, index) => (
            <button
              key={each.id}
              type="button"
              role="tab"
              id={`tab-${each.id}`}
              aria-controls={`panel-${each.id}`}
              aria-selected={each === front}
              tabIndex={each === front ? 0 : -1}
              onClick={() => setChosen(each.id)}
              onKeyDown={(event) => {
                const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
                const next = terminals[(index + step + terminals.length) % terminals.length]
                if (!step || !next) return
                setChosen(next.id)
                bar.current?.querySelector<HTMLElement>(`#${CSS.escape(`tab-${next.id}`)}`)?.focus()
              }}
            >
              {tabName(terminals, index, words)}
            </button>
          ))}
        </div>
        <div className="terminals-tools">
          {front && terminals.length > 1 ? (
            <button
              type="button"
              onClick={() => close(front.id)}
              aria-label={fill(words.close, { title: tabName(terminals, terminals.indexOf(front), words) })}
              title={words.closeShort}
            >
              <svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">
                <path d="M2 2l10 10M12 2L2 12" stroke="currentColor" strokeWidth="1.5" />
              </svg>
            </button>
          ) : null}
          <button type="button" onClick={() => open(null)} aria-label={words.open} title={words.open}>
            <svg viewBox="0 0 14 14" width="14" height="14" aria-hidden="true">
              <path d="M7 1v12M1 7h12" stroke="currentColor" strokeWidth="1.5" />
            </svg>
          </button>
          {nodes.length > 0 ? (
            <select aria-label={words.openOnNode} value="" onChange={(event) => open(event.target.value)}>
              <option value="" disabled>
                {words.node}
              </option>
              {nodes.map((node) => (
                <option key={node}>{node}</option>
              ))}
            </select>
          ) : null}
          <button
            type="button"
            aria-pressed={screenReader}
            title={words.screenReader}
            onClick={() => {
              setScreenReader(!screenReader)
              localStorage.setItem(readerKey, screenReader ? 'off' : 'on')
            }}
          >
            {words.screenReaderShort}
          </button>
        </div>
      </div>
      {fault ? (
        <p role="alert" className="terminals-fault">
          {fault}
        </p>
      ) : null}
      <div className="terminals-floor">
        {terminals.map((each, index) => (
          <div
            key={each.id}
            role="tabpanel"
            id={`panel-${each.id}`}
            aria-labelledby={`tab-${each.id}`}
            hidden={each !== front}
            className="terminals-panel"
          >
            <TerminalView
              attempt={attempt}
              terminal={each.id}
              title={tabName(terminals, index, words)}
              node={each.node}
              front={each === front}
              screenReader={screenReader}
              words={words}
              onLeave={() => bar.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus()}
            />
          </div>
        ))}
        {terminals.length === 0 ? (
          <p className="terminals-none">
            <button type="button" className="button" onClick={() => open(null)}>
              {words.openFirst}
            </button>
          </p>
        ) : null}
      </div>
      <p className="label terminals-keys">{words.keys}</p>
    </div>
  )
}

/** The number that the terminal was given, or its node's name, counted where there are several on one node. */
function tabName(terminals: Props['terminals'], index: number, words: TerminalWords): string {
  const { node, title } = terminals[index]!
  if (node === null) return fill(words.tab, { number: /\d+$/.exec(title)?.[0] ?? String(index + 1) })
  const before = terminals.slice(0, index).filter((each) => each.node === node).length
  return before === 0 ? node : `${node} ${before + 1}`
}
