import type { Metadata } from 'next'
import { getTranslations, setRequestLocale } from 'next-intl/server'
import { FirstRun } from '../../../account/first-run.tsx'
import { localised } from '../../../i18n/routing.ts'
import { viewer } from '../../../session.ts'

export async function generateMetadata(): Promise<Metadata> {
  return { title: (await getTranslations('firstRun'))('title') }
}

export default async function FirstRunPage({ params }: { params: Promise<{ locale: string }> }) {
  const { locale } = await params
  setRequestLocale(locale)
  const [t, s, person] = await Promise.all([getTranslations('firstRun'), getTranslations('sign'), viewer()])
  return (
    <main id="main" className="page sign">
      <h1 className="page-title">{t('title')}</h1>
      <FirstRun
        account={person !== null && !person.guest}
        here={localised(locale, '/first-run')}
        done={localised(locale, '/teach')}
        words={{
          lead: t('lead'),
          missing: t('missing'),
          claim: t('claim', { name: person?.name ?? '' }),
          busy: s('busy'),
          sign: {
            name: s('name'),
            email: s('email'),
            password: s('password'),
            passwordRule: s('passwordRule'),
            submit: t('create'),
            busy: s('busy'),
            guest: '',
            or: '',
          },
        }}
      />
    </main>
  )
}
