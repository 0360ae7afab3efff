import { linearRegExp } from '../../machinery/linear-regexp.ts'
import type { Process } from '../kernel/process.ts'
import { sizeOf } from '../vfs/node.ts'
import type { TestExpression } from './ast.ts'
import { arithmetic, ExpansionFault, expandPattern, expandRegularExpression, expandText } from './expand.ts'
import { classes, matches } from './pattern.ts'
import type { Shell } from './shell.ts'

/** [[ .. ]] */
export async function evaluateTest(shell: Shell, expression: TestExpression): Promise<boolean> {
  switch (expression.type) {
    case 'or':
      return (await evaluateTest(shell, expression.left)) || (await evaluateTest(shell, expression.right))
    case 'and':
      return (await evaluateTest(shell, expression.left)) && (await evaluateTest(shell, expression.right))
    case 'not':
      return !(await evaluateTest(shell, expression.operand))
    case 'unary': {
      const operand = await expandText(shell, expression.operand)
      if (expression.operator === '-v') return shell.parameter(operand) !== undefined
      if (expression.operator === '-o') return shell.options.has(operand)
      return unary(shell.process, expression.operator, operand)
    }
    case 'binary': {
      const left = await expandText(shell, expression.left)
      if (expression.operator === '=~') return regularMatch(shell, left, await expandRegularExpression(shell, expression.right))
      if (expression.operator === '=' || expression.operator === '==')
        return matches(await expandPattern(shell, expression.right), left, shell.shopt.has('nocasematch'))
      if (expression.operator === '!=') return !matches(await expandPattern(shell, expression.right), left, shell.shopt.has('nocasematch'))
      const right = await expandText(shell, expression.right)
      if (/^-(?:eq|ne|lt|le|gt|ge)$/.test(expression.operator))
        return compare(expression.operator, arithmetic(shell, left), arithmetic(shell, right))
      return binaryTest(shell.process, left, expression.operator, right)
    }
  }
}

function regularMatch(shell: Shell, text: string, source: string): boolean {
  let regexp: RegExp
  try {
    regexp = linearRegExp(
      source
        .replace(/\[\[:(\w+):\]\]/g, (_, name: string) => `[${classes[name] ?? ''}]`)
        .replace(/\[:(\w+):\]/g, (_, name: string) => classes[name] ?? ''),
      shell.shopt.has('nocasematch') ? 'i' : '',
    )
  } catch {
    throw new ExpansionFault(`${source}: invalid regular expression`)
  }
  const match = regexp.exec(text)
  shell.variables.setArray('BASH_REMATCH', new Map((match ?? []).map((group, index) => [String(index), group ?? ''])))
  return match !== null
}

export class TestFault extends Error {
  /** As busybox puts it. */
  readonly busybox: string

  constructor(message: string, busybox = message) {
    super(message)
    this.busybox = busybox
  }
}

/** test and [: the arguments without the closing bracket. Throws TestFault. */
export function testArguments(process: Process, args: readonly string[]): boolean {
  // POSIX decides by the number of arguments up to four.
  if (args.length === 0) return false
  if (args.length === 1) return args[0] !== ''
  if (args.length === 2) {
    if (args[0] === '!') return args[1] === ''
    if (isUnary(args[0] as string)) return unary(process, args[0] as string, args[1] as string)
    const [, second = ''] = args
    const missing = isBinary(second) ? `${second}: argument expected` : /^-[ao]$/.test(second) ? 'argument expected' : undefined
    throw new TestFault(`${args[0]}: unary operator expected`, missing ?? `${second}: unknown operand`)
  }
  if (args.length === 3) {
    const [a, operator, b] = args as [string, string, string]
    if (isBinary(operator)) return binaryTest(process, a, operator, b)
    if (operator === '-a') return a !== '' && b !== ''
    if (operator === '-o') return a !== '' || b !== ''
    if (a === '!') return !testArguments(process, args.slice(1))
    if (a === '(' && b === ')') return operator !== ''
    throw new TestFault(`${operator}: binary operator expected`, `${isUnary(a) ? b : operator}: unknown operand`)
  }
  const parser = { args, at: 0 }
  const value = or(process, parser)
  if (parser.at < args.length) throw new TestFault('too many arguments', `${args[parser.at]}: unknown operand`)
  return value
}

interface TestParser {
  args: readonly string[]
  at: number
}

function or(process: Process, parser: TestParser): boolean {
  let value = and(process, parser)
  while (parser.args[parser.at] === '-o') {
    parser.at++
    const right = and(process, parser)
    value = value || right
  }
  return value
}

function and(process: Process, parser: TestParser): boolean {
  let value = primary(process, parser)
  while (parser.args[parser.at] === '-a') {
    parser.at++
    const right = primary(process, parser)
    value = value && right
  }
  return value
}

function primary(process: Process, parser: TestParser): boolean {
  const { args } = parser
  const first = args[parser.at]
  if (first === undefined) throw new TestFault('argument expected')
  const second = args[parser.at + 1]
  if (second !== undefined && isBinary(second) && args[parser.at + 2] !== undefined) {
    parser.at += 3
    return binaryTest(process, first, second, args[parser.at - 1] as string)
  }
  if (first === '!') {
    parser.at++
    return !primary(process, parser)
  }
  if (first === '(') {
    parser.at++
    const value = or(process, parser)
    if (args[parser.at++] !== ')') throw new TestFault('closing paren expected')
    return value
  }
  if (isUnary(first) && second !== undefined) {
    parser.at += 2
    return unary(process, first, second)
  }
  parser.at++
  return first !== ''
}

function isUnary(operator: string): boolean {
  return /^-[abcdefghknoprstuwxzGLNOSvR]$/.test(operator)
}

function isBinary(operator: string): boolean {
  return /^(?:=|==|!=|<|>|-(?:eq|ne|lt|le|gt|ge|nt|ot|ef))$/.test(operator)
}

function unary(process: Process, operator: string, operand: string): boolean {
  if (operator === '-n') return operand !== ''
  if (operator === '-z') return operand === ''
  if (operator === '-t') return process.files.get(Number(operand))?.kind === 'tty'
  if (operator === '-o') return false
  const { fs } = process
  const node = fs.find(operand, process.who, operator !== '-L' && operator !== '-h')
  if (!node) return false
  switch (operator) {
    case '-f':
      return node.type === 'file'
    case '-d':
      return node.type === 'dir'
    case '-L':
    case '-h':
      return node.type === 'link'
    case '-p':
      return node.type === 'fifo'
    case '-c':
      return node.type === 'device' && !node.block
    case '-b':
      return node.type === 'device' && node.block === true
    case '-S':
      return false
    case '-s':
      return sizeOf(node) > 0
    case '-r':
      return fs.access(node, process.who, 4)
    case '-w':
      return fs.access(node, process.who, 2)
    case '-x':
      return fs.access(node, process.who, 1)
    case '-u':
      return (node.mode & 0o4000) !== 0
    case '-g':
      return (node.mode & 0o2000) !== 0
    case '-k':
      return (node.mode & 0o1000) !== 0
    case '-O':
      return node.uid === process.uid
    case '-G':
      return node.gid === process.gid
    default:
      return true
  }
}

function binaryTest(process: Process, left: string, operator: string, right: string): boolean {
  switch (operator) {
    case '=':
    case '==':
      return left === right
    case '!=':
      return left !== right
    case '<':
      return left < right
    case '>':
      return left > right
    case '-nt':
    case '-ot':
    case '-ef': {
      const a = process.fs.find(left, process.who)
      const b = process.fs.find(right, process.who)
      if (operator === '-ef') return a !== undefined && a === b
      if (!a || !b) return operator === '-nt' ? a !== undefined : b !== undefined
      return operator === '-nt' ? a.mtime > b.mtime : a.mtime < b.mtime
    }
    default:
      return compare(operator, integer(left), integer(right))
  }
}

function compare(operator: string, left: bigint, right: bigint): boolean {
  switch (operator) {
    case '-eq':
      return left === right
    case '-ne':
      return left !== right
    case '-lt':
      return left < right
    case '-le':
      return left <= right
    case '-gt':
      return left > right
    default:
      return left >= right
  }
}

function integer(text: string): bigint {
  if (!/^\s*[+-]?\d+\s*$/.test(text)) throw new TestFault(`${text}: integer expression expected`, `${text}: bad number`)
  return BigInt(text.trim().replace(/^\+/, ''))
}
