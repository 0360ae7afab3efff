'use client'
import type { Text } from '../../platform/model.ts'
import { fill } from '../client/words.ts'
import { spoken } from '../i18n/spoken.ts'
import { RichText } from './rich-text.tsx'
import type { LabWords } from './words.ts'

interface Props {
  locale: string
  trials: Text[]
  /** They are tried on a copy of the cluster, by themselves after each change. */
  onCopy: boolean
  words: LabWords
  busy: boolean
  onTry: () => void
}

/** What the lab tries, on a copy or on the learner's own cluster, and the way to have it tried now. */
export function Trials({ locale, trials, onCopy, words, busy, onTry }: Props) {
  return (
    <section className="trials" aria-labelledby="trials">
      <h3 id="trials">{onCopy ? words.trialsOnCopy : words.trials}</h3>
      <p>{onCopy ? words.trialsOnCopyLead : words.trialsLead}</p>
      <ul>
        {trials.map((trial) => (
          <li key={trial.en}>
            <RichText text={trial} locale={locale} />
          </li>
        ))}
      </ul>
      <button type="button" className="bench-tool" disabled={busy} onClick={onTry}>
        {busy ? words.trying : onCopy ? words.tryAgain : words.tryNow}
      </button>
    </section>
  )
}

/** Says so while it happens: what the cluster does then is not the learner's doing. */
export function TrialBanner({ locale, trial, words }: { locale: string; trial: Text | null; words: LabWords }) {
  return (
    <p role="status" className={trial ? 'trial-banner' : 'sr-only'}>
      {trial ? fill(words.trialRuns, { what: spoken(trial, locale) }) : ''}
    </p>
  )
}
