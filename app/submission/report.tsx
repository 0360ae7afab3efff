/** One submission: grade, tasks with their criteria, what was typed, what changed in the cluster, what was said. */
import { getFormatter, getMessages, getTranslations } from 'next-intl/server'
import type { ReactNode } from 'react'
import type { Person, SubmissionView } from '../../platform/services.ts'
import { labPlace } from '../content/course.ts'
import type { Locale } from '../i18n/routing.ts'
import { Criteria, stateWord } from '../lab/criteria.tsx'
import { VerdictSign } from '../ui/signs.tsx'
import { Audit } from './audit.tsx'
import { ObjectChanges } from './object-changes.tsx'
import { Replay } from './replay.tsx'

interface Props {
  locale: Locale
  person: Person
  submission: SubmissionView
  /** Forms of the instructor, per task and at the end. */
  gradeTask?: (task: { id: string; points: number; maxPoints: number; title: string }) => ReactNode
  after?: ReactNode
}

export async function SubmissionReport({ locale, person, submission, gradeTask, after }: Props) {
  const [t, messages, format, place] = await Promise.all([
    getTranslations('submission'),
    getMessages(),
    getFormatter(),
    labPlace(locale, submission.lab),
  ])
  const when = (date: string) => format.dateTime(new Date(date), { dateStyle: 'medium', timeStyle: 'short' })
  const title = (task: string) => place?.page.tasks[task]?.title ?? task
  const recordings = submission.evidence.filter((each) => each.kind === 'recording')
  const changes = submission.evidence.find((each) => each.kind === 'changes')
  const audit = submission.evidence.find((each) => each.kind === 'audit')
  const file = (digest: string) => `/api/submissions/${submission.id}/evidence/${encodeURIComponent(digest)}`
  return (
    <>
      <header className="report-head">
        <div>
          <p className="label">{t('of', { learner: submission.learner.name, when: when(submission.handedInAt) })}</p>
          <h1 className="page-title mt-2">{place?.page.title ?? submission.lab}</h1>
        </div>
        <p className="report-grade">
          <strong>{format.number(submission.points)}</strong>
          <span>{t('outOf', { max: submission.maxPoints })}</span>
          {submission.overridden ? <span className="label">{t('checkedPoints', { points: submission.checkedPoints })}</span> : null}
        </p>
      </header>

      <div className="report">
        <div>
          {submission.comments.length > 0 ? (
            <section aria-labelledby="said" className="report-section">
              <h2 id="said">{t('comments')}</h2>
              {submission.comments.map((comment) => (
                <blockquote key={comment.at} className="comment">
                  <p className="whitespace-pre-line">{comment.text}</p>
                  <footer className="label">
                    {comment.by}, {when(comment.at)}
                  </footer>
                </blockquote>
              ))}
            </section>
          ) : null}

          <section aria-labelledby="tasks" className="report-section">
            <h2 id="tasks">{t('tasks')}</h2>
            <ol className="tasks">
              {submission.verdict.tasks.map((task, index) => {
                const changed = submission.overrides.filter((each) => each.task === task.id)
                const points = changed.at(-1)?.points ?? task.points
                return (
                  <li key={task.id} className="task" data-state={task.state}>
                    <div className="task-head">
                      <VerdictSign state={task.state} size={22} />
                      <h3>
                        {index + 1}. {title(task.id)}
                      </h3>
                      <p className="task-state">
                        <strong>{stateWord(task.state, messages.lab)}</strong>
                        <span className="label">
                          {submission.hints[task.id] ? `${t('hints', { count: submission.hints[task.id] ?? 0 })} · ` : ''}
                          {points}/{task.maxPoints}
                        </span>
                      </p>
                    </div>
                    <Criteria criteria={task.criteria} words={messages.lab} locale={locale} />
                    <Overrides changes={changed} when={when} say={(points, by) => t('overrode', { points, by })} />
                    {gradeTask?.({ id: task.id, points, maxPoints: task.maxPoints, title: title(task.id) })}
                  </li>
                )
              })}
            </ol>
            <Overrides
              changes={submission.overrides.filter((each) => each.task === null)}
              when={when}
              say={(points, by) => t('overrodeWhole', { points, by })}
            />
          </section>

          {after}
        </div>
        <div>
          {recordings.length > 0 ? (
            <section aria-labelledby="replay" className="report-section">
              <h2 id="replay">{t('replay')}</h2>
              <Replay
                recordings={recordings.map((each) => ({ name: each.name, url: file(each.digest) }))}
                words={{
                  load: t('replayLoad'),
                  loading: t('replayLoading'),
                  fault: t('replayFault'),
                  momentFault: t('replayMomentFault'),
                  momentNone: t('replayMomentNone'),
                }}
              />
            </section>
          ) : null}

          {changes ? (
            <section aria-labelledby="changes" className="report-section">
              <h2 id="changes">{t('changes')}</h2>
              <ObjectChanges person={person} submission={submission.id} digest={changes.digest} />
            </section>
          ) : null}

          <section aria-labelledby="audit" className="report-section">
            <h2 id="audit">{t('audit')}</h2>
            <Audit
              locale={locale}
              person={person}
              submission={submission.id}
              digest={audit?.digest ?? null}
              replay={recordings.length > 0}
            />
          </section>

          <section aria-labelledby="evidence" className="report-section">
            <h2 id="evidence">{t('evidence')}</h2>
            <p className="label">
              {t('versions', {
                lab: shortDigest(submission.versions.lab),
                engine: submission.versions.engine,
                kubernetes: submission.versions.kubernetes,
              })}
            </p>
            <ul className="door-tasks">
              {submission.evidence.map((each) => (
                <li key={each.digest + each.name}>
                  <a className="link" href={file(each.digest)} download={each.name}>
                    {each.name}
                  </a>
                  <span className="label">{t('bytes', { kind: t(`kind-${each.kind}`), bytes: each.bytes })}</span>
                </li>
              ))}
            </ul>
          </section>
        </div>
      </div>
    </>
  )
}

function Overrides({
  changes,
  when,
  say,
}: {
  changes: SubmissionView['overrides']
  when: (date: string) => string
  say: (points: number, by: string) => string
}) {
  return changes.map((change) => (
    <div key={change.at} className="override">
      <p>
        <strong>{say(change.points, change.by)}</strong> {change.reason}
      </p>
      <p className="label">{when(change.at)}</p>
    </div>
  ))
}

/** Enough of a digest to tell two versions apart. */
function shortDigest(version: string): string {
  return version.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, '$1')
}
