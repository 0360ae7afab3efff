import type { Text } from '../../platform/model.ts'

/** A text in the reader's language: Chinese for any tag of it ('zh', 'zh-Hans'), English for every other. */
export function spoken(text: Text, locale: string): string {
  return locale.startsWith('zh') ? text.zh : text.en
}
