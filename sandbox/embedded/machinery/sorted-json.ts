import { htmlSafe } from './html-safe.ts'

/** JSON as Go's encoding/json writes maps: keys in order, and what HTML gives a meaning escaped. */
export function sortedJson(value: unknown, indent?: string): string {
  const sorted = (_key: string, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part
  const text = JSON.stringify(value, sorted, indent)
  return htmlSafe(text)
}
