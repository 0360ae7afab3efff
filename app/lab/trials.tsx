'use client'
import type { Text } from '../../platform/model.ts'
import { fill } from '../client/words.ts'
import { RichText } from './rich-text.tsx'
import type { LabWords } from './words.ts'

interface Props {
  locale: string
  trials: Text[]
  words: LabWords
  busy: boolean
  onTry: () => void
}

/** What will be tried on the learner's own cluster, and the way to have it tried before handing in. */
export function Trials({ locale, trials, words, busy, onTry }: Props) {
  return (
    <section className="trials" aria-labelledby="trials">
      <h3 id="trials">{words.trials}</h3>
      <p>{words.trialsLead}</p>
      <ul>
        {trials.map((trial) => (
          <li key={trial.en}>
            <RichText text={trial} locale={locale} />
          </li>
        ))}
      </ul>
      <button type="button" className="bench-tool" disabled={busy} onClick={onTry}>
        {busy ? words.trying : words.tryNow}
      </button>
    </section>
  )
}

/** Says so while it happens: what the cluster does then is not the learner's doing. */
export function TrialBanner({ locale, trial, words }: { locale: string; trial: Text | null; words: LabWords }) {
  return (
    <p role="status" className={trial ? 'trial-banner' : 'sr-only'}>
      {trial ? fill(words.trialRuns, { what: locale === 'zh' ? trial.zh : trial.en }) : ''}
    </p>
  )
}
