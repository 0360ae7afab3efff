import { headers } from 'next/headers'
import Link from 'next/link'
import { getTranslations } from 'next-intl/server'
import { services } from '../../platform/services.ts'
import { localised } from '../i18n/routing.ts'
import { viewer } from '../session.ts'
import { nextPath } from './next-path.ts'
import { SignForm } from './sign-form.tsx'

/** The page behind both doors. A guest signs up here too, and keeps what they did. */
export async function SignPage({ locale, mode, next: asked }: { locale: string; mode: 'in' | 'up'; next: string | string[] | undefined }) {
  const t = await getTranslations('sign')
  const next = nextPath(asked, localised(locale, '/'))
  const person = await viewer()
  const guest = person === null && services().people.guestAllowed(await headers())
  const other = mode === 'in' ? '/sign-up' : '/sign-in'
  return (
    <main id="main" className="page sign">
      <h1 className="page-title">{mode === 'in' ? t('inTitle') : t('upTitle')}</h1>
      <p className="sign-lead">{person?.guest ? t('guestLead') : mode === 'in' ? t('inLead') : t('upLead')}</p>
      <SignForm
        mode={mode}
        next={next}
        guest={guest}
        words={{
          name: t('name'),
          email: t('email'),
          password: t('password'),
          passwordRule: t('passwordRule'),
          submit: mode === 'in' ? t('in') : t('up'),
          busy: t('busy'),
          guest: t('guest'),
          or: mode === 'in' ? t('orIn') : t('orUp'),
        }}
      />
      <p className="mt-6">
        {mode === 'in' ? t('noAccount') : t('haveAccount')}{' '}
        <Link className="link" href={`${localised(locale, other)}?next=${encodeURIComponent(next)}`}>
          {mode === 'in' ? t('up') : t('in')}
        </Link>
      </p>
    </main>
  )
}
