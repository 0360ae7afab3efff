/**
 * JavaScript has the keys of an object that are whole numbers before all others and in their numerical order, whatever they were put
 * in by; Go sorts the keys of a map by their bytes: "10", "9", "a". No object can be brought into that order, but its text can.
 */

/** Whether an object has such keys; they come first. */
export function hasNumberedKeys(value: object): boolean {
  for (const key in value) return wholeNumber.test(key)
  return false
}

/** What `JSON.stringify(value, null, indent)` gives for plain data, but for maps with such keys, which are sorted as Go sorts them. */
export function jsonWithNumberedKeys(value: unknown, indent = 0): string {
  return written(value, indent, '\n')
}

/** `line`: the end of a line, with what stands before the next one at this depth. */
function written(value: unknown, indent: number, line: string): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const inner = line + ' '.repeat(indent)
  const within = (open: string, parts: readonly string[], close: string) => {
    if (parts.length === 0) return open + close
    return indent > 0 ? `${open}${inner}${parts.join(`,${inner}`)}${line}${close}` : `${open}${parts.join(',')}${close}`
  }
  if (Array.isArray(value)) {
    const items = value.map((item) => written(item, indent, inner))
    return within('[', items, ']')
  }
  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  if (hasNumberedKeys(value)) fields.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const colon = indent > 0 ? ': ' : ':'
  const texts = fields.map(([name, field]) => `${JSON.stringify(name)}${colon}${written(field, indent, inner)}`)
  return within('{', texts, '}')
}

const wholeNumber = /^(0|[1-9]\d{0,9})$/
