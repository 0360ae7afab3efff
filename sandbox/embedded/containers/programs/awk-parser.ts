import { posixRegExp } from './regular.ts'

export type Cell =
  | { type: 'name'; name: string }
  | { type: 'element'; array: string; index: Expression[] }
  | { type: 'field'; index: Expression }

export type Expression =
  | Cell
  | { type: 'number'; value: number }
  | { type: 'string'; value: string }
  | { type: 'regexp'; value: RegExp }
  | { type: 'group'; inner: Expression }
  | { type: 'assign'; operator: string; target: Cell; value: Expression }
  | { type: 'step'; target: Cell; by: 1 | -1; prefix: boolean }
  | { type: 'not' | 'negative'; operand: Expression }
  | { type: 'ternary'; condition: Expression; yes: Expression; no: Expression }
  | { type: 'and' | 'or' | 'concat'; left: Expression; right: Expression }
  | { type: 'in'; index: Expression[]; array: string }
  | { type: 'match'; negated: boolean; left: Expression; right: Expression }
  | { type: 'compare' | 'binary'; operator: string; left: Expression; right: Expression }
  | { type: 'call'; name: string; args: Expression[] }

export type Statement =
  | { type: 'expression'; value: Expression }
  | { type: 'print' | 'printf'; values: Expression[]; target?: { path: Expression; append: boolean } }
  | { type: 'if'; condition: Expression; then: Statement[]; otherwise: Statement[] }
  | { type: 'while'; condition: Expression; body: Statement[]; first: boolean }
  | { type: 'for'; start?: Statement; condition?: Expression; step?: Statement; body: Statement[] }
  | { type: 'forIn'; name: string; array: string; body: Statement[] }
  | { type: 'block'; body: Statement[] }
  | { type: 'delete'; array: string; index?: Expression[] }
  | { type: 'jump'; kind: 'next' | 'exit' | 'break' | 'continue' | 'return'; value?: Expression }

export interface Program {
  rules: { kind: 'BEGIN' | 'END' | 'rule'; pattern?: Expression; end?: Expression; body?: Statement[] }[]
  functions: Map<string, { parameters: string[]; body: Statement[] }>
}

interface Token {
  kind: 'number' | 'string' | 'regexp' | 'name' | 'call' | 'op' | 'newline' | 'end'
  text: string
}

/** Parses an awk program. Throws SyntaxError. */
export function compileAwk(source: string): Program {
  return new Parser(tokenize(source)).program()
}

const operators = /^(?:\*\*=|\*\*|\+\+|--|\+=|-=|\*=|\/=|%=|\^=|==|!=|<=|>=|>>|&&|\|\||!~|[-+*/%^!<>=~?:,;(){}[\]$|])/

function tokenize(source: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < source.length) {
    const rest = source.slice(at)
    const blank = /^(?:[ \t\r]|\\\n|#[^\n]*)+/.exec(rest)
    if (blank) {
      at += blank[0].length
      continue
    }
    if (rest[0] === '\n') {
      tokens.push({ kind: 'newline', text: '\n' })
      at++
      continue
    }
    const previous = tokens.at(-1)
    const divides =
      previous &&
      (/number|string|name|regexp/.test(previous.kind) || previous.text === ')' || previous.text === ']' || previous.text === '$')
    if (rest[0] === '/' && !divides) {
      const match = /^\/((?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[])*)\//s.exec(rest)
      if (!match) throw new SyntaxError('Unterminated regex')
      tokens.push({ kind: 'regexp', text: (match[1] as string).replaceAll('\\/', '/') })
      at += match[0].length
      continue
    }
    const word = /^(?:"((?:\\.|[^"\\])*)"|(0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)|([A-Za-z_]\w*))/s.exec(rest)
    if (word) {
      at += word[0].length
      if (word[1] !== undefined) tokens.push({ kind: 'string', text: unquoted(word[1]) })
      else if (word[2] !== undefined) tokens.push({ kind: 'number', text: word[2] })
      else tokens.push({ kind: source[at] === '(' ? 'call' : 'name', text: word[3] as string })
      continue
    }
    const operator = operators.exec(rest)
    if (!operator) throw new SyntaxError(`Unexpected token '${rest[0]}'`)
    tokens.push({ kind: 'op', text: operator[0] })
    at += operator[0].length
  }
  tokens.push({ kind: 'end', text: '' })
  return tokens
}

function unquoted(text: string): string {
  const known: Record<string, string> = { n: '\n', t: '\t', r: '\r', '\\': '\\', '"': '"', '/': '/', a: '\x07', b: '\b', f: '\f', v: '\v' }
  return text.replace(/\\(?:([0-7]{1,3})|(.))/gs, (whole, octal: string | undefined, char: string) =>
    octal !== undefined ? String.fromCharCode(Number.parseInt(octal, 8)) : (known[char] ?? whole),
  )
}

const keywords = new Set([
  'BEGIN',
  'END',
  'function',
  'func',
  'if',
  'else',
  'while',
  'for',
  'do',
  'break',
  'continue',
  'next',
  'nextfile',
  'exit',
  'return',
  'delete',
  'in',
  'print',
  'printf',
  'getline',
])

class Parser {
  private readonly tokens: Token[]
  private at = 0
  /** In print's list a > is a redirection. */
  private noGreater = false

  constructor(tokens: Token[]) {
    this.tokens = tokens
  }

  program(): Program {
    const program: Program = { rules: [], functions: new Map() }
    this.skip()
    while (this.peek().kind !== 'end') {
      const { text } = this.peek()
      if (text === 'function' || text === 'func') {
        this.at++
        const name = this.tokens[this.at++]?.text ?? ''
        this.expect('(')
        const parameters: string[] = []
        while (!this.take(')')) {
          parameters.push(this.tokens[this.at++]?.text ?? '')
          this.take(',')
        }
        this.skip()
        program.functions.set(name, { parameters, body: this.braces() })
      } else if ((text === 'BEGIN' || text === 'END') && this.peek().kind === 'name') {
        this.at++
        this.skip()
        program.rules.push({ kind: text, body: this.braces() })
      } else {
        const rule: Program['rules'][number] = { kind: 'rule' }
        if (text !== '{') {
          rule.pattern = this.expression()
          if (this.take(',')) {
            this.skip()
            rule.end = this.expression()
          }
        }
        if (this.peek().text === '{' && this.peek().kind === 'op') rule.body = this.braces()
        program.rules.push(rule)
      }
      this.skip()
    }
    return program
  }

  private braces(): Statement[] {
    this.expect('{')
    const body: Statement[] = []
    this.skip()
    while (!this.take('}')) {
      body.push(this.statement())
      this.skip()
    }
    return body
  }

  private statement(): Statement {
    const token = this.peek()
    if (token.kind === 'op' && token.text === '{') return { type: 'block', body: this.braces() }
    if (token.kind === 'name' || token.kind === 'call') {
      switch (token.text) {
        case 'if': {
          this.at++
          const condition = this.parenthesized()
          const then = this.body()
          const mark = this.at
          this.skip()
          if (this.peek().text === 'else' && this.peek().kind === 'name') {
            this.at++
            return { type: 'if', condition, then, otherwise: this.body() }
          }
          this.at = mark
          return { type: 'if', condition, then, otherwise: [] }
        }
        case 'while': {
          this.at++
          return { type: 'while', condition: this.parenthesized(), body: this.body(), first: false }
        }
        case 'do': {
          this.at++
          const body = this.body()
          this.skip()
          if (this.tokens[this.at++]?.text !== 'while') throw new SyntaxError('Unexpected token')
          const condition = this.parenthesized()
          return { type: 'while', condition, body, first: true }
        }
        case 'for':
          return this.forStatement()
        case 'delete': {
          this.at++
          const array = this.tokens[this.at++]?.text ?? ''
          if (!this.take('[')) return { type: 'delete', array }
          const index = this.list(']')
          return { type: 'delete', array, index }
        }
      }
    }
    const simple = this.simple()
    if (this.peek().text !== '}') {
      const next = this.peek()
      if (next.kind !== 'newline' && next.text !== ';' && next.kind !== 'end') throw new SyntaxError('Unexpected token')
    }
    return simple
  }

  private body(): Statement[] {
    this.skipNewlines()
    if (this.take(';')) return []
    return [this.statement()]
  }

  private forStatement(): Statement {
    this.at++
    this.expect('(')
    const [first, second, third, fourth] = this.tokens.slice(this.at, this.at + 4)
    if (first?.kind === 'name' && second?.text === 'in' && third?.kind === 'name' && fourth?.text === ')') {
      this.at += 4
      return { type: 'forIn', name: first.text, array: third.text, body: this.body() }
    }
    const start = this.peek().text === ';' ? undefined : this.simple()
    this.expect(';')
    const condition = this.peek().text === ';' ? undefined : this.expression()
    this.expect(';')
    const step = this.peek().text === ')' ? undefined : this.simple()
    this.expect(')')
    return { type: 'for', start, condition, step, body: this.body() }
  }

  private simple(): Statement {
    const token = this.peek()
    const ends = () => /^(?:newline|end)$/.test(this.peek().kind) || /^[;}]$/.test(this.peek().text)
    if (token.kind === 'name' || token.kind === 'call') {
      switch (token.text) {
        case 'print':
        case 'printf':
          return this.print(token.text)
        case 'next':
        case 'nextfile':
          this.at++
          return { type: 'jump', kind: 'next' }
        case 'break':
        case 'continue':
          this.at++
          return { type: 'jump', kind: token.text }
        case 'exit':
        case 'return':
          this.at++
          return { type: 'jump', kind: token.text, value: ends() ? undefined : this.expression() }
        case 'getline':
          throw new SyntaxError('getline is not available')
      }
    }
    return { type: 'expression', value: this.expression() }
  }

  private print(type: 'print' | 'printf'): Statement {
    this.at++
    const values: Expression[] = []
    this.noGreater = true
    const ended = () => /^(?:newline|end)$/.test(this.peek().kind) || /^(?:;|\}|>|>>|\|)$/.test(this.peek().text)
    if (this.peek().text === '(' && this.closesStatement()) {
      this.at++
      this.noGreater = false
      values.push(...this.list(')'))
      this.noGreater = true
    } else {
      while (!ended()) {
        values.push(this.expression())
        if (!this.take(',')) break
        this.skipNewlines()
      }
    }
    this.noGreater = false
    const { text } = this.peek()
    if (text === '|') throw new SyntaxError('output to a command is not available')
    if (text !== '>' && text !== '>>') return { type, values }
    this.at++
    return { type, values, target: { path: this.concatenation(), append: text === '>>' } }
  }

  /** Is the parenthesis here the whole list of print? */
  private closesStatement(): boolean {
    let depth = 0
    for (let index = this.at; index < this.tokens.length; index++) {
      const token = this.tokens[index] as Token
      if (token.kind !== 'op') continue
      if (token.text === '(') depth++
      if (token.text === ')' && --depth === 0) {
        const next = this.tokens[index + 1] as Token
        return /^(?:newline|end)$/.test(next.kind) || /^(?:;|\}|>|>>)$/.test(next.text)
      }
    }
    return false
  }

  private parenthesized(): Expression {
    this.expect('(')
    const value = this.expression()
    this.expect(')')
    return value
  }

  private list(close: string): Expression[] {
    const out: Expression[] = []
    while (!this.take(close)) {
      out.push(this.expression())
      this.take(',')
      this.skipNewlines()
    }
    return out
  }

  private expression(): Expression {
    const left = this.ternary()
    const token = this.peek()
    if (token.kind === 'op' && /^(?:=|\+=|-=|\*=|\/=|%=|\^=|\*\*=)$/.test(token.text)) {
      if (left.type !== 'name' && left.type !== 'element' && left.type !== 'field') throw new SyntaxError('Unexpected token')
      this.at++
      return { type: 'assign', operator: token.text === '**=' ? '^=' : token.text, target: left, value: this.expression() }
    }
    return left
  }

  private ternary(): Expression {
    const condition = this.or()
    if (!this.take('?')) return condition
    this.skipNewlines()
    const yes = this.expression()
    this.skipNewlines()
    this.expect(':')
    this.skipNewlines()
    return { type: 'ternary', condition, yes, no: this.expression() }
  }

  private or(): Expression {
    let left = this.and()
    while (this.take('||')) {
      this.skipNewlines()
      left = { type: 'or', left, right: this.and() }
    }
    return left
  }

  private and(): Expression {
    let left = this.membership()
    while (this.take('&&')) {
      this.skipNewlines()
      left = { type: 'and', left, right: this.membership() }
    }
    return left
  }

  private membership(): Expression {
    let left = this.matching()
    while (this.peek().kind === 'name' && this.peek().text === 'in') {
      this.at++
      left = { type: 'in', index: [left], array: this.tokens[this.at++]?.text ?? '' }
    }
    return left
  }

  private matching(): Expression {
    let left = this.comparison()
    for (;;) {
      const { text, kind } = this.peek()
      if (kind !== 'op' || (text !== '~' && text !== '!~')) return left
      this.at++
      left = { type: 'match', negated: text === '!~', left, right: this.comparison() }
    }
  }

  private comparison(): Expression {
    const left = this.concatenation()
    const { text, kind } = this.peek()
    if (kind !== 'op' || !/^(?:<|<=|==|!=|>=|>)$/.test(text) || (text === '>' && this.noGreater)) return left
    this.at++
    return { type: 'compare', operator: text, left, right: this.concatenation() }
  }

  private concatenation(): Expression {
    let left = this.additive()
    for (;;) {
      const { kind, text } = this.peek()
      const begins =
        kind === 'number' ||
        kind === 'string' ||
        kind === 'call' ||
        (kind === 'name' && !keywords.has(text)) ||
        (kind === 'op' && /^(?:\$|!|\(|-|\+|\+\+|--)$/.test(text))
      if (!begins) return left
      left = { type: 'concat', left, right: this.additive() }
    }
  }

  private additive(): Expression {
    let left = this.multiplicative()
    for (;;) {
      const { text, kind } = this.peek()
      if (kind !== 'op' || (text !== '+' && text !== '-')) return left
      this.at++
      left = { type: 'binary', operator: text, left, right: this.multiplicative() }
    }
  }

  private multiplicative(): Expression {
    let left = this.unary()
    for (;;) {
      const { text, kind } = this.peek()
      if (kind !== 'op' || !/^[*/%]$/.test(text)) return left
      this.at++
      left = { type: 'binary', operator: text, left, right: this.unary() }
    }
  }

  private unary(): Expression {
    if (this.take('!')) return { type: 'not', operand: this.unary() }
    if (this.take('-')) return { type: 'negative', operand: this.unary() }
    if (this.take('+')) return { type: 'binary', operator: '+', left: { type: 'number', value: 0 }, right: this.unary() }
    return this.power()
  }

  private power(): Expression {
    const base = this.postfix()
    if (!this.take('^') && !this.take('**')) return base
    return { type: 'binary', operator: '^', left: base, right: this.unary() }
  }

  private postfix(): Expression {
    for (const step of ['++', '--'] as const) {
      if (!this.take(step)) continue
      const target = this.primary()
      if (target.type !== 'name' && target.type !== 'element' && target.type !== 'field') throw new SyntaxError('Unexpected token')
      return { type: 'step', target, by: step === '++' ? 1 : -1, prefix: true }
    }
    const value = this.primary()
    if (value.type !== 'name' && value.type !== 'element' && value.type !== 'field') return value
    if (this.take('++')) return { type: 'step', target: value, by: 1, prefix: false }
    if (this.take('--')) return { type: 'step', target: value, by: -1, prefix: false }
    return value
  }

  private primary(): Expression {
    const token = this.tokens[this.at++] as Token
    switch (token.kind) {
      case 'number':
        return { type: 'number', value: Number(token.text) }
      case 'string':
        return { type: 'string', value: token.text }
      case 'regexp':
        return { type: 'regexp', value: posixRegExp(token.text, true) }
      case 'call':
        this.expect('(')
        return { type: 'call', name: token.text, args: this.list(')') }
      case 'name':
        if (token.text === 'length') return { type: 'call', name: 'length', args: [] }
        if (this.take('[')) return { type: 'element', array: token.text, index: this.list(']') }
        return { type: 'name', name: token.text }
      case 'op':
        if (token.text === '$') {
          const step = this.peek().text
          if (step === '++' || step === '--') return { type: 'field', index: this.postfix() }
          return { type: 'field', index: this.primary() }
        }
        if (token.text === '(') {
          const held = this.noGreater
          this.noGreater = false
          const inner = [this.expression()]
          while (this.take(',')) inner.push(this.expression())
          this.expect(')')
          this.noGreater = held
          if (inner.length > 1) {
            if (this.tokens[this.at++]?.text !== 'in') throw new SyntaxError('Unexpected token')
            return { type: 'in', index: inner, array: this.tokens[this.at++]?.text ?? '' }
          }
          return { type: 'group', inner: inner[0] as Expression }
        }
        if (token.text === '-') return { type: 'negative', operand: this.unary() }
        throw new SyntaxError(`Unexpected token '${token.text}'`)
      default:
        throw new SyntaxError(`Unexpected ${token.kind === 'end' ? 'end of program' : 'newline'}`)
    }
  }

  private peek(): Token {
    return this.tokens[this.at] as Token
  }

  private take(text: string): boolean {
    const token = this.peek()
    if (token.kind !== 'op' || token.text !== text) return false
    this.at++
    return true
  }

  private expect(text: string): void {
    this.skipNewlines()
    if (!this.take(text))
      throw new SyntaxError(`Unexpected ${this.peek().kind === 'end' ? 'end of program' : `token '${this.peek().text}'`}`)
  }

  private skipNewlines(): void {
    while (this.peek().kind === 'newline') this.at++
  }

  private skip(): void {
    while (this.peek().kind === 'newline' || (this.peek().kind === 'op' && this.peek().text === ';')) this.at++
  }
}
