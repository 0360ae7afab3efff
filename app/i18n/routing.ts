import { defineRouting } from 'next-intl/routing'

const locales = ['en', 'zh'] as const
export type Locale = (typeof locales)[number]

/** The locale stands in every path; a path without one is answered by Accept-Language (or the reader's last choice). */
export const routing = defineRouting({ locales, defaultLocale: 'en', localePrefix: 'always' })

export function isLocale(value: string): value is Locale {
  return (locales as readonly string[]).includes(value)
}

/** The address of a path of the site in one language. */
export function localised(locale: string, path: string): string {
  return path === '/' ? `/${locale}` : `/${locale}${path}`
}
