'use client'
import { DropdownMenu } from 'radix-ui'
import { useEffect, useRef, useState } from 'react'
import type { ClusterTime, Skipped } from '../../platform/model.ts'
import { call } from '../client/call.ts'
import type { LiveAttempt } from '../client/use-attempt.ts'
import { fill } from '../client/words.ts'
import type { ClockWords } from './words.ts'

interface Props {
  attempt: string
  time: LiveAttempt['time']
  words: ClockWords
  locale: string
  onFault: (text: string) => void
}

const choices = [1, 5, 10]

/** The time in the cluster where it is the cluster's own, and the way to skip it. */
export function ClusterClock({ attempt, time, words, locale, onFault }: Props) {
  const [open, setOpen] = useState(false)
  const [asked, setAsked] = useState(false)
  const [said, setSaid] = useState('')
  const trigger = useRef<HTMLButtonElement>(null)
  const now = useClusterNow(time)
  if (!time || now === null || time.told.skip === 'no-clock') return null
  const { skip, skipping, ahead } = time.told
  const busy = asked || skipping !== null
  const path = `/api/attempts/${attempt}/skip-ahead`
  const fail = (error: Error) => onFault(error.message)

  const skipBy = async (seconds: number | null) => {
    setAsked(true)
    setSaid('')
    onFault('')
    await call<Skipped>('POST', path, { seconds }).then((skipped) => setSaid(sayOutcome(skipped, seconds, words)), fail)
    setAsked(false)
  }
  const stop = async () => {
    trigger.current?.focus()
    await call('DELETE', path).catch(fail)
  }

  return (
    <div className="cluster-clock">
      <span className="sr-only">{words.label}</span>
      <time dateTime={new Date(now).toISOString()} title={words.label}>
        {new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(now)}
      </time>
      {ahead >= 1_000 ? <small className="label">{fill(words.ahead, { time: sayDuration(ahead, words) })}</small> : null}
      {skip === 'forbidden' ? <small className="label">{words.forbidden}</small> : null}
      {skip === 'yes' ? (
        <DropdownMenu.Root open={open} onOpenChange={(wanted) => setOpen(wanted && !busy)} modal={false}>
          <DropdownMenu.Trigger ref={trigger} className="bench-tool" aria-disabled={busy}>
            {busy ? words.skipping : words.skip}
          </DropdownMenu.Trigger>
          {/* not in a portal: it belongs to the landmark that the clock is in */}
          <DropdownMenu.Content className="menu" align="end" collisionPadding={8}>
            <DropdownMenu.Item className="menu-item" onSelect={() => void skipBy(null)}>
              {words.toNext}
            </DropdownMenu.Item>
            {choices.map((minutes) => (
              <DropdownMenu.Item key={minutes} className="menu-item" onSelect={() => void skipBy(minutes * 60)}>
                {fill(minutes === 1 ? words.oneMinute : words.minutes, { minutes })}
              </DropdownMenu.Item>
            ))}
            <DropdownMenu.Label className="menu-note">{words.note}</DropdownMenu.Label>
          </DropdownMenu.Content>
        </DropdownMenu.Root>
      ) : null}
      {skipping ? <SkipProgress now={time.told.now} skipping={skipping} words={words} /> : null}
      {busy ? (
        <button type="button" className="bench-tool" onClick={stop}>
          {words.stop}
        </button>
      ) : null}
      <span role="status" className="cluster-clock-said">
        {said}
      </span>
    </div>
  )
}

function SkipProgress({
  now,
  skipping: { from, to },
  words,
}: Pick<ClusterTime, 'now'> & { skipping: NonNullable<ClusterTime['skipping']>; words: ClockWords }) {
  return to === null ? (
    <small className="label">+{sayDuration(now - from, words)}</small>
  ) : (
    <progress aria-label={words.skipping} value={Math.min(1, (now - from) / (to - from))} />
  )
}

/** The cluster's time now, told anew each second; null before it is known. */
function useClusterNow(time: LiveAttempt['time']): number | null {
  const [now, setNow] = useState<number | null>(null)
  useEffect(() => {
    if (!time) return setNow(null)
    const look = () => setNow(time.told.now + (time.told.skipping ? 0 : Date.now() - time.at))
    look()
    const timer = setInterval(look, 1_000)
    return () => clearInterval(timer)
  }, [time])
  return now
}

function sayOutcome({ from, to, end }: Skipped, seconds: number | null, words: ClockWords): string {
  const sentence = {
    reached: words.reached,
    happened: words.happened,
    stopped: words.stopped,
    limit: seconds === null ? words.nothing : words.limit,
  }
  return fill(sentence[end], { time: sayDuration(to - from, words) })
}

function sayDuration(ms: number, words: ClockWords): string {
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  return [
    minutes > 0 ? fill(words.inMinutes, { count: minutes }) : '',
    seconds % 60 > 0 || minutes === 0 ? fill(words.inSeconds, { count: seconds % 60 }) : '',
  ]
    .filter(Boolean)
    .join(' ')
}
