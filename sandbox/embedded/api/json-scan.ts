/** What a JSON text is made of, found without making anything of it. The text need not be valid. */
export interface JsonScan {
  /** Fields of objects. */
  keys: number
  /** Fields, items, objects and lists: what it costs to make and keep. */
  parts: number
  deepest: number
}

export function scanJson(text: string): JsonScan {
  const scan: JsonScan = { keys: 0, parts: 1, deepest: 0 }
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case quote:
        at = endOfString(text, at)
        break
      case colon:
        scan.keys++
        break
      case comma:
        scan.parts++
        break
      case openBrace:
      case openBracket:
        scan.parts++
        if (++depth > scan.deepest) scan.deepest = depth
        break
      case closeBrace:
      case closeBracket:
        depth--
        break
    }
  }
  return scan
}

/** How many fields a value of JSON has in all. */
export function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) for (const item of value) count += countKeys(item)
  else for (const key in value) count += 1 + countKeys((value as Record<string, unknown>)[key])
  return count
}

const quote = 0x22
const backslash = 0x5c
const colon = 0x3a
const comma = 0x2c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/** The place of the quote that ends a string; the text's end where none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes++
    if (slashes % 2 === 0) return end
  }
  return text.length
}
