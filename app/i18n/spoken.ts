import type { Text } from '../../platform/model.ts'

/** A text in the reader's language. */
export function spoken(text: Text, locale: string): string {
  return text[languageOf(locale)]
}

/** Chinese for any tag of it ('zh', 'zh-Hans'), English for every other. */
export function languageOf(locale: string): keyof Text {
  return locale.startsWith('zh') ? 'zh' : 'en'
}
