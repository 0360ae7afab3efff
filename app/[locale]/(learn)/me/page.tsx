import type { Metadata } from 'next'
import Link from 'next/link'
import { getTranslations, setRequestLocale } from 'next-intl/server'
import { services } from '../../../../platform/services.ts'
import { course } from '../../../content/course.ts'
import { type Locale, localised } from '../../../i18n/routing.ts'
import { requireViewer } from '../../../session.ts'
import { LabSign, LessonSign } from '../../../ui/signs.tsx'

export async function generateMetadata(): Promise<Metadata> {
  return { title: (await getTranslations('me'))('title') }
}

/** What a learner has read, worked on and handed in. */
export default async function MePage({ params }: { params: Promise<{ locale: Locale }> }) {
  const { locale } = await params
  setRequestLocale(locale)
  const to = (path: string) => localised(locale, path)
  const person = await requireViewer(locale, to('/me'))
  const [t, modules, lessons, labs] = await Promise.all([
    getTranslations('me'),
    course(locale),
    services().progress.lessons(person),
    services().progress.labs(person),
  ])
  const open = modules.filter((module) => module.lessons.length > 0)
  const read = open.flatMap((module) => module.lessons).filter((lesson) => lessons[lesson.id]?.done).length
  const all = open.flatMap((module) => module.lessons).length
  const submitted = Object.values(labs).filter((lab) => lab.submitted)
  return (
    <main id="main" className="page">
      <h1 className="page-title">{t('title')}</h1>
      <p className="sign-lead">
        {t('lead', { read, all, labs: submitted.length, points: submitted.reduce((sum, lab) => sum + lab.bestPoints, 0) })}
        {person.guest ? (
          <>
            {' '}
            <Link className="link" href={to('/sign-up')}>
              {t('keep')}
            </Link>
          </>
        ) : null}
      </p>
      {open.map((module) => (
        <section key={module.slug} className="mt-10">
          <h2 className="text-2xl">
            <span className="label">{module.number}</span> {module.title}
          </h2>
          <div className="table-scroll">
            <table className="table mt-3">
              <thead>
                <tr>
                  <th scope="col">{t('what')}</th>
                  <th scope="col">{t('state')}</th>
                  <th scope="col">{t('points')}</th>
                </tr>
              </thead>
              <tbody>
                {module.lessons.flatMap((lesson) => [
                  <tr key={lesson.id}>
                    <td>
                      <Link className="link" href={to(lesson.href)} prefetch={false}>
                        {lesson.page.title}
                      </Link>
                    </td>
                    <td>
                      <span className="state">
                        <LessonSign done={lessons[lesson.id]?.done ?? false} />
                        {lessons[lesson.id]?.done ? t('read') : t('unread')}
                      </span>
                    </td>
                    <td />
                  </tr>,
                  ...lesson.labs.map((lab) => {
                    const found = labs[lab.slug]
                    const state = found?.submitted ? 'submitted' : found?.attempt ? 'started' : 'open'
                    return (
                      <tr key={`${lesson.id}-${lab.slug}`}>
                        <td className="ps-6!">
                          <Link className="link" href={to(`/labs/${lab.slug}`)} prefetch={false}>
                            {lab.title}
                          </Link>
                        </td>
                        <td>
                          <span className="state">
                            <LabSign state={state} />
                            {found?.submission ? (
                              <Link className="link" href={to(`/me/submissions/${found.submission}`)}>
                                {t(state)}
                              </Link>
                            ) : (
                              t(state)
                            )}
                          </span>
                        </td>
                        <td>{found?.submitted ? `${found.bestPoints} / ${found.maxPoints}` : ''}</td>
                      </tr>
                    )
                  }),
                ])}
              </tbody>
            </table>
          </div>
        </section>
      ))}
    </main>
  )
}
