import Link from 'next/link'
import { getTranslations } from 'next-intl/server'
import { localised } from '../i18n/routing.ts'
import { atLeast, viewer } from '../session.ts'
import { LocaleSwitch } from './locale-switch.tsx'
import { Mark } from './mark.tsx'
import { NavLink } from './nav-link.tsx'
import type { Theme } from './theme.ts'
import { ThemeToggle } from './theme-toggle.tsx'

export async function Masthead({ locale, theme }: { locale: string; theme: Theme | 'system' }) {
  const t = await getTranslations('masthead')
  const person = await viewer()
  const to = (path: string) => localised(locale, path)
  return (
    <header className="masthead">
      <Link href={to('/')} className="masthead-name" aria-label={t('home')}>
        <Mark />
        <span>Labernetes</span>
      </Link>
      <nav aria-label={t('navigation')} className="masthead-nav">
        <NavLink href={to('/')} also={[to('/learn'), to('/labs')]}>
          {t('course')}
        </NavLink>
        {person ? <NavLink href={to('/me')}>{t('me')}</NavLink> : null}
        {atLeast(person, 'instructor') ? <NavLink href={to('/teach')}>{t('teach')}</NavLink> : null}
        {atLeast(person, 'admin') ? <NavLink href={to('/admin')}>{t('admin')}</NavLink> : null}
      </nav>
      <div className="masthead-tools">
        <LocaleSwitch locale={locale} />
        <ThemeToggle start={theme} label={t('theme')} names={{ system: t('themeSystem'), light: t('themeLight'), dark: t('themeDark') }} />
        {person ? (
          <Link href={to('/account')} className="masthead-tool masthead-person">
            {person.guest ? t('guest') : person.name}
          </Link>
        ) : (
          <Link href={to('/sign-in')} className="masthead-tool masthead-person">
            {t('signIn')}
          </Link>
        )}
      </div>
    </header>
  )
}
