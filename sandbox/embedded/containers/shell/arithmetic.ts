export class ArithmeticFault extends Error {}

export interface ArithmeticScope {
  get(name: string, index: string | undefined): string | undefined
  set(name: string, index: string | undefined, value: string): void
}

/** Evaluates a shell arithmetic expression with 64-bit integers. Throws ArithmeticFault. */
export function evaluate(expression: string, scope: ArithmeticScope, depth = 0): bigint {
  if (depth > 16) throw new ArithmeticFault('expression recursion level exceeded')
  const tokens = tokenize(expression)
  if (tokens.length === 0) return 0n
  const parser = new Evaluator(tokens, scope, depth)
  const value = parser.comma(true)
  if (!parser.done) throw new ArithmeticFault(`arithmetic syntax error`)
  return value
}

const tokenPattern =
  /\s*(0[xX][0-9a-fA-F]+|\d+#[0-9a-zA-Z]+|\d+|[A-Za-z_]\w*|\*\*|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|[-+*/%&^|]=|[-+*/%<>=!~&^|?:,()[\]])/y

function tokenize(text: string): string[] {
  const tokens: string[] = []
  let at = 0
  while (text.slice(at).trim() !== '') {
    tokenPattern.lastIndex = at
    const match = tokenPattern.exec(text)
    if (!match) throw new ArithmeticFault('arithmetic syntax error')
    tokens.push(match[1] as string)
    at = tokenPattern.lastIndex
  }
  return tokens
}

const levels: string[][] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '<=', '>', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
]
const assignments = new Set(['=', '+=', '-=', '*=', '/=', '%=', '<<=', '>>=', '&=', '^=', '|='])

class Evaluator {
  private at = 0
  private readonly tokens: string[]
  private readonly scope: ArithmeticScope
  private readonly depth: number

  constructor(tokens: string[], scope: ArithmeticScope, depth: number) {
    this.tokens = tokens
    this.scope = scope
    this.depth = depth
  }

  get done(): boolean {
    return this.at >= this.tokens.length
  }

  comma(live: boolean): bigint {
    let value = this.assignment(live)
    while (this.take(',')) value = this.assignment(live)
    return value
  }

  private assignment(live: boolean): bigint {
    const start = this.at
    const target = this.target()
    const operator = this.tokens[this.at]
    if (target && operator !== undefined && assignments.has(operator)) {
      this.at++
      const right = this.assignment(live)
      if (!live) return 0n
      const value = operator === '=' ? right : binary(operator.slice(0, -1), this.value(target), right)
      this.scope.set(target.name, target.index, String(value))
      return value
    }
    this.at = start
    return this.ternary(live)
  }

  private ternary(live: boolean): bigint {
    const condition = this.binary(0, live)
    if (!this.take('?')) return condition
    const yes = this.comma(live && condition !== 0n)
    if (!this.take(':')) throw new ArithmeticFault('arithmetic syntax error')
    const no = this.assignment(live && condition === 0n)
    return condition !== 0n ? yes : no
  }

  private binary(level: number, live: boolean): bigint {
    const operators = levels[level]
    if (!operators) return this.power(live)
    let left = this.binary(level + 1, live)
    for (;;) {
      const operator = this.tokens[this.at]
      if (operator === undefined || !operators.includes(operator)) return left
      this.at++
      if (operator === '&&' || operator === '||') {
        const needed = operator === '&&' ? left !== 0n : left === 0n
        const right = this.binary(level + 1, live && needed)
        left = (operator === '&&' ? left !== 0n && right !== 0n : left !== 0n || right !== 0n) ? 1n : 0n
      } else {
        const right = this.binary(level + 1, live)
        left = live ? binary(operator, left, right) : 0n
      }
    }
  }

  private power(live: boolean): bigint {
    const base = this.unary(live)
    if (!this.take('**')) return base
    const exponent = this.power(live)
    if (exponent < 0n) throw new ArithmeticFault('exponent less than 0')
    return live ? BigInt.asIntN(64, base ** (exponent > 1000n ? 1000n : exponent)) : 0n
  }

  private unary(live: boolean): bigint {
    if (this.take('!')) return this.unary(live) === 0n ? 1n : 0n
    if (this.take('~')) return ~this.unary(live)
    if (this.take('-')) return BigInt.asIntN(64, -this.unary(live))
    if (this.take('+')) return this.unary(live)
    for (const step of ['++', '--']) {
      if (!this.take(step)) continue
      const target = this.target()
      if (!target) {
        const value = this.unary(live)
        return value
      }
      const value = this.value(target) + (step === '++' ? 1n : -1n)
      if (live) this.scope.set(target.name, target.index, String(value))
      return value
    }
    return this.postfix(live)
  }

  private postfix(live: boolean): bigint {
    if (this.take('(')) {
      const value = this.comma(live)
      if (!this.take(')')) throw new ArithmeticFault('arithmetic syntax error')
      return value
    }
    const target = this.target()
    if (target) {
      const value = this.value(target)
      for (const step of ['++', '--']) {
        if (!this.take(step)) continue
        if (live) this.scope.set(target.name, target.index, String(value + (step === '++' ? 1n : -1n)))
      }
      return value
    }
    const token = this.tokens[this.at++]
    if (token === undefined || !/^\d/.test(token)) throw new ArithmeticFault('arithmetic syntax error')
    return number(token)
  }

  private target(): { name: string; index: string | undefined } | undefined {
    const name = this.tokens[this.at]
    if (name === undefined || !/^[A-Za-z_]/.test(name)) return undefined
    this.at++
    if (!this.take('[')) return { name, index: undefined }
    const index = this.comma(true)
    if (!this.take(']')) throw new ArithmeticFault('arithmetic syntax error')
    return { name, index: String(index) }
  }

  private value(target: { name: string; index: string | undefined }): bigint {
    const text = (this.scope.get(target.name, target.index) ?? '').trim()
    if (text === '') return 0n
    if (/^[+-]?\d+$/.test(text) && !/^[+-]?0\d/.test(text)) return BigInt.asIntN(64, BigInt(text.replace(/^\+/, '')))
    return evaluate(text, this.scope, this.depth + 1)
  }

  private take(token: string): boolean {
    if (this.tokens[this.at] !== token) return false
    this.at++
    return true
  }
}

function number(token: string): bigint {
  const based = /^(\d+)#(\w+)$/.exec(token)
  if (based) {
    let value = 0n
    for (const digit of (based[2] as string).toLowerCase()) value = value * BigInt(based[1] as string) + BigInt(Number.parseInt(digit, 36))
    return value
  }
  if (/^0[xX]/.test(token)) return BigInt(token)
  if (/^0\d/.test(token)) {
    if (/[89]/.test(token)) throw new ArithmeticFault(`${token}: value too great for base`)
    return BigInt(`0o${token.slice(1)}`)
  }
  return BigInt.asIntN(64, BigInt(token))
}

function binary(operator: string, left: bigint, right: bigint): bigint {
  switch (operator) {
    case '+':
      return BigInt.asIntN(64, left + right)
    case '-':
      return BigInt.asIntN(64, left - right)
    case '*':
      return BigInt.asIntN(64, left * right)
    case '/':
    case '%':
      if (right === 0n) throw new ArithmeticFault('divide by zero')
      return operator === '/' ? left / right : left % right
    case '<<':
      return BigInt.asIntN(64, left << (right & 63n))
    case '>>':
      return left >> (right & 63n)
    case '&':
      return left & right
    case '|':
      return left | right
    case '^':
      return left ^ right
    case '==':
      return left === right ? 1n : 0n
    case '!=':
      return left !== right ? 1n : 0n
    case '<':
      return left < right ? 1n : 0n
    case '<=':
      return left <= right ? 1n : 0n
    case '>':
      return left > right ? 1n : 0n
    default:
      return left >= right ? 1n : 0n
  }
}
