import en from '../../app/messages/en.json' with { type: 'json' }
import zh from '../../app/messages/zh.json' with { type: 'json' }

export const locales = ['en', 'zh'] as const
export type Locale = (typeof locales)[number]

/** What the pages say, in each language. */
export const words: Record<Locale, typeof en> = { en, zh }
