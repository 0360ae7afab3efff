'use client'
/** One terminal on the page. Loaded only when a terminal is opened: xterm comes with it. */
import { FitAddon } from '@xterm/addon-fit'
import { Unicode11Addon } from '@xterm/addon-unicode11'
import { WebLinksAddon } from '@xterm/addon-web-links'
import { Terminal } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { useEffect, useRef, useState } from 'react'
import { call } from '../client/call.ts'
import { fill } from '../client/words.ts'
import { type LinkState, TerminalLink } from './link.ts'
import { onThemeChange, terminalTheme } from './palette.ts'
import { clearFrontTerminal, setFrontTerminal } from './runner.ts'
import type { TerminalWords } from './words.ts'

interface Props {
  attempt: string
  terminal: string
  /** As its tab has it. */
  title: string
  node: string | null
  /** Whether its tab is in front. */
  front: boolean
  screenReader: boolean
  words: TerminalWords
  /** Keyboard way out: the reader asked to leave the terminal. */
  onLeave: () => void
}

export function TerminalView({ attempt, terminal, title, node, front, screenReader, words, onLeave }: Props) {
  const place = useRef<HTMLDivElement>(null)
  const held = useRef<{ xterm: Terminal; fit: FitAddon; link: TerminalLink } | null>(null)
  const leave = useRef(onLeave)
  leave.current = onLeave
  const [state, setState] = useState<LinkState>({ kind: 'connecting' })

  useEffect(() => {
    const end = new AbortController()
    const element = place.current!
    Object.assign(Terminal.strings, { promptLabel: words.input, tooMuchOutput: words.tooMuchOutput })
    const xterm = new Terminal({
      allowProposedApi: true,
      cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
      fontFamily: getComputedStyle(element).fontFamily,
      fontSize: 14,
      lineHeight: 1.2,
      scrollback: 5000,
      minimumContrastRatio: 4.5,
      theme: terminalTheme(element),
    })
    const fit = new FitAddon()
    xterm.loadAddon(fit)
    xterm.loadAddon(new WebLinksAddon())
    xterm.loadAddon(new Unicode11Addon())
    xterm.unicode.activeVersion = '11'
    xterm.open(element)
    fit.fit()
    // Whoever watches sees the writer's size; only the writer's window decides it.
    let writer = false
    const refit = () => {
      if (writer && element.clientWidth > 0 && element.clientHeight > 0) fit.fit()
    }
    const link = new TerminalLink({
      ticket: async () =>
        (await call<{ ticket: string }>('POST', `/api/attempts/${attempt}/terminals/${encodeURIComponent(terminal)}/ticket`)).ticket,
      screen: {
        size: () => ({ cols: xterm.cols, rows: xterm.rows }),
        reset: (cols, rows) => {
          xterm.reset()
          xterm.resize(cols, rows)
          refit()
        },
        write: (bytes) => new Promise((resolve) => xterm.write(bytes, resolve)),
      },
      onState: (next) => {
        if (end.signal.aborted) return
        writer = next.kind === 'open' && next.writer
        setState(next)
        if (writer) refit()
      },
    })
    xterm.onData((data) => link.input(data))
    xterm.onBinary((data) => link.input(data))
    xterm.onResize(({ cols, rows }) => link.resize(cols, rows))
    xterm.attachCustomKeyEventHandler((event) => ownKeys(event, xterm, () => leave.current()))
    onThemeChange(() => {
      xterm.options.theme = terminalTheme(element)
    }, end.signal)
    const watch = new ResizeObserver(refit)
    watch.observe(element)
    held.current = { xterm, fit, link }
    return () => {
      end.abort()
      watch.disconnect()
      link[Symbol.dispose]()
      xterm.dispose()
      held.current = null
    }
  }, [attempt, terminal, words.input, words.tooMuchOutput])

  useEffect(() => {
    if (held.current) held.current.xterm.options.screenReaderMode = screenReader
  }, [screenReader])

  const writable = state.kind === 'open' && state.writer
  useEffect(() => {
    if (!front) return
    const mine = {
      node,
      type: (data: string) => held.current?.link.input(data) ?? false,
      focus: () => held.current?.xterm.focus(),
    }
    if (writable) setFrontTerminal(mine)
    return () => clearFrontTerminal(mine)
  }, [front, node, writable])

  return (
    <section className="terminal" hidden={!front} aria-label={title}>
      <div ref={place} className="terminal-place" />
      <Status state={state} words={words} onRetry={() => held.current?.link.retry()} />
    </section>
  )
}

function Status({ state, words, onRetry }: { state: LinkState; words: TerminalWords; onRetry: () => void }) {
  const text = sayState(state, words)
  return (
    <div className="terminal-status" role="status">
      {text ? (
        <p>
          {text}{' '}
          {state.kind === 'lost' ? (
            <button type="button" className="link" onClick={onRetry}>
              {words.retry}
            </button>
          ) : null}
        </p>
      ) : null}
    </div>
  )
}

function sayState(state: LinkState, words: TerminalWords): string {
  switch (state.kind) {
    case 'connecting':
      return words.connecting
    case 'open':
      return state.writer ? '' : words.watching
    case 'lost':
      return words.lost
    case 'ended':
      return state.message ?? fill(words.exited, { code: state.code ?? 0 })
  }
}

/** Ctrl+Shift+C copies, Ctrl+Shift+V pastes, Ctrl+Shift+L leaves the terminal (Tab belongs to the shell). False: xterm lets it be. */
function ownKeys(event: KeyboardEvent, xterm: Terminal, leave: () => void): boolean {
  if (event.type !== 'keydown' || !event.ctrlKey || !event.shiftKey) return true
  switch (event.code) {
    case 'KeyC':
      if (xterm.hasSelection()) void navigator.clipboard.writeText(xterm.getSelection())
      event.preventDefault()
      return false
    case 'KeyV':
      // The browser's own paste follows and xterm takes it as one, bracketed where the shell asks for it.
      return false
    case 'KeyL':
      event.preventDefault()
      leave()
      return false
    default:
      return true
  }
}
