import { getRequestConfig } from 'next-intl/server'
import en from '../messages/en.json' with { type: 'json' }
import zh from '../messages/zh.json' with { type: 'json' }
import { isLocale, routing } from './routing.ts'

export default getRequestConfig(async ({ requestLocale }) => {
  const asked = (await requestLocale) ?? routing.defaultLocale
  const locale = isLocale(asked) ? asked : routing.defaultLocale
  return { locale, messages: locale === 'zh' ? zh : en, timeZone: 'UTC' }
})
