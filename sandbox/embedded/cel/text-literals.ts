/** The text of a string literal, quotes and all. Throws an Error in cel-go's words. */
export function stringLiteral(literal: string): string {
  const { body, isRaw } = parts(literal)
  return isRaw ? body : unescaped(body, (code) => String.fromCodePoint(code), false).join('')
}

/** The bytes of a bytes literal: escapes are bytes, all else is UTF-8. Throws an Error in cel-go's words. */
export function bytesLiteral(literal: string): Uint8Array {
  const { body, isRaw } = parts(literal.slice(1))
  if (isRaw) return new Uint8Array(Buffer.from(body))
  return new Uint8Array(
    Buffer.concat(
      unescaped(body, (code) => Buffer.from([code]), true).map((part) => (typeof part === 'string' ? Buffer.from(part) : part)),
    ),
  )
}

function parts(literal: string): { body: string; isRaw: boolean } {
  const text = literal.replace(/\r\n?/g, '\n')
  const isRaw = /^[rR]/.test(text)
  const quoted = isRaw ? text.slice(1) : text
  const width = /^(?:"""|''')/.test(quoted) && quoted.length >= 6 ? 3 : 1
  return { body: quoted.slice(width, -width), isRaw }
}

const plain: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }
const escaped = /\\(?:([0-3][0-7][0-7])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))/g

function unescaped<T>(body: string, of: (code: number) => T, isBytes: boolean): (string | T)[] {
  const found: (string | T)[] = []
  let from = 0
  for (const match of body.matchAll(escaped)) {
    found.push(body.slice(from, match.index))
    from = match.index + match[0].length
    const [, octal, hex, short, long, other] = match
    const point = short ?? long
    if (point !== undefined) {
      const code = Number.parseInt(point, 16)
      if (isBytes) throw new Error('unable to unescape string')
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw new Error('invalid unicode code point')
      found.push(of(code))
    } else if (octal !== undefined) found.push(of(Number.parseInt(octal, 8)))
    else if (hex !== undefined) found.push(of(Number.parseInt(hex, 16)))
    else found.push(plain[other as string] ?? (other as string))
  }
  found.push(body.slice(from))
  return found
}
