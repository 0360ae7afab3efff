import type { CriterionVerdict } from '../../platform/model.ts'
import { VerdictSign } from '../ui/signs.tsx'
import { RichText } from './rich-text.tsx'

export interface CriteriaWords {
  pass: string
  notYet: string
  waiting: string
  expected: string
  observed: string
}

export function stateWord(state: CriterionVerdict['state'], words: CriteriaWords): string {
  return state === 'pass' ? words.pass : state === 'waiting' ? words.waiting : words.notYet
}

/** Every criterion of a task: its points; while it is not met, what was expected beside what was observed, and why it matters. */
export function Criteria({ criteria, words, locale }: { criteria: CriterionVerdict[]; words: CriteriaWords; locale: string }) {
  return (
    <ul className="criteria">
      {criteria.map((criterion) => (
        <li key={criterion.id} className="criterion" data-state={criterion.state}>
          <p className="criterion-head">
            <VerdictSign state={criterion.state} size={16} />
            <span>
              <RichText text={criterion.label} locale={locale} />
              <span className="sr-only">: {stateWord(criterion.state, words)}</span>
            </span>
            <span className="label">
              {criterion.points}/{criterion.maxPoints}
            </span>
          </p>
          {criterion.state !== 'pass' && criterion.expected && criterion.observed ? (
            <dl className="against">
              <div>
                <dt className="label">{words.expected}</dt>
                <dd>
                  <RichText text={criterion.expected} locale={locale} />
                </dd>
              </div>
              <div data-observed={criterion.state}>
                <dt className="label">{words.observed}</dt>
                <dd>
                  <RichText text={criterion.observed} locale={locale} />
                </dd>
              </div>
            </dl>
          ) : null}
          {criterion.state === 'not-yet' ? (
            <p className="criterion-why">
              <RichText text={criterion.why} locale={locale} />
            </p>
          ) : null}
        </li>
      ))}
    </ul>
  )
}
