import Link from 'next/link'
import { getLocale, getTranslations } from 'next-intl/server'
import { localised } from '../i18n/routing.ts'

export default async function NotFound() {
  const [t, locale] = await Promise.all([getTranslations('notFound'), getLocale()])
  return (
    <main id="main" className="page page-narrow">
      <p className="label">404</p>
      <h1 className="page-title mt-2">{t('title')}</h1>
      <p className="sign-lead">{t('text')}</p>
      <p>
        <Link className="button" href={localised(locale, '/')}>
          {t('home')}
        </Link>
      </p>
    </main>
  )
}
