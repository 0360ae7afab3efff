import { isLabelValue, isQualifiedName } from '../registry/names.ts'
import { ApiError } from './errors.ts'

export type LabelPredicate = (labels: Readonly<Record<string, string>> | undefined) => boolean

export interface FieldRequirement {
  field: string
  operator: '=' | '!='
  value: string
}

/** A label selector as a URL has it (`app=web,tier in (a, b),!old`). Throws ApiError BadRequest with the server's words. */
export function parseLabelSelector(text: string): LabelPredicate {
  const requirements = new LabelParser(text).parse()
  return (labels) => requirements.every((requirement) => matches(requirement, labels ?? {}))
}

/** A field selector as a URL has it (`metadata.name=web,status.phase!=Running`). Throws ApiError BadRequest. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  return splitTerms(text)
    .sort()
    .filter((term) => term !== '')
    .map((term) => {
      const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term)
      if (!match) throw ApiError.badRequest(`invalid selector: '${text}'; can't understand '${term}'`)
      const [, field = '', operator, value = ''] = match
      return { field, operator: operator === '!=' ? '!=' : '=', value: unescapeValue(value) }
    })
}

/** The one value that a field selector allows a field to have, when it names it. */
export function exactField(requirements: readonly FieldRequirement[], field: string): string | undefined {
  return requirements.find((requirement) => requirement.field === field && requirement.operator === '=')?.value
}

type LabelOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | '>' | '<'

interface LabelRequirement {
  key: string
  operator: LabelOperator
  values: string[]
}

function matches({ key, operator, values }: LabelRequirement, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return value !== undefined && values.includes(value)
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value)
    case 'exists':
      return value !== undefined
    case '!':
      return value === undefined
    default: {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false
      const bound = BigInt(values[0] as string)
      return operator === '>' ? BigInt(value) > bound : BigInt(value) < bound
    }
  }
}

type TokenKind = 'word' | 'end' | ')' | '(' | ',' | '!' | '==' | '=' | '>' | '<' | '!=' | 'in' | 'notin' | 'error'

interface Token {
  kind: TokenKind
  text: string
}

const symbols = ['==', '!=', '=', '!', '(', ')', ',', '>', '<'] as const
const operators = ['=', '!=', '==', 'in', 'notin', '>', '<'] as const
/** The order in which the server lists them in its error. */
const operatorNames = 'in, notin, =, ==, !=, gt, lt'

/** A recursive-descent reader of the grammar that apimachinery's labels.Parse documents. */
class LabelParser {
  private readonly tokens: Token[]
  private position = 0

  constructor(text: string) {
    this.tokens = tokenize(text)
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = []
    for (;;) {
      const token = this.peek()
      if (token.kind === 'end') return requirements
      if (!isWord(token) && token.kind !== '!') throw bad(`found '${token.text}', expected: !, identifier, or 'end of string'`)
      requirements.push(this.requirement())
      const next = this.next()
      if (next.kind === 'end') return requirements
      if (next.kind !== ',') throw bad(`found '${next.text}', expected: ',' or 'end of string'`)
      const after = this.peek()
      if (!isWord(after) && after.kind !== '!') throw bad(`found '${after.text}', expected: identifier after ','`)
    }
  }

  private requirement(): LabelRequirement {
    let token = this.next()
    const negated = token.kind === '!'
    if (negated) token = this.next()
    if (!isWord(token)) throw unparsable(`found '${token.text}', expected: identifier`)
    const key = token.text
    const problems = isQualifiedName(key)
    if (problems.length > 0) throw unparsable(`<nil>: Invalid value: ${JSON.stringify(key)}: ${problems.join('; ')}`)
    const follows = this.peek()
    if (negated || follows.kind === 'end' || follows.kind === ',') {
      return { key, operator: negated ? '!' : 'exists', values: [] }
    }
    const operator = this.next()
    if (!(operators as readonly string[]).includes(operator.kind)) {
      throw unparsable(`found '${operator.text}', expected: ${operatorNames}`)
    }
    const values = operator.kind === 'in' || operator.kind === 'notin' ? this.values() : [this.exactValue()]
    return this.checked({ key, operator: operator.kind as LabelOperator, values: [...new Set(values)].sort() })
  }

  private values(): string[] {
    const open = this.next()
    if (open.kind !== '(') throw unparsable(`found '${open.text}' expected: '('`)
    const values: string[] = []
    let expectValue = true
    for (;;) {
      const token = this.next()
      if (token.kind === ')') {
        if (expectValue) values.push('')
        return values
      }
      if (token.kind === ',') {
        if (expectValue) values.push('')
        expectValue = true
      } else if (isWord(token)) {
        if (!expectValue) throw unparsable(`found '${token.text}', expected: ',' or ')'`)
        values.push(token.text)
        expectValue = false
      } else {
        throw unparsable(`found '${token.text}', expected: ${expectValue ? "',', ')' or identifier" : "',' or ')'"}`)
      }
    }
  }

  private exactValue(): string {
    const token = this.peek()
    if (token.kind === 'end' || token.kind === ',') return ''
    this.next()
    if (!isWord(token)) throw unparsable(`found '${token.text}', expected: identifier`)
    return token.text
  }

  private checked(requirement: LabelRequirement): LabelRequirement {
    const { key, operator, values } = requirement
    for (const [index, value] of values.entries()) {
      const shown = JSON.stringify(value)
      if ((operator === '>' || operator === '<') && !/^[+-]?\d+$/.test(value)) {
        throw unparsable(`values[${index}]: Invalid value: ${shown}: for 'Gt', 'Lt' operators, the value must be an integer`)
      }
      const problems = isLabelValue(value)
      if (problems.length > 0) throw unparsable(`values[${index}][${key}]: Invalid value: ${shown}: ${problems.join('; ')}`)
    }
    return requirement
  }

  private peek(): Token {
    return this.tokens[this.position] as Token
  }

  private next(): Token {
    const token = this.peek()
    if (token.kind !== 'end') this.position++
    return token
  }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  for (let position = 0; position < text.length; ) {
    const rest = text.slice(position)
    const space = /^[ \t\r\n]+/.exec(rest)
    if (space) {
      position += space[0].length
      continue
    }
    const symbol = symbols.find((candidate) => rest.startsWith(candidate))
    const word = symbol ?? (/^[^=!(),<> \t\r\n]+/.exec(rest)?.[0] as string)
    const kind = symbol ?? (word === 'in' || word === 'notin' ? word : 'word')
    tokens.push({ kind, text: word })
    position += word.length
  }
  return [...tokens, { kind: 'end', text: '' }]
}

/** `in` and `notin` are words too wherever an operator isn't expected. */
function isWord({ kind }: Token): boolean {
  return kind === 'word' || kind === 'in' || kind === 'notin'
}

function bad(message: string): ApiError {
  return ApiError.badRequest(message)
}

function unparsable(message: string): ApiError {
  return bad(`unable to parse requirement: ${message}`)
}

function splitTerms(text: string): string[] {
  return text === '' ? [] : (text.match(/(?:\\.|[^\\,])*(?:,|$)/gs) ?? []).map((term) => term.replace(/(?<!\\),$/, ''))
}

function unescapeValue(text: string): string {
  const bare = text.replace(/\\(.?)/gs, (sequence, character: string) => {
    if (!['\\', ',', '='].includes(character)) throw bad(`invalid field selector: invalid escape sequence: ${sequence}`)
    return ''
  })
  const unescaped = /[,=]/.exec(bare)
  if (unescaped) throw bad(`invalid field selector: unescaped character in value: ${unescaped[0].charCodeAt(0)}`)
  return text.replace(/\\(.)/gs, '$1')
}
