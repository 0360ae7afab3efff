/** A value as cel-go prints it into a text. */
export function canonical(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `[${value.map(canonical).join(', ')}]`
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z')
  if (value instanceof Map) return canonical(Object.fromEntries(value))
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${entries.map(([key, inner]) => `${key}: ${canonical(inner)}`).join(', ')}}`
  }
  return String(value)
}

/** An RE2 expression as JavaScript's. Throws SyntaxError. */
export function goRegExp(pattern: string, flags = ''): RegExp {
  const inline = /^\(\?([imsU]+)\)/.exec(pattern)
  const source = (inline ? pattern.slice(inline[0].length) : pattern)
    .replaceAll('\\A', '^')
    .replaceAll('\\z', '$')
    .replaceAll('(?P<', '(?<')
    // Flags behind something hold to the end.
    .replace(/^([^()|]+)\(\?([ims]+)\)(.*)$/s, '$1(?$2:$3)')
  const all = `${flags}${(inline?.[1] ?? '').replace('U', '')}`
  try {
    return new RegExp(source, `u${all}`)
  } catch {
    // RE2 lets every sign be escaped; JavaScript does where it does not know of Unicode.
    return new RegExp(source, all)
  }
}
