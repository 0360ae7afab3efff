'use client'
import { useEffect, useEffectEvent, useRef, useState } from 'react'
import 'asciinema-player/dist/bundle/asciinema-player.css'
import './replay.css'
import { read } from '../client/call.ts'
import { findMoment, momentOf } from './moment.ts'

interface Props {
  recordings: { name: string; url: string }[]
  words: { load: string; loading: string; fault: string; momentFault: string; momentNone: string }
}

interface Shown {
  url: string
  /** s from the recording's beginning. */
  from: number
  /** Asking for the same again plays it again. */
  asking: number
}

/** Before a moment that somebody wants to see, so much is shown of what led to it: s. */
const leadIn = 3

/**
 * The learner's terminals as they were. The player is loaded when a recording is asked for, or a moment by the address's
 * fragment (moment.ts).
 */
export function Replay({ recordings, words }: Props) {
  const [chosen, setChosen] = useState<Shown | null>(null)
  const [said, setSaid] = useState('')
  const place = useRef<HTMLDivElement>(null)
  const play = (url: string, from: number) => {
    setSaid('')
    setChosen((before) => ({ url, from, asking: (before?.asking ?? 0) + 1 }))
  }
  const showMoment = useEffectEvent(async (at: number, signal: AbortSignal) => {
    try {
      const texts = await Promise.all(recordings.map(({ url }) => read(url, signal)))
      const found = findMoment(texts, at)
      const recording = found && recordings[found.index]
      if (recording) play(recording.url, Math.max(0, found.second - leadIn))
      else setSaid(words.momentNone)
    } catch {
      if (signal.aborted) return
      setSaid(words.momentFault)
    }
    place.current?.scrollIntoView({ block: 'start' })
  })
  useEffect(() => {
    let asked = new AbortController()
    const follow = () => {
      asked.abort()
      asked = new AbortController()
      const at = momentOf(location.hash)
      if (at !== null) void showMoment(at, asked.signal)
    }
    follow()
    addEventListener('hashchange', follow)
    return () => {
      removeEventListener('hashchange', follow)
      asked.abort()
    }
  }, [])
  return (
    <div className="replay" ref={place}>
      <div className="replay-choice">
        {recordings.map((recording) => (
          <button
            key={recording.url}
            type="button"
            className="button button-small"
            aria-pressed={recording.url === chosen?.url}
            onClick={() => play(recording.url, 0)}
          >
            {words.load} {recording.name}
          </button>
        ))}
      </div>
      <p role="status">{said}</p>
      {chosen ? <Player key={chosen.asking} {...chosen} words={words} /> : null}
    </div>
  )
}

function Player({ url, from, words }: Pick<Shown, 'url' | 'from'> & Pick<Props, 'words'>) {
  const place = useRef<HTMLDivElement>(null)
  const [said, setSaid] = useState(words.loading)
  useEffect(() => {
    let player: { dispose(): void } | undefined
    let gone = false
    import('asciinema-player').then(
      ({ create }) => {
        if (gone || !place.current) return
        player = create(url, place.current, {
          fit: 'width',
          theme: 'blueprint',
          idleTimeLimit: 2,
          startAt: from,
          autoPlay: true,
          terminalFontFamily: "'JetBrains Mono Variable', monospace",
        })
        setSaid('')
      },
      () => setSaid(words.fault),
    )
    return () => {
      gone = true
      player?.dispose()
    }
  }, [url, from, words.fault])
  return (
    <>
      <p role="status">{said}</p>
      <div ref={place} className="replay-player" />
    </>
  )
}
