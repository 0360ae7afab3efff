/** JSON as encoding/json writes it: the keys of maps in order, HTML's characters escaped. */
export function goJson(value: unknown, indent?: string): string {
  const sorted = JSON.stringify(
    value,
    (_key, item: unknown) => (isMap(item) ? Object.fromEntries(Object.entries(item).sort(byKey)) : item),
    indent,
  )
  return sorted.replace(/[<>&\u2028\u2029]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function isMap(item: unknown): item is Record<string, unknown> {
  return typeof item === 'object' && item !== null && !Array.isArray(item)
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
