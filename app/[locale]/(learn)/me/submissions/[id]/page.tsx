import type { Metadata } from 'next'
import { getTranslations, setRequestLocale } from 'next-intl/server'
import { type Locale, localised } from '../../../../../i18n/routing.ts'
import { requireViewer } from '../../../../../session.ts'
import { findSubmission } from '../../../../../submission/find.ts'
import { SubmissionReport } from '../../../../../submission/report.tsx'

interface Props {
  params: Promise<{ locale: Locale; id: string }>
}

export async function generateMetadata(): Promise<Metadata> {
  return { title: (await getTranslations('submission'))('title') }
}

/** A submission as its learner sees it: the grade, why, and what the instructor says. */
export default async function MySubmissionPage({ params }: Props) {
  const { locale, id } = await params
  setRequestLocale(locale)
  const person = await requireViewer(locale, localised(locale, `/me/submissions/${id}`))
  const submission = await findSubmission(person, id)
  return (
    <main id="main" className="page">
      <SubmissionReport locale={locale} person={person} submission={submission} />
    </main>
  )
}
