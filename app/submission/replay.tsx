'use client'
import { useEffect, useRef, useState } from 'react'
import 'asciinema-player/dist/bundle/asciinema-player.css'
import './replay.css'
import { findMoment, momentOf } from './moment.ts'

interface Props {
  recordings: { name: string; url: string }[]
  words: { load: string; loading: string; fault: string }
}

interface Shown {
  url: string
  /** s from the recording's beginning. */
  from: number
}

/** Before a moment that somebody wants to see, so much is shown of what led to it: s. */
const leadIn = 3

/**
 * The learner's terminals as they were. The player is loaded when a recording is asked for, or a moment by the address's
 * fragment (moment.ts).
 */
export function Replay({ recordings, words }: Props) {
  const [chosen, setChosen] = useState<Shown | null>(null)
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const show = async () => {
      const at = momentOf(location.hash)
      if (at === null) return
      const texts = await Promise.all(recordings.map(async ({ url }) => (await fetch(url)).text()))
      const found = findMoment(texts, at)
      const recording = found && recordings[found.index]
      if (!recording) return
      setChosen({ url: recording.url, from: Math.max(0, found.second - leadIn) })
      place.current?.scrollIntoView({ block: 'start' })
    }
    void show()
    addEventListener('hashchange', show)
    return () => removeEventListener('hashchange', show)
  }, [recordings])
  return (
    <div className="replay" ref={place}>
      <div className="replay-choice">
        {recordings.map((recording) => (
          <button
            key={recording.url}
            type="button"
            className="button button-small"
            aria-pressed={recording.url === chosen?.url}
            onClick={() => setChosen({ url: recording.url, from: 0 })}
          >
            {words.load} {recording.name}
          </button>
        ))}
      </div>
      {chosen ? <Player key={`${chosen.url} ${chosen.from}`} {...chosen} words={words} /> : null}
    </div>
  )
}

function Player({ url, from, words }: Shown & { words: Props['words'] }) {
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
