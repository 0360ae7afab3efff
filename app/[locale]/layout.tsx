import type { Metadata, Viewport } from 'next'
import { cookies } from 'next/headers'
import { notFound } from 'next/navigation'
import { getMessages, getTranslations, setRequestLocale } from 'next-intl/server'
import type { ReactNode } from 'react'
import '../globals.css'
import { isLocale } from '../i18n/routing.ts'
import { ErrorWordsProvider } from '../ui/error-words.tsx'
import { Masthead } from '../ui/masthead.tsx'
import { isTheme, themeCookie } from '../ui/theme.ts'

interface Props {
  children: ReactNode
  params: Promise<{ locale: string }>
}

export const viewport: Viewport = {
  width: 'device-width',
  initialScale: 1,
  themeColor: [
    { media: '(prefers-color-scheme: light)', color: '#f7f7f3' },
    { media: '(prefers-color-scheme: dark)', color: '#101a30' },
  ],
}

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { locale } = await params
  const t = await getTranslations({ locale, namespace: 'site' })
  return { title: { default: t('title'), template: `%s · ${t('name')}` }, description: t('description') }
}

export default async function LocaleLayout({ children, params }: Props) {
  const { locale } = await params
  if (!isLocale(locale)) notFound()
  setRequestLocale(locale)
  const t = await getTranslations('site')
  const chosen = (await cookies()).get(themeCookie)?.value
  const theme = isTheme(chosen) ? chosen : undefined
  return (
    <html lang={locale === 'zh' ? 'zh-Hans' : 'en'} data-theme={theme}>
      <body>
        <a className="skip" href="#main">
          {t('skip')}
        </a>
        <Masthead locale={locale} theme={theme ?? 'system'} />
        <ErrorWordsProvider words={(await getMessages()).error}>{children}</ErrorWordsProvider>
      </body>
    </html>
  )
}
