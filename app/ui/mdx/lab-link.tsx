import Link from 'next/link'
import { getTranslations } from 'next-intl/server'
import { services } from '../../../platform/services.ts'
import { labPlace } from '../../content/course.ts'
import { type Locale, localised } from '../../i18n/routing.ts'
import { LabSign } from '../signs.tsx'

/** From the text to the workbench. */
export async function LabLink({ slug, locale }: { slug: string; locale: Locale }) {
  const t = await getTranslations('labLink')
  const place = await labPlace(locale, slug)
  if (!place) return null
  const lab = services().labs.get(slug)
  return (
    <Link href={localised(locale, `/labs/${slug}`)} prefetch={false} className="lab-link">
      <LabSign state="open" />
      <span>
        <span className="label">
          {t('lab')}
          {lab ? ` · ${t('facts', { minutes: lab.minutes, points: lab.maxPoints })}` : ''}
        </span>
        <strong>{place.page.title}</strong>
        <span className="lab-link-summary">{place.page.summary}</span>
      </span>
      <span aria-hidden="true" className="lab-link-arrow">
        →
      </span>
    </Link>
  )
}
