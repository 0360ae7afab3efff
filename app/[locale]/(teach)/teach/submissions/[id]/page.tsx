import type { Metadata } from 'next'
import Link from 'next/link'
import { getTranslations, setRequestLocale } from 'next-intl/server'
import { type Locale, localised } from '../../../../../i18n/routing.ts'
import { requireRole } from '../../../../../session.ts'
import { findSubmission } from '../../../../../submission/find.ts'
import { CommentForm, OverrideForm } from '../../../../../submission/grade-forms.tsx'
import { SubmissionReport } from '../../../../../submission/report.tsx'

interface Props {
  params: Promise<{ locale: Locale; id: string }>
}

export async function generateMetadata(): Promise<Metadata> {
  return { title: (await getTranslations('submission'))('title') }
}

/** A submission on the instructor's desk. */
export default async function GradePage({ params }: Props) {
  const { locale, id } = await params
  setRequestLocale(locale)
  const person = await requireRole(locale, localised(locale, `/teach/submissions/${id}`), 'instructor')
  const submission = await findSubmission(person, id)
  const t = await getTranslations('grade')
  const words = { points: t('points'), reason: t('reason'), save: t('save') }
  return (
    <main id="main" className="page">
      <p className="label mb-4">
        <Link className="link" href={`${localised(locale, '/teach')}?lab=${submission.lab}`}>
          {t('back')}
        </Link>
      </p>
      <SubmissionReport
        locale={locale}
        person={person}
        submission={submission}
        gradeTask={(task) => (
          <OverrideForm
            submission={id}
            task={task.id}
            points={task.points}
            maxPoints={task.maxPoints}
            words={{ ...words, summary: t('override', { task: task.title }) }}
          />
        )}
        after={
          <section aria-labelledby="grade" className="report-section">
            <h2 id="grade">{t('title')}</h2>
            <OverrideForm
              submission={id}
              task={null}
              points={submission.points}
              maxPoints={submission.maxPoints}
              words={{ ...words, summary: t('overrideWhole') }}
            />
            <CommentForm submission={id} words={{ label: t('comment'), send: t('send') }} />
          </section>
        }
      />
    </main>
  )
}
