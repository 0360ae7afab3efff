/** A word as a shell would read it back. bash leaves plain words alone where `always` is not asked. */
export function quoted(text: string, always = false): string {
  if (!always && /^[\w@%+=:,./-]+$/.test(text)) return text
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** As bash's `declare -p` and `set` show values. */
export function doubleQuoted(text: string): string {
  return `"${text.replace(/[\\"$`]/g, '\\$&')}"`
}
