import { CompileError, type Fault } from './faults.ts'
import { type Token, tokensOf } from './lexer.ts'
import { expanded, MacroFault } from './macros.ts'
import type { Entry, Expr, Field, Parsed } from './syntax-tree.ts'
import { bytesLiteral, stringLiteral } from './text-literals.ts'
import { maxInt, maxUint, minInt, Uint, type Value } from './values.ts'

const longestText = 100_000
const deepest = 250
const beginsExpression = beginning()
const beginsArguments = beginning("')', ")
const beginsIndex = beginning('', "'?', ")
const reserved = new Set('as break const continue else for function if import let loop package namespace return var void while'.split(' '))
const relations: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', '==', '!=', 'in'])
const products: ReadonlySet<string> = new Set(['*', '/', '%'])
const sums: ReadonlySet<string> = new Set(['+', '-'])
const closers: ReadonlySet<string> = new Set([')', ']', '}', ',', ':'])

/** Parses an expression and expands its macros. Throws CompileError with everything that is wrong, in cel-go's words. */
export function parse(text: string): Parsed {
  const size = [...text].length
  if (size > longestText) {
    throw new CompileError(text, [{ at: -1, message: `expression code point size exceeds limit: size: ${size}, limit ${longestText}` }])
  }
  const parser = new Parser(text)
  const root = parser.start()
  if (parser.faults.length > 0) throw new CompileError(text, parser.faults)
  return { text, root, places: parser.places }
}

/** A rule that cannot go on: told already, the rule around it takes over. */
class Mismatch extends Error {}

/**
 * CEL's grammar by recursive descent. Where a text is wrong it goes on as ANTLR's default strategy does (one token left out, one
 * thought to be there, or all up to what may follow), so that the same faults are found and told in the same words.
 */
class Parser {
  readonly faults: Fault[]
  readonly places = new Map<number, number>()
  private readonly tokens: readonly Token[]
  private next = 0
  private lastId = 0
  private depth = 0
  /** Nothing more is told until a token fits again. */
  private recovering = false

  constructor(text: string) {
    const { tokens, faults } = tokensOf(text)
    this.tokens = tokens
    this.faults = faults
  }

  start(): Expr {
    try {
      const expr = this.expression()
      this.end()
      return expr
    } catch (error) {
      if (error instanceof Mismatch) return this.hole()
      throw error
    }
  }

  private end(): void {
    const { token } = this
    if (token.kind === 'end') return
    this.tell(token, `${this.peek(1).kind === 'end' ? 'extraneous' : 'mismatched'} input '${token.text}' expecting <EOF>`)
  }

  private expression(): Expr {
    if (++this.depth > deepest) {
      this.faults.splice(0, Number.POSITIVE_INFINITY, { at: -1, message: `expression recursion limit exceeded: ${deepest}` })
      throw new Mismatch()
    }
    const condition = this.logic('||', '_||_', () => this.logic('&&', '_&&_', () => this.relation()))
    let expr = condition
    if (this.is('?')) {
      const at = this.take().at
      const id = this.node(at)
      const then = this.logic('||', '_||_', () => this.logic('&&', '_&&_', () => this.relation()))
      this.expect(':')
      expr = this.call(id, '_?_:_', [condition, then, this.expression()])
    }
    this.depth--
    return expr
  }

  /** Terms of && or ||, as a tree that is as flat as can be. */
  private logic(sign: string, name: string, term: () => Expr): Expr {
    const terms = [term()]
    const places: number[] = []
    while (this.is(sign)) {
      places.push(this.take().at)
      terms.push(term())
    }
    const balanced = (low: number, high: number): Expr => {
      if (low === high) return terms[low] as Expr
      const middle = Math.floor((low + high) / 2)
      return this.call(this.node(places[middle] as number), name, [balanced(low, middle), balanced(middle + 1, high)])
    }
    return balanced(0, terms.length - 1)
  }

  private relation(): Expr {
    return this.chain(relations, () => this.chain(sums, () => this.chain(products, () => this.unary())))
  }

  private chain(signs: ReadonlySet<string>, operand: () => Expr): Expr {
    let left = operand()
    while (this.token.kind === 'sign' && signs.has(this.token.text)) {
      const { text, at } = this.take()
      const id = this.node(at)
      left = this.call(id, text === 'in' ? '@in' : `_${text}_`, [left, operand()])
    }
    return left
  }

  private unary(): Expr {
    this.sync()
    const { token } = this
    if (this.is('-') && this.peek(1).kind === 'end') {
      this.report(this.peek(1).at, "Syntax error: no viable alternative at input '-'")
      this.take()
    }
    const isNegated = this.is('-') && !['int', 'double'].includes(this.peek(1).kind)
    if (!this.is('!') && !isNegated) return this.member()
    let count = 0
    for (; this.is(token.text); count++) this.take()
    if (token.text === '!' && !this.canBegin()) this.tell(this.token, `extraneous input '${this.token.text}' expecting ${beginsExpression}`)
    const id = this.node(token.at)
    const operand = this.member()
    return count % 2 === 0 ? operand : this.call(id, token.text === '!' ? '!_' : '-_', [operand])
  }

  private member(): Expr {
    let expr = this.primary()
    for (;;) {
      if (this.is('.')) expr = this.selection(expr)
      else if (this.is('[')) expr = this.indexed(expr)
      else return expr
    }
  }

  private selection(operand: Expr): Expr {
    const dot = this.take()
    const isOptional = this.is('?')
    if (isOptional) this.take()
    const { token } = this
    if (token.kind !== 'identifier' && token.kind !== 'escaped') {
      const input = token.kind === 'end' ? '' : token.text
      const isKeyword = token.kind === 'literal'
      const message = isOptional
        ? `mismatched input '${token.text}' expecting {IDENTIFIER, ESC_IDENTIFIER}`
        : isKeyword
          ? `mismatched input '${input}' expecting IDENTIFIER`
          : `no viable alternative at input '.${input}'`
      this.tell(token, message)
      if (isOptional) this.report(token.at, 'unsupported ident kind')
      this.skip()
      return this.hole()
    }
    this.take()
    if (token.kind === 'escaped') this.report(token.at, "unsupported syntax: '`'")
    if (isOptional) {
      const id = this.node(dot.at)
      return this.call(id, '_?._', [operand, this.literal(token.at, token.text)])
    }
    if (!this.is('(')) return { kind: 'select', id: this.node(dot.at), operand, field: token.text, testOnly: false }
    return this.application(token.text, operand)
  }

  private application(name: string, target: Expr | undefined): Expr {
    const open = this.take()
    const id = this.node(open.at)
    const args: Expr[] = []
    if (!this.is(')') && !this.canBegin() && !this.canBegin(this.peek(1))) {
      this.tell(this.token, `mismatched input '${this.token.text}' expecting ${beginsArguments}`)
      throw new Mismatch()
    }
    if (!this.is(')')) {
      args.push(this.expression())
      while (this.is(',')) {
        this.take()
        args.push(this.expression())
      }
    }
    this.expect(')')
    try {
      const made = expanded(name, target, args, { id: (at = open.at) => this.node(at) }, this.places)
      return made ?? { kind: 'call', id, name, target, args }
    } catch (error) {
      if (!(error instanceof MacroFault)) throw error
      this.report(error.fault.at, error.fault.message)
      return this.hole()
    }
  }

  private indexed(operand: Expr): Expr {
    const open = this.take()
    const id = this.node(open.at)
    const isOptional = this.is('?')
    if (isOptional) this.take()
    else if (!this.canBegin() && !this.canBegin(this.peek(1))) {
      this.tell(this.token, `mismatched input '${this.token.text}' expecting ${beginsIndex}`)
      throw new Mismatch()
    }
    const index = this.expression()
    this.expect(']')
    return this.call(id, isOptional ? '_[?_]' : '_[_]', [operand, index])
  }

  private primary(): Expr {
    const { token } = this
    switch (token.kind) {
      case 'identifier':
        return this.named('')
      case 'int':
      case 'double':
      case 'uint':
        return this.number('')
      case 'string':
      case 'bytes':
        return this.quoted()
      case 'literal': {
        this.take()
        return this.literal(token.at, token.text === 'null' ? null : token.text === 'true')
      }
      case 'sign':
        if (token.text === '(') {
          this.take()
          const inner = this.expression()
          this.expect(')')
          return inner
        }
        if (token.text === '[') return this.list()
        if (token.text === '{') return this.map()
        if (token.text === '-') {
          this.take()
          return this.number('-', token.at)
        }
        if (token.text === '.' && this.peek(1).kind === 'identifier') {
          this.take()
          return this.named('.', token.at)
        }
    }
    if (this.is('.')) {
      const after = this.peek(1)
      this.tell(after, `no viable alternative at input '.${after.kind === 'end' ? '' : after.text}'`)
      this.next++
    } else this.tell(token, `mismatched input '${token.text}' expecting ${beginsExpression}`)
    this.skip()
    return this.hole()
  }

  private named(dot: string, start = this.token.at): Expr {
    const token = this.take()
    const structName = this.structAhead()
    if (structName !== undefined) return this.struct(`${token.text}${structName}`)
    if (reserved.has(token.text)) {
      if (this.is('(')) this.application(token.text, undefined)
      this.report(start, `reserved identifier: ${token.text}`)
      return this.hole()
    }
    if (this.is('(')) return this.application(dot + token.text, undefined)
    return { kind: 'identifier', id: this.node(token.at), name: dot + token.text }
  }

  /** The rest of a dotted name before a brace; undefined where none comes. */
  private structAhead(): string | undefined {
    let [ahead, name] = [0, '']
    while (this.peek(ahead).text === '.' && this.peek(ahead + 1).kind === 'identifier') {
      name += `.${this.peek(ahead + 1).text}`
      ahead += 2
    }
    if (this.peek(ahead).kind !== 'sign' || this.peek(ahead).text !== '{') return undefined
    for (; ahead > 0; ahead--) this.take()
    return name
  }

  private struct(name: string): Expr {
    const open = this.take()
    const id = this.node(open.at)
    const fields: Field[] = []
    const start = this.token.at
    const isName = () => this.token.kind === 'identifier' || this.token.kind === 'escaped'
    const item = () => {
      const optional = this.is('?')
      if (optional) this.take()
      const field = this.token
      if (!isName()) {
        const others = fields.length === 0 && !optional ? "'}', ',', '?', " : ''
        this.tell(field, `mismatched input '${field.text}' expecting {${others}IDENTIFIER, ESC_IDENTIFIER}`)
        if (optional) this.report(start, 'unsupported ident kind')
        throw new Mismatch()
      }
      this.take()
      if (field.kind === 'escaped') this.report(start, "unsupported syntax: '`'")
      const at = this.expect(':')?.at ?? field.at
      const fieldId = this.node(at)
      fields.push({ id: fieldId, name: field.text, value: this.expression(), optional })
    }
    this.items('}', item, isName)
    return { kind: 'struct', id, name, fields }
  }

  private list(): Expr {
    const open = this.take()
    const id = this.node(open.at)
    const elements: Expr[] = []
    const optionals = new Set<number>()
    this.items(']', () => {
      if (this.is('?')) {
        this.take()
        optionals.add(elements.length)
      }
      elements.push(this.expression())
    })
    return { kind: 'list', id, elements, optionals }
  }

  private map(): Expr {
    const open = this.take()
    const id = this.node(open.at)
    const entries: Entry[] = []
    this.items('}', () => {
      const optional = this.is('?')
      if (optional) this.take()
      const key = this.expression()
      const colon = this.expect(':')
      const entryId = this.node(colon?.at ?? this.token.at)
      entries.push({ id: entryId, key, value: this.expression(), optional })
    })
    return { kind: 'map', id, entries }
  }

  /** What stands between brackets, with commas between and perhaps one behind. */
  private items(close: string, item: () => void, begins = () => this.canBegin()): void {
    let isOpen = true
    while (isOpen && !this.is(close) && !this.is(',')) {
      item()
      isOpen = this.is(',')
      if (isOpen) {
        this.take()
        if (!begins() && !this.is('?')) return void this.expect(close)
      } else if (!this.is(close)) {
        this.tell(this.token, `mismatched input '${this.token.text}' expecting {'${close}', ','}`)
        throw new Mismatch()
      }
    }
    if (this.is(',')) this.take()
    this.expect(close)
  }

  private number(sign: string, at = this.token.at): Expr {
    const { kind, text } = this.take()
    if (kind === 'double') {
      const value = Number(sign + text)
      return Number.isFinite(value) ? this.literal(at, value) : this.wrongLiteral(at, 'double')
    }
    if (kind === 'uint') {
      const value = BigInt(text.slice(0, -1))
      return value <= maxUint ? this.literal(at, new Uint(value)) : this.wrongLiteral(at, 'uint')
    }
    const value = sign ? -BigInt(text) : BigInt(text)
    return value >= minInt && value <= maxInt ? this.literal(at, value) : this.wrongLiteral(at, 'int')
  }

  private wrongLiteral(at: number, name: string): Expr {
    this.report(at, `invalid ${name} literal`)
    return this.hole()
  }

  private quoted(): Expr {
    const { kind, text, at } = this.take()
    try {
      return this.literal(at, kind === 'bytes' ? bytesLiteral(text) : stringLiteral(text))
    } catch (error) {
      this.report(at, (error as Error).message)
      return this.hole()
    }
  }

  private literal(at: number, value: Value): Expr {
    return { kind: 'literal', id: this.node(at), value }
  }

  private call(id: number, name: string, args: readonly Expr[]): Expr {
    return { kind: 'call', id, name, target: undefined, args }
  }

  /** Stands where something could not be read. */
  private hole(): Expr {
    return { kind: 'literal', id: this.node(this.token.at), value: null }
  }

  private node(at: number): number {
    this.places.set(++this.lastId, at)
    return this.lastId
  }

  private get token(): Token {
    return this.tokens[this.next] as Token
  }

  private peek(ahead: number): Token {
    return this.tokens[Math.min(this.next + ahead, this.tokens.length - 1)] as Token
  }

  private is(sign: string): boolean {
    return this.token.kind === 'sign' && this.token.text === sign
  }

  private take(): Token {
    const { token } = this
    if (token.kind !== 'end') this.next++
    this.recovering = false
    return token
  }

  private canBegin(token = this.token): boolean {
    return token.kind === 'sign' ? ['[', '{', '(', '.', '-', '!'].includes(token.text) : token.kind !== 'end' && token.kind !== 'escaped'
  }

  /** Before something that begins an expression: one token too many is left out. */
  private sync(): void {
    if (this.recovering || this.canBegin()) return
    const { token } = this
    const isExtraneous = token.kind !== 'end' && this.canBegin(this.peek(1))
    this.tell(token, `${isExtraneous ? 'extraneous' : 'mismatched'} input '${token.text}' expecting ${beginsExpression}`)
    if (isExtraneous) this.next++
  }

  /** Takes a sign; undefined when it is missing and could be thought to be there. */
  private expect(sign: string): Token | undefined {
    if (this.is(sign)) return this.take()
    const { token } = this
    const after = this.peek(1)
    if (after.kind === 'sign' && after.text === sign) {
      this.tell(token, `extraneous input '${token.text}' expecting '${sign}'`)
      this.next++
      return this.take()
    }
    if (sign !== ':' && (token.kind === 'end' || this.canFollow(token))) {
      this.tell(token, `missing '${sign}' at '${token.text}'`)
      return undefined
    }
    this.tell(token, `mismatched input '${token.text}' expecting '${sign}'`)
    throw new Mismatch()
  }

  /** What may come behind an operand. */
  private canFollow({ kind, text }: Token): boolean {
    if (kind === 'end') return true
    if (kind !== 'sign') return false
    return ['.', '[', '?', '&&', '||'].includes(text) || relations.has(text) || products.has(text) || sums.has(text) || closers.has(text)
  }

  /** Up to what may come behind an operand. */
  private skip(): void {
    while (!this.canFollow(this.token)) this.next++
  }

  private tell({ at }: Token, message: string): void {
    if (!this.recovering) this.faults.push({ at, message: `Syntax error: ${message}` })
    this.recovering = true
  }

  private report(at: number, message: string): void {
    this.faults.push({ at, message })
  }
}

function beginning(beforeDot = '', beforeLiterals = ''): string {
  const literals = `${beforeLiterals}'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER`
  return `{'[', '{', '(', ${beforeDot}'.', '-', '!', ${literals}}`
}
