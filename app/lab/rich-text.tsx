import type { Text } from '../../platform/model.ts'
import { spoken } from '../i18n/spoken.ts'

/** A sentence of a check in the reader's language; what stands in backticks is code. */
export function RichText({ text, locale }: { text: Text; locale: string }) {
  return spoken(text, locale)
    .split(/(`[^`]+`)/)
    .map((part, index) =>
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one sentence have no other name
      part.startsWith('`') && part.length > 2 ? <code key={index}>{part.slice(1, -1)}</code> : part,
    )
}
