import type { Metadata } from 'next'
import Link from 'next/link'
import { getFormatter, getTranslations, setRequestLocale } from 'next-intl/server'
import { services } from '../../../../platform/services.ts'
import { contentIndex } from '../../../content/read.ts'
import { type Locale, localised } from '../../../i18n/routing.ts'
import { requireRole } from '../../../session.ts'

interface Props {
  params: Promise<{ locale: Locale }>
  searchParams: Promise<{ lab?: string | string[] }>
}

export async function generateMetadata(): Promise<Metadata> {
  return { title: (await getTranslations('teach'))('title') }
}

/** What was handed in, lab by lab. */
export default async function TeachPage({ params, searchParams }: Props) {
  const { locale } = await params
  setRequestLocale(locale)
  const to = (path: string) => localised(locale, path)
  const person = await requireRole(locale, to('/teach'), 'instructor')
  const asked = (await searchParams).lab
  const lab = typeof asked === 'string' && services().labs.has(asked) ? asked : undefined
  const [t, format, index, rows] = await Promise.all([
    getTranslations('teach'),
    getFormatter(),
    contentIndex(),
    services().grading.submissions(person, lab ? { lab } : {}),
  ])
  const title = (slug: string) => index.labs[slug]?.[locale].title ?? slug
  return (
    <main id="main" className="page">
      <h1 className="page-title">{t('title')}</h1>
      <nav aria-label={t('byLab')} className="lab-filter">
        <Link href={to('/teach')} aria-current={lab ? undefined : 'page'}>
          {t('allLabs')}
        </Link>
        {[...services().labs.keys()].map((slug) => (
          <Link key={slug} href={`${to('/teach')}?lab=${slug}`} aria-current={slug === lab ? 'page' : undefined}>
            {title(slug)}
          </Link>
        ))}
      </nav>
      {rows.length === 0 ? (
        <p className="sign-lead">{t('none')}</p>
      ) : (
        <div className="table-scroll">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t('learner')}</th>
                <th scope="col">{t('lab')}</th>
                <th scope="col">{t('handedIn')}</th>
                <th scope="col">{t('points')}</th>
                <th scope="col">{t('engine')}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.id}>
                  <td>
                    <Link className="link" href={to(`/teach/submissions/${row.id}`)} prefetch={false}>
                      {row.learner.name}
                    </Link>
                  </td>
                  <td>{title(row.lab)}</td>
                  <td>{format.dateTime(new Date(row.handedInAt), { dateStyle: 'medium', timeStyle: 'short' })}</td>
                  <td>
                    {row.points} / {row.maxPoints}
                    {row.overridden ? <span className="label"> {t('overridden')}</span> : null}
                    {row.faultyChecks > 0 ? <span className="label"> {t('faultyChecks', { count: row.faultyChecks })}</span> : null}
                  </td>
                  <td className="label">{row.engine}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </main>
  )
}
