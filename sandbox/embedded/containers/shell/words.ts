import { type List, type Parameter, type Part, SyntaxFault, type Word } from './ast.ts'

/** The lower half of the parser: where it stands in the source, and how words with their quotes and expansions are read. */
export abstract class WordReader {
  protected source: string
  protected at = 0
  protected line: number

  /** Whether what only bash knows is understood. */
  protected readonly bash: boolean

  constructor(source: string, line: number, bash: boolean) {
    this.source = source
    this.bash = bash
    this.line = line
  }

  /** The commands up to one of the closers: what stands in $(...). */
  protected abstract list(closers: readonly string[], mayBeEmpty?: boolean): List

  /** Called at the end of a line: the here-documents that it has announced follow. */
  protected abstract finishHeredocs(): void

  /** A reader of a part of this source. */
  protected abstract reader(source: string): WordReader & { all(): List }

  /** The rest of the source as one word (an index, an arithmetic expression, a default value). */
  wordOfAll(inQuotes = false): Word {
    const text = this.source
    const parts: Part[] = inQuotes ? this.doubleParts('') : []
    while (this.at < this.source.length) parts.push(...this.wordParts(() => false))
    return { parts, text }
  }

  protected word(): Word | undefined {
    const start = this.at
    const parts = this.wordParts(isMeta)
    if (this.at === start) return undefined
    return { parts, text: this.source.slice(start, this.at) }
  }

  protected wordParts(stops: (char: string) => boolean): Part[] {
    const gathered = new GatheredParts('literal')
    while (this.at < this.source.length) {
      const char = this.source[this.at] as string
      if ((char === '<' || char === '>') && this.source[this.at + 1] === '(' && gathered.isEmpty && stops('<')) {
        this.at += 2
        const list = this.list([')'])
        this.expect(')')
        gathered.add({ type: 'process', direction: char, list })
        continue
      }
      // Extended patterns @(a|b) in [[ ]] and case belong to the word.
      if (/[@?*+!]/.test(char) && this.source[this.at + 1] === '(' && stops('(')) {
        const close = this.matchingParenthesis(this.at + 1)
        if (close !== -1) {
          gathered.text += this.source.slice(this.at, close + 1)
          this.at = close + 1
          continue
        }
      }
      if (stops(char)) break
      if (char === '\\') {
        const next = this.source[this.at + 1]
        this.at += 2
        if (next === '\n') {
          this.line++
          continue
        }
        gathered.add({ type: 'quoted', text: next ?? '\\' })
        continue
      }
      if (char === "'") {
        const end = this.source.indexOf("'", this.at + 1)
        if (end === -1) throw new SyntaxFault('Unterminated quoted string', this.line, true)
        const quoted = this.source.slice(this.at + 1, end)
        this.line += count(quoted, '\n')
        gathered.add({ type: 'quoted', text: quoted })
        this.at = end + 1
        continue
      }
      if (char === '"') {
        this.at++
        gathered.add({ type: 'double', parts: this.doubleParts('"') })
        continue
      }
      if (char === '$' && this.source[this.at + 1] === "'") {
        gathered.add({ type: 'quoted', text: this.ansiQuoted() })
        continue
      }
      if (char === '$' && this.source[this.at + 1] === '"') {
        this.at++
        continue
      }
      this.take(gathered, false)
    }
    return gathered.all()
  }

  protected doubleParts(close: string): Part[] {
    const gathered = new GatheredParts('quoted')
    for (;;) {
      if (this.at >= this.source.length) {
        if (close !== '') throw new SyntaxFault('Unterminated quoted string', this.line, true)
        break
      }
      const char = this.source[this.at] as string
      if (char === close) {
        this.at++
        break
      }
      if (char === '\\') {
        const next = this.source[this.at + 1]
        if (next === '\n') {
          this.at += 2
          this.line++
          continue
        }
        if (next !== undefined && (next === '$' || next === '`' || next === '\\' || (next === '"' && close === '"'))) {
          gathered.text += next
          this.at += 2
          continue
        }
      }
      this.take(gathered, true)
    }
    return gathered.all()
  }

  /** The expansion that begins here, or else the character as it is. */
  private take(gathered: GatheredParts, inQuotes: boolean): void {
    const char = this.source[this.at] as string
    const part = char === '$' || char === '`' ? this.dollar(inQuotes) : undefined
    if (part) gathered.add(part)
    else {
      if (char === '\n') this.line++
      gathered.text += char
      this.at++
    }
  }

  /** $x, ${..}, $(..), $((..)) or `..`; undefined when the $ stands for itself. */
  private dollar(inQuotes: boolean): Part | undefined {
    if (this.source[this.at] === '`') return this.backticks()
    const next = this.source[this.at + 1] ?? ''
    if (next === '(') {
      if (this.source[this.at + 2] === '(') {
        const start = this.at
        const line = this.line
        this.at += 3
        try {
          return { type: 'arithmetic', expression: this.arithmeticUntil('))') }
        } catch (error) {
          if (!(error instanceof SyntaxFault)) throw error
          this.at = start
          this.line = line
        }
      }
      this.at += 2
      const list = this.list([')'], true)
      this.expect(')')
      return { type: 'command', list }
    }
    if (next === '{') return this.braced(inQuotes)
    const name = /^(?:[A-Za-z_]\w*|[0-9@*#?$!-])/.exec(this.source.slice(this.at + 1, this.at + 200))?.[0]
    if (!name) return undefined
    this.at += 1 + name.length
    return { type: 'parameter', parameter: { name } }
  }

  private backticks(): Part {
    let end = this.at + 1
    while (end < this.source.length && this.source[end] !== '`') end += this.source[end] === '\\' ? 2 : 1
    if (end >= this.source.length) throw new SyntaxFault('Unterminated backquoted string', this.line, true)
    const body = this.source.slice(this.at + 1, end).replace(/\\([`$\\])/g, '$1')
    this.at = end + 1
    return { type: 'command', list: this.reader(body).all() }
  }

  private braced(inQuotes: boolean): Part {
    const open = this.at
    this.at += 2
    const parameter: Parameter = { name: '' }
    if (this.peek() === '#' && this.source[this.at + 1] !== '}' && !/^#[:%#/-]/.test(this.source.slice(this.at, this.at + 2))) {
      parameter.length = true
      this.at++
    } else if (this.peek() === '!' && this.source[this.at + 1] !== '}') {
      parameter.indirect = true
      this.at++
    }
    const name = /^(?:[A-Za-z_]\w*|\d+|[@*#?$!-])/.exec(this.source.slice(this.at, this.at + 200))?.[0]
    if (!name) throw this.badSubstitution(open)
    parameter.name = name
    this.at += name.length
    if (this.peek() === '[') {
      const close = this.source.indexOf(']', this.at)
      if (close === -1) throw this.badSubstitution(open)
      parameter.index = this.reader(this.source.slice(this.at + 1, close)).wordOfAll()
      this.at = close + 1
      if (parameter.indirect && /^[@*]$/.test(parameter.index.text)) parameter.indirect = 'keys'
    }
    if (parameter.indirect === true && /^[@*]}/.test(this.source.slice(this.at, this.at + 2))) {
      parameter.indirect = 'names'
      this.at++
    }
    if (this.peek() === '}') {
      this.at++
      return { type: 'parameter', parameter }
    }
    const operator = /^(?::[-=?+]|[-=?+]|##?|%%?|\/[/#%]?|:|\^\^?|,,?|@)/.exec(this.source.slice(this.at, this.at + 2))?.[0]
    if (!operator || (!this.bash && /^[\^,@]/.test(operator))) throw this.badSubstitution(open)
    this.at += operator.length
    parameter.operator = operator
    const pattern = /^[#%/]/.test(operator)
    const body = this.bracedBody(inQuotes && !pattern, operator.startsWith('/') ? '/' : operator === ':' ? ':' : '')
    parameter.word = body.first
    parameter.second = body.second
    return { type: 'parameter', parameter }
  }

  /** The text up to the closing brace, cut at the first separator outside of quotes. */
  private bracedBody(inQuotes: boolean, separator: string): { first: Word; second?: Word } {
    const start = this.at
    const words: Word[] = []
    let parts: Part[] = []
    let text = ''
    let begin = start
    const flush = () => {
      if (text !== '') parts.push({ type: inQuotes ? 'quoted' : 'literal', text })
      text = ''
    }
    for (;;) {
      if (this.at >= this.source.length) throw new SyntaxFault("Missing '}'", this.line, true)
      const char = this.source[this.at] as string
      if (char === '}') break
      if (char === separator && words.length === 0) {
        flush()
        words.push({ parts, text: this.source.slice(begin, this.at) })
        parts = []
        this.at++
        begin = this.at
        continue
      }
      if (char === '\\') {
        const next = this.source[this.at + 1] ?? ''
        flush()
        if (next !== '\n') parts.push({ type: 'quoted', text: inQuotes && !/[$`"\\}]/.test(next) ? `\\${next}` : next })
        this.at += 2
        continue
      }
      if (char === "'" && !inQuotes) {
        flush()
        const end = this.source.indexOf("'", this.at + 1)
        if (end === -1) throw new SyntaxFault('Unterminated quoted string', this.line, true)
        parts.push({ type: 'quoted', text: this.source.slice(this.at + 1, end) })
        this.at = end + 1
        continue
      }
      if (char === '"') {
        flush()
        this.at++
        parts.push({ type: 'double', parts: this.doubleParts('"') })
        continue
      }
      if (char === '$' && this.source[this.at + 1] === "'" && !inQuotes) {
        flush()
        parts.push({ type: 'quoted', text: this.ansiQuoted() })
        continue
      }
      if (char === '$' || char === '`') {
        const part = this.dollar(inQuotes)
        if (part) {
          flush()
          parts.push(part)
          continue
        }
      }
      text += char
      this.at++
    }
    flush()
    words.push({ parts, text: this.source.slice(begin, this.at) })
    this.at++
    return { first: words[0] as Word, second: words[1] }
  }

  private ansiQuoted(): string {
    let end = this.at + 2
    while (end < this.source.length && this.source[end] !== "'") end += this.source[end] === '\\' ? 2 : 1
    if (end >= this.source.length) throw new SyntaxFault('Unterminated quoted string', this.line, true)
    const body = this.source.slice(this.at + 2, end)
    this.at = end + 1
    return unescapeAnsi(body)
  }

  protected arithmeticUntil(close: string): Word {
    let depth = 0
    let end = this.at
    for (; ; end++) {
      const char = this.source[end]
      if (char === undefined) throw new SyntaxFault("Missing '))'", this.line, true)
      if (depth === 0 && this.source.startsWith(close, end)) break
      if (char === '(') depth++
      else if (char === ')') {
        depth--
        if (depth < 0) throw new SyntaxFault("Missing '))'", this.line)
      }
    }
    const body = this.source.slice(this.at, end)
    this.at = end + close.length
    return this.reader(body.replaceAll('"', '')).wordOfAll(true)
  }

  private matchingParenthesis(open: number): number {
    let depth = 0
    for (let index = open; index < this.source.length && this.source[index] !== '\n'; index++) {
      if (this.source[index] === '(') depth++
      else if (this.source[index] === ')' && --depth === 0) return index
    }
    return -1
  }

  protected keyword(word: string): boolean {
    if (!this.source.startsWith(word, this.at)) return false
    const after = this.source[this.at + word.length] ?? ''
    if (after !== '' && !isMeta(after)) return false
    this.at += word.length
    return true
  }

  protected expectWord(word: string): void {
    this.blanks()
    if (this.keyword(word)) return
    throw this.at >= this.source.length ? this.unexpectedEnd(word) : this.unexpected(word)
  }

  protected expect(char: string): void {
    this.blanks()
    if (this.peek() !== char) throw this.at >= this.source.length ? this.unexpectedEnd(char) : this.unexpected(char)
    this.at++
  }

  protected peek(): string {
    return this.source[this.at] ?? ''
  }

  protected blanks(): void {
    for (;;) {
      const char = this.source[this.at]
      if (char === ' ' || char === '\t' || char === '\r') this.at++
      else if (char === '\\' && this.source[this.at + 1] === '\n') {
        this.at += 2
        this.line++
      } else if (char === '#') {
        while (this.at < this.source.length && this.source[this.at] !== '\n') this.at++
      } else return
    }
  }

  protected newline(): void {
    this.at++
    this.line++
    this.finishHeredocs()
  }

  protected skipNewlines(): void {
    this.blanks()
    while (this.peek() === '\n') {
      this.newline()
      this.blanks()
    }
  }

  protected unexpectedEnd(wanted?: string): SyntaxFault {
    return new SyntaxFault(`unexpected end of file${wanted ? ` (expecting "${wanted}")` : ''}`, this.line, true)
  }

  protected unexpected(wanted?: string): SyntaxFault {
    const rest = this.source.slice(this.at)
    const token =
      rest === ''
        ? 'end of file'
        : rest.startsWith('\n')
          ? 'newline'
          : (/^(?:;;|&&|\|\||<<|>>|[;&|<>()]|[^\s;&|<>()]+)/.exec(rest)?.[0] ?? '')
    const word = /^[^;&|<>()\n]/.test(token) && !reserved.has(token)
    const quoted =
      token === 'end of file' || token === 'newline' ? token : word ? 'word' : /^[<>]/.test(token) ? 'redirection' : `"${token}"`
    return new SyntaxFault(`unexpected ${quoted}${wanted ? ` (expecting "${wanted}")` : ''}`, this.line)
  }

  private badSubstitution(open: number): SyntaxFault {
    const end = this.source.indexOf('}', open)
    return end === -1 ? new SyntaxFault("Missing '}'", this.line, true) : new SyntaxFault('bad substitution', this.line)
  }
}

const reserved = new Set(['!', 'case', 'do', 'done', 'elif', 'else', 'esac', 'fi', 'for', 'if', 'in', 'then', 'until', 'while', '{', '}'])

export function isMeta(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\n' || char === '\r' || /[;&|<>()]/.test(char)
}

function count(text: string, char: string): number {
  let found = 0
  for (const one of text) if (one === char) found++
  return found
}

/** The escapes of $'..'. */
function unescapeAnsi(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|0?([0-7]{1,3})|(.))/gs, (whole, hex, unicode, octal, char) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    if (unicode !== undefined) return String.fromCodePoint(Number.parseInt(unicode, 16))
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 255)
    return ansiEscapes[char as string] ?? whole
  })
}

const ansiEscapes: Record<string, string> = {
  a: '\x07',
  b: '\b',
  e: '\x1b',
  E: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '?': '?',
}

/** The parts of a word as they are read: plain characters are gathered until something else comes. */
class GatheredParts {
  text = ''
  private readonly parts: Part[] = []
  private readonly type: 'literal' | 'quoted'

  constructor(type: 'literal' | 'quoted') {
    this.type = type
  }

  get isEmpty(): boolean {
    return this.text === '' && this.parts.length === 0
  }

  add(part: Part): void {
    this.flush()
    this.parts.push(part)
  }

  all(): Part[] {
    this.flush()
    return this.parts
  }

  private flush(): void {
    if (this.text !== '') this.parts.push({ type: this.type, text: this.text })
    this.text = ''
  }
}
