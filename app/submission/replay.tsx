'use client'
import { useEffect, useRef, useState } from 'react'
import 'asciinema-player/dist/bundle/asciinema-player.css'
import './replay.css'

interface Props {
  recordings: { name: string; url: string }[]
  words: { load: string; loading: string; fault: string }
}

/** The learner's terminals as they were. The player is loaded when a recording is asked for. */
export function Replay({ recordings, words }: Props) {
  const [chosen, setChosen] = useState<string | null>(null)
  return (
    <div className="replay">
      <div className="replay-choice">
        {recordings.map((recording) => (
          <button
            key={recording.url}
            type="button"
            className="button button-small"
            aria-pressed={recording.url === chosen}
            onClick={() => setChosen(recording.url)}
          >
            {words.load} {recording.name}
          </button>
        ))}
      </div>
      {chosen ? <Player key={chosen} url={chosen} words={words} /> : null}
    </div>
  )
}

function Player({ url, words }: { url: string; words: Props['words'] }) {
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
  }, [url, words.fault])
  return (
    <>
      <p role="status">{said}</p>
      <div ref={place} className="replay-player" />
    </>
  )
}
