import type { Metadata } from 'next'
import Link from 'next/link'
import { getTranslations, setRequestLocale } from 'next-intl/server'
import { SignOut } from '../../../account/sign-out.tsx'
import { localised } from '../../../i18n/routing.ts'
import { requireViewer } from '../../../session.ts'

export async function generateMetadata(): Promise<Metadata> {
  return { title: (await getTranslations('account'))('title') }
}

export default async function AccountPage({ params }: { params: Promise<{ locale: string }> }) {
  const { locale } = await params
  setRequestLocale(locale)
  const person = await requireViewer(locale, localised(locale, '/account'))
  const t = await getTranslations('account')
  return (
    <main id="main" className="page sign">
      <h1 className="page-title">{person.guest ? t('guest') : person.name}</h1>
      <p className="sign-lead">{person.guest ? t('guestText') : t('role', { email: person.email ?? '', role: person.role })}</p>
      <p className="threshold-actions">
        {person.guest ? (
          <Link className="button button-primary" href={localised(locale, '/sign-up')}>
            {t('keep')}
          </Link>
        ) : null}
        <SignOut to={localised(locale, '/')} words={{ out: t('out') }} />
      </p>
    </main>
  )
}
