import { setRequestLocale } from 'next-intl/server'
import { services } from '../../../platform/services.ts'
import { course } from '../../content/course.ts'
import type { Locale } from '../../i18n/routing.ts'
import { viewer } from '../../session.ts'
import { CoursePlan } from './course-plan.tsx'
import { GoOn, Welcome } from './threshold.tsx'

export default async function CoursePage({ params }: { params: Promise<{ locale: Locale }> }) {
  const { locale } = await params
  setRequestLocale(locale)
  const [modules, person] = await Promise.all([course(locale), viewer()])
  const [lessons, labs] = person ? await Promise.all([services().progress.lessons(person), services().progress.labs(person)]) : [{}, {}]
  const started = Object.keys(lessons).length > 0 || Object.keys(labs).length > 0
  return (
    <main id="main" className="page">
      {started ? <GoOn locale={locale} modules={modules} lessons={lessons} labs={labs} /> : <Welcome locale={locale} modules={modules} />}
      <CoursePlan locale={locale} modules={modules} lessons={lessons} labs={labs} />
    </main>
  )
}
