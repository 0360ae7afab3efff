import {
  type AndOr,
  type Assignment,
  type Command,
  type Compound,
  type CompoundBody,
  type FunctionDefinition,
  type List,
  type Parameter,
  type Part,
  type Pipeline,
  type Redirection,
  type Simple,
  SyntaxFault,
  type TestExpression,
  type Word,
} from './ast.ts'

/**
 * Reads a script command line by command line, as a shell does: `next` parses one complete line (with all its here-documents
 * and whatever compound commands it opens) and is called again once that has run, so that an alias or a syntax error
 * further down takes effect only then. Throws SyntaxFault.
 */
export class Parser {
  private source: string
  private at = 0
  private line: number
  private readonly pendingHeredocs: { redirection: Redirection; delimiter: string; quoted: boolean; strip: boolean }[] = []
  private readonly aliases: ReadonlyMap<string, string> | undefined

  constructor(source: string, options: { line?: number; aliases?: ReadonlyMap<string, string> } = {}) {
    this.source = source
    this.line = options.line ?? 1
    this.aliases = options.aliases
  }

  /** The next complete command line; undefined at the end. */
  next(): List | undefined {
    this.skipNewlines()
    if (this.at >= this.source.length) return undefined
    const list: List = { items: [] }
    while (this.at < this.source.length) {
      this.blanks()
      if (this.peek() === '\n' || this.peek() === '') break
      const line = this.line
      const command = this.andOr()
      this.blanks()
      const separator = this.separator()
      list.items.push({ command, background: separator === '&', line })
      if (!separator) break
    }
    this.blanks()
    if (this.peek() === '\n') this.newline()
    else if (this.peek() !== '') throw this.unexpected()
    else this.finishHeredocs()
    return list
  }

  /** The whole script at once. */
  all(): List {
    const items: List['items'] = []
    for (let list = this.next(); list; list = this.next()) items.push(...list.items)
    return { items }
  }

  private separator(): ';' | '&' | undefined {
    if (this.peek() === ';' && this.source[this.at + 1] !== ';' && this.source[this.at + 1] !== '&') {
      this.at++
      return ';'
    }
    if (this.peek() === '&' && this.source[this.at + 1] !== '&') {
      this.at++
      return '&'
    }
    return undefined
  }

  /** Commands up to one of the closing words; at least one unless `mayBeEmpty`. */
  private list(closers: readonly string[], mayBeEmpty = false): List {
    const items: List['items'] = []
    for (;;) {
      this.skipNewlines()
      if (this.atCloser(closers)) break
      if (this.at >= this.source.length) throw this.unexpectedEnd()
      const line = this.line
      const command = this.andOr()
      this.blanks()
      const separator = this.separator()
      items.push({ command, background: separator === '&', line })
      if (separator) continue
      if (this.peek() === '\n') continue
      this.blanks()
      if (this.atCloser(closers)) break
      if (this.at >= this.source.length) throw this.unexpectedEnd()
      throw this.unexpected()
    }
    if (items.length === 0 && !mayBeEmpty) throw this.unexpected()
    return { items }
  }

  private atCloser(closers: readonly string[]): boolean {
    this.blanks()
    for (const closer of closers) {
      if (!this.source.startsWith(closer, this.at)) continue
      if (/^[a-z}]/.test(closer)) {
        const after = this.source[this.at + closer.length] ?? ''
        if (after !== '' && !isMeta(after)) continue
      }
      return true
    }
    return false
  }

  private andOr(): AndOr {
    const first = this.pipeline()
    const rest: AndOr['rest'] = []
    for (;;) {
      this.blanks()
      const operator = this.source.startsWith('&&', this.at) ? '&&' : this.source.startsWith('||', this.at) ? '||' : undefined
      if (!operator) return { first, rest }
      this.at += 2
      this.skipNewlines()
      rest.push({ operator, pipeline: this.pipeline() })
    }
  }

  private pipeline(): Pipeline {
    let negated = false
    let timed = false
    this.blanks()
    for (;;) {
      if (this.keyword('!')) negated = !negated
      else if (this.keyword('time')) {
        timed = true
        this.blanks()
        this.keyword('-p')
      } else break
      this.blanks()
    }
    const commands = [this.command()]
    for (;;) {
      this.blanks()
      if (this.peek() !== '|' || this.source[this.at + 1] === '|') break
      this.at++
      if (this.peek() === '&') {
        this.at++
        const last = commands[commands.length - 1] as Command
        if (last.type !== 'function') last.redirections.push({ fd: 2, operator: '>&', target: literalWord('1') })
      }
      this.skipNewlines()
      commands.push(this.command())
    }
    return { negated, timed, commands }
  }

  private command(): Command {
    this.blanks()
    const line = this.line
    const body = this.compoundBody()
    if (body) return { type: 'compound', body, redirections: this.redirections(), line }
    const definition = this.functionDefinition()
    if (definition) return definition
    return this.simple()
  }

  private compoundBody(): CompoundBody | undefined {
    if (this.source.startsWith('((', this.at)) {
      const expression = this.arithmeticCommand()
      if (expression) return { type: 'arithmetic', expression }
    }
    if (this.peek() === '(') {
      this.at++
      const list = this.list([')'])
      this.expect(')')
      return { type: 'subshell', list }
    }
    if (this.keyword('{')) {
      const list = this.list(['}'])
      this.expect('}')
      return { type: 'group', list }
    }
    if (this.keyword('if')) return this.ifCommand()
    if (this.keyword('while')) return this.loop(false)
    if (this.keyword('until')) return this.loop(true)
    if (this.keyword('for')) return this.forCommand()
    if (this.keyword('select')) return this.forCommand('select')
    if (this.keyword('case')) return this.caseCommand()
    if (this.keyword('[[')) {
      const expression = this.testOr()
      this.testBlanks()
      this.expectWord(']]')
      return { type: 'test', expression }
    }
    return undefined
  }

  private ifCommand(): CompoundBody {
    const branches: { condition: List; body: List }[] = []
    let otherwise: List | undefined
    for (;;) {
      const condition = this.list(['then'])
      this.expectWord('then')
      const body = this.list(['elif', 'else', 'fi'])
      branches.push({ condition, body })
      if (this.keyword('elif')) continue
      if (this.keyword('else')) otherwise = this.list(['fi'])
      this.expectWord('fi')
      return { type: 'if', branches, otherwise }
    }
  }

  private loop(until: boolean): CompoundBody {
    const condition = this.list(['do'])
    return { type: 'loop', until, condition, body: this.doGroup() }
  }

  private doGroup(): List {
    this.skipNewlines()
    this.expectWord('do')
    const body = this.list(['done'])
    this.expectWord('done')
    return body
  }

  private forCommand(type: 'for' | 'select' = 'for'): CompoundBody {
    this.blanks()
    if (type === 'for' && this.source.startsWith('((', this.at)) {
      this.at += 2
      const start = this.arithmeticUntil(';')
      const condition = this.arithmeticUntil(';')
      const step = this.arithmeticUntil('))')
      this.blanks()
      this.separator()
      this.skipNewlines()
      if (this.keyword('{')) {
        const body = this.list(['}'])
        this.expect('}')
        return { type: 'forArithmetic', start, condition, step, body }
      }
      return { type: 'forArithmetic', start, condition, step, body: this.doGroup() }
    }
    const name = /^[A-Za-z_]\w*/.exec(this.source.slice(this.at, this.at + 256))?.[0]
    if (!name) throw this.unexpected()
    this.at += name.length
    this.skipNewlines()
    let words: Word[] | undefined
    if (this.keyword('in')) {
      words = []
      for (;;) {
        this.blanks()
        const word = this.word()
        if (!word) break
        words.push(word)
      }
    }
    this.blanks()
    this.separator()
    return { type, name, words, body: this.doGroup() }
  }

  private caseCommand(): CompoundBody {
    this.blanks()
    const word = this.word()
    if (!word) throw this.unexpected()
    this.skipNewlines()
    this.expectWord('in')
    const branches: { patterns: Word[]; body: List; end: ';;' | ';&' | ';;&' }[] = []
    for (;;) {
      this.skipNewlines()
      if (this.keyword('esac')) return { type: 'case', word, branches }
      if (this.at >= this.source.length) throw this.unexpectedEnd()
      if (this.peek() === '(') this.at++
      const patterns: Word[] = []
      for (;;) {
        this.blanks()
        const pattern = this.word()
        if (!pattern) throw this.unexpected()
        patterns.push(pattern)
        this.blanks()
        if (this.peek() !== '|') break
        this.at++
      }
      this.expect(')')
      const body = this.list([';;', ';&', 'esac'], true)
      const end = this.source.startsWith(';;&', this.at)
        ? ';;&'
        : this.source.startsWith(';;', this.at)
          ? ';;'
          : this.source.startsWith(';&', this.at)
            ? ';&'
            : undefined
      if (end) this.at += end.length
      branches.push({ patterns, body, end: end ?? ';;' })
    }
  }

  private functionDefinition(): FunctionDefinition | undefined {
    const start = this.at
    const head = /^(?:function[ \t]+([^\s(){}|&;<>]+)[ \t]*(?:\([ \t]*\))?|([^\s(){}|&;<>'"$`\\=]+)[ \t]*\([ \t]*\))/.exec(
      this.source.slice(this.at, this.at + 512),
    )
    if (!head) return undefined
    this.at += head[0].length
    this.skipNewlines()
    const line = this.line
    const body = this.compoundBody()
    if (!body) throw this.unexpected()
    const compound: Compound = { type: 'compound', body, redirections: this.redirections(), line }
    return { type: 'function', name: (head[1] ?? head[2]) as string, body: compound, source: this.source.slice(start, this.at) }
  }

  private simple(): Simple {
    const command: Simple = { type: 'simple', assignments: [], words: [], redirections: [], line: this.line }
    for (;;) {
      this.blanks()
      const redirection = this.redirection()
      if (redirection) {
        command.redirections.push(redirection)
        continue
      }
      if (command.words.length === 0) {
        const assignment = this.assignment()
        if (assignment) {
          command.assignments.push(assignment)
          continue
        }
        this.expandAlias()
      } else if (declarations.has(command.words[0]?.text ?? '')) {
        const start = this.at
        const assignment = this.assignment()
        if (assignment?.array) {
          // declare -a x=(1 2): the words go to the builtin, the array is assigned after it.
          command.words.push(literalWord(assignment.name))
          command.assignments.push(assignment)
          continue
        }
        this.at = start
      }
      const word = this.word()
      if (!word) break
      command.words.push(word)
    }
    if (command.words.length + command.assignments.length + command.redirections.length === 0) {
      if (this.at >= this.source.length) throw this.unexpectedEnd()
      throw this.unexpected()
    }
    return command
  }

  private expandAlias(): void {
    if (!this.aliases || this.aliases.size === 0) return
    const name = /^[A-Za-z_][\w-]*/.exec(this.source.slice(this.at, this.at + 64))?.[0]
    const value = name === undefined ? undefined : this.aliases.get(name)
    if (name === undefined || value === undefined || !isMeta(this.source[this.at + name.length] ?? '\n')) return
    const rest = this.source.slice(this.at + name.length)
    this.source = this.source.slice(0, this.at) + value + rest
  }

  private assignment(): Assignment | undefined {
    const head = /^([A-Za-z_]\w*)(\+?=|\[)/.exec(this.source.slice(this.at, this.at + 300))
    if (!head) return undefined
    const start = this.at
    const name = head[1] as string
    this.at += name.length
    let index: Word | undefined
    if (this.peek() === '[') {
      const close = this.source.indexOf(']', this.at)
      if (close === -1 || !/^\+?=/.test(this.source.slice(close + 1, close + 3))) {
        this.at = start
        return undefined
      }
      index = new Parser(this.source.slice(this.at + 1, close), { line: this.line }).wordOfAll()
      this.at = close + 1
    }
    const append = this.peek() === '+'
    this.at += append ? 2 : 1
    if (this.peek() === '(' && !index) {
      this.at++
      const array: { index?: Word; value: Word }[] = []
      for (;;) {
        this.skipNewlines()
        if (this.peek() === ')') break
        const keyed = /^\[([^\]]*)\]=/.exec(this.source.slice(this.at, this.at + 256))
        if (keyed) this.at += keyed[0].length
        const value = this.word() ?? (keyed ? literalWord('') : undefined)
        if (!value) throw this.at >= this.source.length ? this.unexpectedEnd() : this.unexpected()
        array.push({ index: keyed ? new Parser(keyed[1] as string).wordOfAll() : undefined, value })
      }
      this.at++
      return { name, append, value: literalWord(''), array }
    }
    return { name, index, append, value: this.word() ?? literalWord('') }
  }

  private redirections(): Redirection[] {
    const all: Redirection[] = []
    for (;;) {
      this.blanks()
      const redirection = this.redirection()
      if (!redirection) return all
      all.push(redirection)
    }
  }

  private redirection(): Redirection | undefined {
    const head = /^(\d*)(<<<|<<-|<<|<&|<>|>>|>&|>\||<(?!\()|>(?!\())|^(&>>|&>)/.exec(this.source.slice(this.at, this.at + 16))
    if (!head) return undefined
    this.at += head[0].length
    const operator = (head[3] ?? head[2]) as string
    const fd = head[1] ? Number(head[1]) : undefined
    this.blanks()
    if (operator === '<<' || operator === '<<-') {
      const start = this.at
      const delimiter = this.word()
      if (!delimiter) throw this.unexpected()
      const raw = this.source.slice(start, this.at)
      const redirection: Redirection = { fd, operator: '<<', target: literalWord('') }
      this.pendingHeredocs.push({
        redirection,
        delimiter: plainText(delimiter),
        quoted: /['"\\]/.test(raw),
        strip: operator === '<<-',
      })
      return redirection
    }
    const target = this.word()
    if (!target) throw this.at >= this.source.length ? this.unexpectedEnd() : this.unexpected()
    return { fd, operator: operator as Redirection['operator'], target }
  }

  private finishHeredocs(): void {
    for (const pending of this.pendingHeredocs.splice(0)) {
      const lines: string[] = []
      let closed = false
      while (this.at < this.source.length) {
        const end = this.source.indexOf('\n', this.at)
        let text = this.source.slice(this.at, end === -1 ? undefined : end)
        this.at = end === -1 ? this.source.length : end + 1
        this.line++
        if (pending.strip) text = text.replace(/^\t+/, '')
        if (text === pending.delimiter) {
          closed = true
          break
        }
        lines.push(text)
      }
      if (!closed) throw new SyntaxFault(`here-document delimited by end-of-file (wanted "${pending.delimiter}")`, this.line, true)
      const body = lines.length > 0 ? `${lines.join('\n')}\n` : ''
      pending.redirection.target = pending.quoted
        ? { parts: [{ type: 'quoted', text: body }], text: body }
        : { parts: [{ type: 'double', parts: new Parser(body, { line: this.line }).doubleParts('') }], text: body }
    }
  }

  /** The rest of the source as one word (an index, an arithmetic expression, a default value). */
  wordOfAll(inQuotes = false): Word {
    const text = this.source
    const parts: Part[] = inQuotes ? this.doubleParts('') : []
    while (this.at < this.source.length) parts.push(...this.wordParts(() => false))
    return { parts, text }
  }

  private word(): Word | undefined {
    const start = this.at
    const parts = this.wordParts(isMeta)
    if (this.at === start) return undefined
    return { parts, text: this.source.slice(start, this.at) }
  }

  private wordParts(stops: (char: string) => boolean): Part[] {
    const parts: Part[] = []
    let text = ''
    const flush = () => {
      if (text !== '') parts.push({ type: 'literal', text })
      text = ''
    }
    while (this.at < this.source.length) {
      const char = this.source[this.at] as string
      if ((char === '<' || char === '>') && this.source[this.at + 1] === '(' && text === '' && parts.length === 0 && stops('<')) {
        this.at += 2
        const list = this.list([')'])
        this.expect(')')
        parts.push({ type: 'process', direction: char, list })
        continue
      }
      // Extended patterns @(a|b) in [[ ]] and case belong to the word.
      if (/[@?*+!]/.test(char) && this.source[this.at + 1] === '(' && stops('(')) {
        const close = this.matchingParenthesis(this.at + 1)
        if (close !== -1) {
          text += this.source.slice(this.at, close + 1)
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
        flush()
        parts.push({ type: 'quoted', text: next ?? '\\' })
        continue
      }
      if (char === "'") {
        flush()
        const end = this.source.indexOf("'", this.at + 1)
        if (end === -1) throw new SyntaxFault('Unterminated quoted string', this.line, true)
        const quoted = this.source.slice(this.at + 1, end)
        this.line += count(quoted, '\n')
        parts.push({ type: 'quoted', text: quoted })
        this.at = end + 1
        continue
      }
      if (char === '"') {
        flush()
        this.at++
        parts.push({ type: 'double', parts: this.doubleParts('"') })
        continue
      }
      if (char === '$' && this.source[this.at + 1] === "'") {
        flush()
        parts.push({ type: 'quoted', text: this.ansiQuoted() })
        continue
      }
      if (char === '$' && this.source[this.at + 1] === '"') {
        this.at++
        continue
      }
      if (char === '$' || char === '`') {
        const part = this.dollar(false)
        if (part) {
          flush()
          parts.push(part)
          continue
        }
      }
      if (char === '\n') this.line++
      text += char
      this.at++
    }
    flush()
    return parts
  }

  private doubleParts(close: string): Part[] {
    const parts: Part[] = []
    let text = ''
    const flush = () => {
      if (text !== '') parts.push({ type: 'quoted', text })
      text = ''
    }
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
          text += next
          this.at += 2
          continue
        }
      }
      if (char === '$' || char === '`') {
        const part = this.dollar(true)
        if (part) {
          flush()
          parts.push(part)
          continue
        }
      }
      if (char === '\n') this.line++
      text += char
      this.at++
    }
    flush()
    return parts
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
    return { type: 'command', list: new Parser(body, { line: this.line }).all() }
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
      parameter.index = new Parser(this.source.slice(this.at + 1, close), { line: this.line }).wordOfAll()
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
    if (!operator) throw this.badSubstitution(open)
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

  /** (( .. )) as a command; undefined when it is a subshell in a subshell. */
  private arithmeticCommand(): Word | undefined {
    const start = this.at
    this.at += 2
    try {
      return this.arithmeticUntil('))')
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error
      this.at = start
      return undefined
    }
  }

  private arithmeticUntil(close: string): Word {
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
    return new Parser(body.replaceAll('"', ''), { line: this.line }).wordOfAll(true)
  }

  private testOr(): TestExpression {
    let left = this.testAnd()
    for (;;) {
      this.testBlanks()
      if (!this.source.startsWith('||', this.at)) return left
      this.at += 2
      left = { type: 'or', left, right: this.testAnd() }
    }
  }

  private testAnd(): TestExpression {
    let left = this.testNot()
    for (;;) {
      this.testBlanks()
      if (!this.source.startsWith('&&', this.at)) return left
      this.at += 2
      left = { type: 'and', left, right: this.testNot() }
    }
  }

  private testNot(): TestExpression {
    this.testBlanks()
    if (this.keyword('!')) return { type: 'not', operand: this.testNot() }
    if (this.peek() === '(') {
      this.at++
      const inner = this.testOr()
      this.testBlanks()
      this.expect(')')
      return inner
    }
    const unary = /^-[a-zA-Z](?=[ \t\n])/.exec(this.source.slice(this.at, this.at + 3))?.[0]
    if (unary) {
      this.at += 2
      this.testBlanks()
      const operand = this.word()
      if (!operand) throw this.unexpected()
      return { type: 'unary', operator: unary, operand }
    }
    const left = this.word()
    if (!left) throw this.unexpected()
    this.testBlanks()
    const operator = /^(?:==|=~|!=|=|<|>|-(?:eq|ne|lt|le|gt|ge|nt|ot|ef)(?=\s))/.exec(this.source.slice(this.at, this.at + 4))?.[0]
    if (!operator) return { type: 'unary', operator: '-n', operand: left }
    this.at += operator.length
    this.testBlanks()
    const right = operator === '=~' ? this.regularExpression() : this.word()
    if (!right) throw this.unexpected()
    return { type: 'binary', operator, left, right }
  }

  private regularExpression(): Word {
    const start = this.at
    let depth = 0
    const parts = this.wordParts((char) => {
      if (char === '(') depth++
      if (char === ')') depth--
      return depth < 0 || (depth === 0 && /\s/.test(char))
    })
    return { parts, text: this.source.slice(start, this.at) }
  }

  private testBlanks(): void {
    this.skipNewlines()
  }

  private matchingParenthesis(open: number): number {
    let depth = 0
    for (let index = open; index < this.source.length && this.source[index] !== '\n'; index++) {
      if (this.source[index] === '(') depth++
      else if (this.source[index] === ')' && --depth === 0) return index
    }
    return -1
  }

  private keyword(word: string): boolean {
    if (!this.source.startsWith(word, this.at)) return false
    const after = this.source[this.at + word.length] ?? ''
    if (after !== '' && !isMeta(after)) return false
    this.at += word.length
    return true
  }

  private expectWord(word: string): void {
    this.blanks()
    if (this.keyword(word)) return
    throw this.at >= this.source.length ? this.unexpectedEnd() : this.unexpected(word)
  }

  private expect(char: string): void {
    this.blanks()
    if (this.peek() !== char) throw this.at >= this.source.length ? this.unexpectedEnd() : this.unexpected(char)
    this.at++
  }

  private peek(): string {
    return this.source[this.at] ?? ''
  }

  private blanks(): void {
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

  private newline(): void {
    this.at++
    this.line++
    this.finishHeredocs()
  }

  private skipNewlines(): void {
    this.blanks()
    while (this.peek() === '\n') {
      this.newline()
      this.blanks()
    }
  }

  private unexpectedEnd(): SyntaxFault {
    return new SyntaxFault('unexpected end of file', this.line, true)
  }

  private unexpected(wanted?: string): SyntaxFault {
    const rest = this.source.slice(this.at)
    const token =
      rest === ''
        ? 'end of file'
        : rest.startsWith('\n')
          ? 'newline'
          : (/^(?:;;|&&|\|\||<<|>>|[;&|<>()]|[^\s;&|<>()]+)/.exec(rest)?.[0] ?? '')
    const quoted = token === 'end of file' || token === 'newline' ? token : `"${token}"`
    return new SyntaxFault(`unexpected ${quoted}${wanted ? ` (expecting "${wanted}")` : ''}`, this.line)
  }

  private badSubstitution(open: number): SyntaxFault {
    const end = this.source.indexOf('}', open)
    return end === -1 ? new SyntaxFault("Missing '}'", this.line, true) : new SyntaxFault('bad substitution', this.line)
  }
}

const declarations = new Set(['declare', 'local', 'typeset', 'readonly', 'export'])

function isMeta(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\n' || char === '\r' || /[;&|<>()]/.test(char)
}

function literalWord(text: string): Word {
  return { parts: text === '' ? [] : [{ type: 'quoted', text }], text }
}

/** A word's text without its quotes, nothing expanded (a here-document's delimiter). */
function plainText(word: Word): string {
  const text = (parts: readonly Part[]): string =>
    parts
      .map((part) => (part.type === 'literal' || part.type === 'quoted' ? part.text : part.type === 'double' ? text(part.parts) : ''))
      .join('')
  return text(word.parts)
}

function count(text: string, char: string): number {
  let found = 0
  for (const one of text) if (one === char) found++
  return found
}

/** The escapes of $'..', printf and echo -e. */
export function unescapeAnsi(text: string): string {
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
