import Link from 'next/link'
import { getFormatter, getTranslations } from 'next-intl/server'
import type { EngineChoice } from '../../../../../platform/model.ts'
import type { Person, Services, SubmissionRow } from '../../../../../platform/services.ts'
import type { labPlace } from '../../../../content/course.ts'
import { localised } from '../../../../i18n/routing.ts'
import { StartLab } from './start-lab.tsx'

interface Props {
  locale: string
  place: NonNullable<Awaited<ReturnType<typeof labPlace>>>
  lab: NonNullable<ReturnType<Services['labs']['get']>>
  person: Person | null
  mine: SubmissionRow[]
  /** What it could run on, the usual one first. */
  choices: EngineChoice[]
}

/** Before the lab: what it asks, how long it takes, and what was handed in earlier. */
export async function LabDoor({ locale, place, lab, person, mine, choices }: Props) {
  const t = await getTranslations('lab')
  const format = await getFormatter()
  const here = localised(locale, `/labs/${lab.slug}`)
  return (
    <main id="main" className="page page-narrow">
      <p className="label">
        {place.lesson ? (
          <Link href={localised(locale, place.lesson.href)}>{t('lessonOf', { title: place.lesson.page.title })}</Link>
        ) : (
          t('name')
        )}
      </p>
      <h1 className="page-title mt-2">{place.page.title}</h1>
      <p className="lesson-goal">{place.page.summary}</p>
      <dl className="lab-facts">
        <div>
          <dt className="label">{t('time')}</dt>
          <dd>{t('minutes', { minutes: lab.minutes })}</dd>
        </div>
        <div>
          <dt className="label">{t('points')}</dt>
          <dd>{lab.maxPoints}</dd>
        </div>
        <div>
          <dt className="label">{t('cluster')}</dt>
          <dd>{t('clusterOwn')}</dd>
        </div>
      </dl>
      <h2 className="mt-8 text-2xl">{t('tasks')}</h2>
      <ol className="door-tasks">
        {lab.tasks.map((task) => (
          <li key={task.id}>
            <span>{place.page.tasks[task.id]?.title ?? task.id}</span>
            <span className="label">{t('pointsOf', { points: task.maxPoints })}</span>
          </li>
        ))}
      </ol>
      <div className="mt-8">
        {person ? (
          <StartLab
            lab={lab.slug}
            engines={choices.flatMap(({ engine, missing }) => (missing === null ? [{ name: engine, text: engineText(engine, t) }] : []))}
            words={{
              start: mine.length > 0 ? t('startAgain') : t('start'),
              starting: t('starting'),
              runsOn: t('runsOn'),
              runsOnLead: t('runsOnLead'),
            }}
          />
        ) : (
          <Link className="button button-primary" href={`${localised(locale, '/sign-in')}?next=${encodeURIComponent(here)}`}>
            {t('signInToStart')}
          </Link>
        )}
      </div>
      {mine.length > 0 ? (
        <section className="mt-12">
          <h2 className="text-2xl">{t('handedInBefore')}</h2>
          <ul className="door-tasks">
            {mine.map((row) => (
              <li key={row.id}>
                <Link className="link" href={localised(locale, `/me/submissions/${row.id}`)}>
                  {format.dateTime(new Date(row.handedInAt), { dateStyle: 'medium', timeStyle: 'short' })}
                </Link>
                <span className="label">{t('pointsOfMax', { points: row.points, max: row.maxPoints })}</span>
              </li>
            ))}
          </ul>
        </section>
      ) : null}
    </main>
  )
}

function engineText(engine: string, t: Awaited<ReturnType<typeof getTranslations<'lab'>>>): string {
  switch (engine) {
    case 'embedded':
      return t('engine-embedded')
    case 'kind':
      return t('engine-kind')
    case 'hosts':
      return t('engine-hosts')
    default:
      return engine
  }
}
