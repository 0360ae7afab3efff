import type { ThemeRegistration } from 'shiki'

/** Few inks: words of the reader's own stay plain, keys and keywords take the accent, the rest steps back. Colours are tokens. */
export const inkTheme = {
  name: 'ink',
  type: 'light',
  colors: { 'editor.foreground': 'var(--code-ink)', 'editor.background': 'var(--code-paper)' },
  settings: [
    { settings: { foreground: 'var(--code-ink)', background: 'var(--code-paper)' } },
    { scope: ['comment', 'punctuation.definition.comment'], settings: { foreground: 'var(--code-quiet)', fontStyle: 'italic' } },
    { scope: ['string', 'punctuation.definition.string'], settings: { foreground: 'var(--code-string)' } },
    { scope: ['constant.numeric', 'constant.language', 'constant.other'], settings: { foreground: 'var(--code-number)' } },
    {
      scope: [
        'entity.name.tag',
        'support.type.property-name',
        'keyword',
        'storage',
        'entity.name.function.shell',
        'support.function.builtin.shell',
      ],
      settings: { foreground: 'var(--code-key)' },
    },
    { scope: ['entity.name.command.shell', 'entity.name.function'], settings: { foreground: 'var(--code-key)', fontStyle: 'bold' } },
    { scope: ['variable', 'punctuation', 'meta.brace', 'keyword.operator'], settings: { foreground: 'var(--code-ink)' } },
    {
      scope: ['constant.other.option', 'string.unquoted.argument.shell constant.other.option'],
      settings: { foreground: 'var(--code-number)' },
    },
  ],
} satisfies ThemeRegistration
