/** What a person is told, in both languages. */
export interface Text {
  en: string
  zh: string
}

export type Language = keyof Text

/** An error that is told to people, in both languages. The message is the English one. */
export class Told extends Error {
  override readonly name: string = 'Told'
  readonly text: Text

  constructor(text: Text, options?: ErrorOptions) {
    super(text.en, options)
    this.text = text
  }
}

/** This machine has not what is asked of it; says what that is and what to do about it. */
export class Shortage extends Told {
  override readonly name = 'Shortage'
}

/** A fault in both languages; one that only some program's own words tell is the same in either. */
export function textOf(error: unknown): Text {
  if (error instanceof Told) return error.text
  const message = error instanceof Error ? error.message : String(error)
  return { en: message, zh: message }
}

/** Several sentences as one. */
export function joined(texts: readonly Text[]): Text {
  return { en: texts.map(({ en }) => en).join(' '), zh: texts.map(({ zh }) => zh).join('') }
}
