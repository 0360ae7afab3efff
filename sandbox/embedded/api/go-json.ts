/** How deep values may lie within each other for Go's decoder. */
const deepest = 10_000

/**
 * What Go's encoding/json says is wrong with a text, in its words; undefined for JSON. Only faults are looked for, since
 * whoever reads the text has another parser that is faster and has other words.
 */
export function goJsonFault(text: string): string | undefined {
  const scanner = new Scanner(text)
  try {
    scanner.space()
    scanner.value()
    scanner.space()
    if (!scanner.done) throw scanner.unexpected('after top-level value')
    return undefined
  } catch (error) {
    if (error instanceof Fault) return error.message
    throw error
  }
}

/** The kind of value that JSON text is at its top, as Go's errors name it. */
export function goJsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

class Fault extends Error {}

class Scanner {
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  get done(): boolean {
    return this.at >= this.text.length
  }

  space(): void {
    while (/^[ \t\r\n]$/.test(this.text.charAt(this.at))) this.at++
  }

  /** An own stack instead of the program's, which such texts are meant to overflow. */
  value(): void {
    const open: ('{' | '[')[] = []
    for (;;) {
      this.space()
      const first = this.peek()
      if (first === '{' || first === '[') {
        if (open.length + 1 > deepest) throw this.unexpected('exceeded max depth')
        this.at++
        this.space()
        const closing = first === '{' ? '}' : ']'
        if (this.peek() !== closing) {
          open.push(first)
          if (first === '{') this.key()
          continue
        }
        this.at++
      } else this.scalar(first)
      for (;;) {
        const inside = open.at(-1)
        if (inside === undefined) return
        this.space()
        const next = this.peek()
        if (next === ',') {
          this.at++
          if (inside === '{') {
            this.space()
            this.key()
          }
          break
        }
        if (next !== (inside === '{' ? '}' : ']')) {
          throw this.unexpected(inside === '{' ? 'after object key:value pair' : 'after array element')
        }
        this.at++
        open.pop()
      }
    }
  }

  private key(): void {
    if (this.peek() !== '"') throw this.unexpected('looking for beginning of object key string')
    this.string()
    this.space()
    if (this.peek() !== ':') throw this.unexpected('after object key')
    this.at++
  }

  private scalar(first: string): void {
    const word = ['true', 'false', 'null'].find((literal) => literal.startsWith(first))
    if (first === '"') this.string()
    else if (word) this.literal(word)
    else if (first === '-' || /[0-9]/.test(first)) this.number()
    else throw this.unexpected('looking for beginning of value')
  }

  private string(): void {
    this.at++
    for (;;) {
      const character = this.peek()
      if (character === '"') {
        this.at++
        return
      }
      if (character < ' ') throw this.unexpected('in string literal')
      this.at++
      if (character !== '\\') continue
      const code = this.peek()
      if (!'bfnrt\\/"u'.includes(code)) throw this.unexpected('in string escape code')
      this.at++
      if (code !== 'u') continue
      for (let digit = 0; digit < 4; digit++) {
        if (!/[0-9a-fA-F]/.test(this.peek())) throw this.unexpected('in \\u hexadecimal character escape')
        this.at++
      }
    }
  }

  private literal(word: string): void {
    this.at++
    for (const letter of word.slice(1)) {
      if (this.peek() !== letter) throw this.unexpected(`in literal ${word} (expecting '${letter}')`)
      this.at++
    }
  }

  private number(): void {
    if (this.peek() === '-') {
      this.at++
      if (!/[0-9]/.test(this.peek())) throw this.unexpected('in numeric literal')
    }
    if (this.peek() === '0') this.at++
    else this.digits()
    if (this.text.charAt(this.at) === '.') {
      this.at++
      if (!/[0-9]/.test(this.peek())) throw this.unexpected('after decimal point in numeric literal')
      this.digits()
    }
    if (!/^[eE]$/.test(this.text.charAt(this.at))) return
    this.at++
    if (/[+-]/.test(this.peek())) this.at++
    if (!/[0-9]/.test(this.peek())) throw this.unexpected('in exponent of numeric literal')
    this.digits()
  }

  private digits(): void {
    while (/^[0-9]$/.test(this.text.charAt(this.at))) this.at++
  }

  private peek(): string {
    if (this.done) throw new Fault('unexpected end of JSON input')
    return this.text.charAt(this.at)
  }

  unexpected(where: string): Fault {
    return new Fault(`invalid character ${quoted(this.text.charAt(this.at))} ${where}`)
  }
}

const escapes: Record<string, string> = {
  "'": "'\\''",
  '"': `'"'`,
  '\\': `'\\\\'`,
  '\n': "'\\n'",
  '\t': "'\\t'",
  '\r': "'\\r'",
  '\u0007': "'\\a'",
  '\b': "'\\b'",
  '\f': "'\\f'",
  '\v': "'\\v'",
}

/** Go looks at bytes: a character of several is shown as its first. */
function quoted(character: string): string {
  const known = escapes[character]
  if (known) return known
  const byte = Buffer.from(character)[0] ?? 0
  if (byte < 0x20 || byte === 0x7f) return `'\\x${byte.toString(16).padStart(2, '0')}'`
  return `'${byte < 0x80 ? character : String.fromCharCode(byte)}'`
}
