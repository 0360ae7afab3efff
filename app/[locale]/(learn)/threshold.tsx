import Link from 'next/link'
import { getTranslations } from 'next-intl/server'
import type { ProgressService } from '../../../platform/services.ts'
import type { CourseModule } from '../../content/course.ts'
import { localised } from '../../i18n/routing.ts'
import { ClusterDrawing } from '../../ui/drawing/cluster-drawing.tsx'
import { clusterOf } from '../../ui/drawing/cluster-of.ts'

/** What this is, for someone who comes the first time. */
export async function Welcome({ locale, modules }: { locale: string; modules: CourseModule[] }) {
  const t = await getTranslations('welcome')
  const first = modules.flatMap((module) => module.lessons)[0]
  return (
    <section className="threshold">
      <div className="threshold-text">
        <h1>{t.rich('title', { together: (words) => <span className="whitespace-nowrap">{words}</span> })}</h1>
        <p className="threshold-lead">{t('lead')}</p>
        {first ? (
          <p className="threshold-actions">
            <Link className="button button-primary" href={localised(locale, first.href)}>
              {t('begin')}
            </Link>
            <a className="link" href="#plan-title">
              {t('see')}
            </a>
          </p>
        ) : null}
      </div>
      <figure className="threshold-figure">
        <ClusterDrawing
          label={t('figure')}
          cluster={clusterOf({
            nodes: ['worker-1', 'worker-2'],
            pods: [
              { name: 'web-1', node: 'worker-1', containers: [{ name: 'app', ready: true }] },
              {
                name: 'web-2',
                node: 'worker-1',
                containers: [
                  { name: 'app', ready: true },
                  { name: 'log', ready: true },
                ],
              },
              {
                name: 'web-3',
                node: 'worker-2',
                containers: [
                  { name: 'app', ready: false },
                  { name: 'log', ready: true },
                ],
              },
            ],
            services: [{ name: 'web', endpoints: ['web-1', 'web-2'] }],
          })}
        />
        <figcaption className="label">{t('figureCaption')}</figcaption>
      </figure>
    </section>
  )
}

/** Where to go on, for someone who has been here. */
export async function GoOn({
  locale,
  modules,
  lessons,
  labs,
}: {
  locale: string
  modules: CourseModule[]
  lessons: Awaited<ReturnType<ProgressService['lessons']>>
  labs: Awaited<ReturnType<ProgressService['labs']>>
}) {
  const t = await getTranslations('goOn')
  const all = modules.flatMap((module) => module.lessons.map((lesson) => ({ module, lesson })))
  const next = all.find(({ lesson }) => !lessons[lesson.id]?.done)
  const openLabs = all.flatMap(({ lesson }) => lesson.labs).filter((lab) => labs[lab.slug]?.attempt && !labs[lab.slug]?.submitted)
  const done = all.filter(({ lesson }) => lessons[lesson.id]?.done).length
  return (
    <section className="threshold threshold-go-on">
      <div className="threshold-text">
        <p className="label">{t('progress', { done, all: all.length })}</p>
        <h1>{next ? next.lesson.page.title : t('allDone')}</h1>
        {next ? <p className="threshold-lead">{next.lesson.page.summary}</p> : null}
        <p className="threshold-actions">
          {next ? (
            <Link className="button button-primary" href={localised(locale, next.lesson.href)}>
              {t('continue')}
            </Link>
          ) : null}
          {openLabs.map((lab) => (
            <Link key={lab.slug} className="button" href={localised(locale, `/labs/${lab.slug}`)}>
              {t('backToLab', { lab: lab.title })}
            </Link>
          ))}
        </p>
      </div>
    </section>
  )
}
