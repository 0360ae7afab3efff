/**
 * What `JSON.stringify(value, null, indent)` gives for plain data, in pieces none of which takes long to make: long texts and
 * long lists are cut, at the top and in the objects below it.
 */
export function* jsonPieces(value: unknown, indent = 0): Generator<string> {
  yield* pieces(value, indent, 0)
}

/** Characters of a text, and items of a list, in a piece. */
const charactersAtOnce = 256 * 2 ** 10
const itemsAtOnce = 1_000

function* pieces(value: unknown, indent: number, depth: number): Generator<string> {
  if (typeof value === 'string' && value.length > charactersAtOnce) yield* ofText(value)
  else if (Array.isArray(value) && value.length > itemsAtOnce) yield* ofList(value, indent, depth)
  else if (typeof value === 'object' && value !== null && !Array.isArray(value)) yield* ofObject(value, indent, depth)
  else yield whole(value, indent, depth)
}

function* ofText(text: string): Generator<string> {
  yield '"'
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + charactersAtOnce, text.length)
    // the halves of a pair would be written as what they are not
    if (isHighSurrogate(text.charCodeAt(end - 1)) && end < text.length) end++
    yield JSON.stringify(text.slice(start, end)).slice(1, -1)
    start = end
  }
  yield '"'
}

function* ofList(items: readonly unknown[], indent: number, depth: number): Generator<string> {
  const { line, end } = layout(indent, depth)
  for (let start = 0; start < items.length; start += itemsAtOnce) {
    const some = items.slice(start, start + itemsAtOnce).map((item) => line + whole(item ?? null, indent, depth + 1))
    yield `${start === 0 ? '[' : ','}${some.join(',')}`
  }
  yield `${end}]`
}

function* ofObject(object: object, indent: number, depth: number): Generator<string> {
  const { line, end } = layout(indent, depth)
  const fields = Object.entries(object).filter(([, value]) => value !== undefined)
  if (fields.length === 0) yield '{}'
  for (const [index, [key, value]] of fields.entries()) {
    yield `${index === 0 ? '{' : ','}${line}${JSON.stringify(key)}:${indent > 0 ? ' ' : ''}`
    yield* pieces(value, indent, depth + 1)
    if (index === fields.length - 1) yield `${end}}`
  }
}

function whole(value: unknown, indent: number, depth: number): string {
  const text = JSON.stringify(value, null, indent)
  return indent > 0 ? text.replaceAll('\n', `\n${' '.repeat(indent * depth)}`) : text
}

/** What stands before each part of a thing at a depth, and before its end. */
function layout(indent: number, depth: number): { line: string; end: string } {
  if (indent === 0) return { line: '', end: '' }
  return { line: `\n${' '.repeat(indent * (depth + 1))}`, end: `\n${' '.repeat(indent * depth)}` }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff
}
