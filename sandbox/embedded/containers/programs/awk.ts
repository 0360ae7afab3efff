import { linearRegExp } from '../../machinery/linear-regexp.ts'
import { Killed, type Process } from '../kernel/process.ts'
import { formatPrintf, general } from '../shell/printf.ts'
import { Errno } from '../vfs/errno.ts'
import { type Cell, compileAwk, type Expression, type Program, type Statement } from './awk-parser.ts'
import { posixRegExp } from './regular.ts'
import { cantOpen, eachInput, lines, Output } from './text.ts'

type Value = string | number

class Jump extends Error {
  readonly kind: 'next' | 'exit' | 'break' | 'continue' | 'return'
  readonly value: Value
  constructor(kind: Jump['kind'], value: Value = '') {
    super(kind)
    this.kind = kind
    this.value = value
  }
}

/** awk: patterns, actions, fields, associative arrays, user functions, printf and the usual string functions. No getline, no pipes. */
export async function awk(process: Process): Promise<number> {
  const args = [...process.args]
  const assignments: string[] = []
  let separator: string | undefined
  let source: string | undefined
  while (args[0]?.startsWith('-') && args[0] !== '-') {
    const option = args.shift() as string
    if (option === '--') break
    const value = () => (option.length > 2 ? option.slice(2) : (args.shift() ?? ''))
    if (option.startsWith('-F')) separator = value()
    else if (option.startsWith('-v')) assignments.push(value())
    else if (option.startsWith('-f')) source = `${source ?? ''}${new TextDecoder().decode(await process.readWhole(value()))}\n`
    else return process.fail(`unrecognized option: ${option.slice(1)}`)
  }
  source ??= args.shift()
  if (source === undefined) {
    await process.complain('Usage: awk [OPTIONS] [AWK_PROGRAM] [FILE]...\n')
    return 1
  }
  let program: Program
  try {
    program = compileAwk(source)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return process.fail(`cmd. line:1: ${error.message}`)
  }
  const machine = new Awk(process, program)
  for (const each of assignments) machine.assignText(each)
  if (separator !== undefined) machine.globals.set('FS', separator === 't' ? '\t' : separator.replaceAll('\\t', '\t'))
  return machine.run(args)
}

class Awk {
  readonly globals = new Map<string, Value>([
    ['FS', ' '],
    ['OFS', ' '],
    ['ORS', '\n'],
    ['RS', '\n'],
    ['NR', 0],
    ['FNR', 0],
    ['NF', 0],
    ['SUBSEP', '\x1c'],
    ['CONVFMT', '%.6g'],
    ['OFMT', '%.6g'],
    ['FILENAME', ''],
    ['RSTART', 0],
    ['RLENGTH', -1],
  ])
  private readonly arrays = new Map<string, Map<string, Value>>()
  private readonly process: Process
  private readonly program: Program
  private readonly out: Output
  private record = ''
  private fields: string[] = []
  private locals: Map<string, Value | Map<string, Value>> | undefined
  private readonly written = new Map<string, string>()
  private readonly active = new Set<number>()

  constructor(process: Process, program: Program) {
    this.process = process
    this.program = program
    this.out = new Output(process)
    this.arrays.set('ENVIRON', new Map(process.env))
  }

  assignText(text: string): void {
    const at = text.indexOf('=')
    this.globals.set(
      text.slice(0, at),
      text
        .slice(at + 1)
        .replaceAll('\\n', '\n')
        .replaceAll('\\t', '\t'),
    )
  }

  async run(operands: readonly string[]): Promise<number> {
    let code = 0
    let exited = false
    const guarded = async (action: () => Promise<void>) => {
      try {
        await action()
      } catch (error) {
        if (!(error instanceof Jump)) throw error
        if (error.kind === 'exit') {
          exited = true
          if (error.value !== '') code = number(error.value)
        }
      }
    }
    try {
      await guarded(async () => {
        for (const rule of this.program.rules) if (rule.kind === 'BEGIN') await this.block(rule.body ?? [])
      })
      const reads = this.program.rules.some((rule) => rule.kind !== 'BEGIN')
      if (!exited && reads) {
        const files = operands.filter((operand) => !/^[A-Za-z_]\w*=/.test(operand))
        for (const operand of operands) if (/^[A-Za-z_]\w*=/.test(operand)) this.assignText(operand)
        const fine = await eachInput(
          this.process,
          files,
          async (open, path) => {
            this.globals.set('FILENAME', path === '-' ? '' : path)
            this.globals.set('FNR', 0)
            for await (const line of this.records(lines(this.process, open, this.out))) {
              if (exited) return
              const wait = this.process.spend(5000)
              if (wait) await wait
              this.globals.set('NR', number(this.globals.get('NR') ?? 0) + 1)
              this.globals.set('FNR', number(this.globals.get('FNR') ?? 0) + 1)
              this.setRecord(line)
              await guarded(() => this.rules())
            }
          },
          cantOpen,
        )
        if (!fine) code = 2
      }
      await guarded(async () => {
        for (const rule of this.program.rules) if (rule.kind === 'END') await this.block(rule.body ?? [])
      })
    } catch (error) {
      if (error instanceof Killed || error instanceof Errno || !(error instanceof SyntaxError)) throw error
      await this.out.flush()
      return this.process.fail(error.message, 2)
    }
    await this.out.flush()
    for (const [path, text] of this.written) this.process.fs.write(path, text, this.process.who)
    return code
  }

  private async *records(source: AsyncGenerator<string>): AsyncGenerator<string> {
    const separator = text(this.globals.get('RS') ?? '\n')
    if (separator === '\n') {
      yield* source
      return
    }
    let rest = ''
    for await (const line of source) {
      rest += `${line}\n`
      const parts = separator === '' ? rest.split(/\n\n+/) : rest.split(separator)
      rest = parts.pop() as string
      for (const part of parts) if (separator !== '' || part.trim() !== '') yield part
    }
    if (rest.replace(/\n$/, '') !== '') yield rest.replace(/\n+$/, '')
  }

  private setRecord(line: string): void {
    this.record = line
    this.fields = this.split(line, text(this.globals.get('FS') ?? ' '))
    this.globals.set('NF', this.fields.length)
  }

  private split(line: string, separator: string): string[] {
    if (separator === ' ') return line.trim() === '' ? [] : line.trim().split(/\s+/)
    if (line === '') return []
    if (separator === '') return [...line]
    if (separator.length === 1 && separator !== '\\') return line.split(separator)
    return line.split(posixRegExp(separator, true))
  }

  private async rules(): Promise<void> {
    for (let index = 0; index < this.program.rules.length; index++) {
      const rule = this.program.rules[index] as Program['rules'][number]
      if (rule.kind !== 'rule') continue
      let hit = true
      if (rule.pattern && rule.end) {
        if (this.active.has(index)) {
          if (truth(await this.value(rule.end))) this.active.delete(index)
        } else {
          hit = truth(await this.value(rule.pattern))
          if (hit && !truth(await this.value(rule.end))) this.active.add(index)
        }
      } else if (rule.pattern) hit = truth(await this.value(rule.pattern))
      if (!hit) continue
      if (rule.body) await this.block(rule.body)
      else await this.out.add(this.record + text(this.globals.get('ORS') ?? '\n'))
    }
  }

  private async block(statements: readonly Statement[]): Promise<void> {
    for (const statement of statements) await this.statement(statement)
  }

  private async statement(statement: Statement): Promise<void> {
    switch (statement.type) {
      case 'expression':
        await this.value(statement.value)
        return
      case 'print':
      case 'printf': {
        const values: Value[] = []
        for (const each of statement.values) values.push(await this.value(each))
        const line =
          statement.type === 'printf'
            ? formatPrintf(text(values[0] ?? ''), values.slice(1).map(text)).text
            : (values.length === 0 ? this.record : values.map((each) => this.shown(each)).join(text(this.globals.get('OFS') ?? ' '))) +
              text(this.globals.get('ORS') ?? '\n')
        if (!statement.target) return this.out.add(line)
        const path = text(await this.value(statement.target.path))
        if (path === '/dev/stderr') return this.process.complain(line)
        if (path === '/dev/stdout') return this.out.add(line)
        const before =
          this.written.get(path) ??
          (statement.target.append && this.process.fs.find(path, this.process.who)
            ? new TextDecoder().decode(await this.process.readWhole(path))
            : '')
        this.written.set(path, before + line)
        return
      }
      case 'if':
        if (truth(await this.value(statement.condition))) await this.block(statement.then)
        else await this.block(statement.otherwise)
        return
      case 'while':
        if (statement.first && !(await this.body(statement.body))) return
        while (truth(await this.value(statement.condition))) if (!(await this.body(statement.body))) return
        return
      case 'for':
        if (statement.start) await this.statement(statement.start)
        while (!statement.condition || truth(await this.value(statement.condition))) {
          if (!(await this.body(statement.body))) return
          if (statement.step) await this.statement(statement.step)
        }
        return
      case 'forIn':
        for (const key of [...this.array(statement.array).keys()]) {
          this.setVariable(statement.name, key)
          if (!(await this.body(statement.body))) return
        }
        return
      case 'block':
        return this.block(statement.body)
      case 'delete':
        if (!statement.index) this.array(statement.array).clear()
        else this.array(statement.array).delete(await this.key(statement.index))
        return
      case 'jump':
        throw new Jump(statement.kind, statement.value ? await this.value(statement.value) : '')
    }
  }

  /** One round of a loop; false ends it. */
  private async body(statements: readonly Statement[]): Promise<boolean> {
    const wait = this.process.spend(3000)
    if (wait) await wait
    try {
      await this.block(statements)
      return true
    } catch (error) {
      if (error instanceof Jump && error.kind === 'break') return false
      if (error instanceof Jump && error.kind === 'continue') return true
      throw error
    }
  }

  private async key(index: readonly Expression[]): Promise<string> {
    const parts: string[] = []
    for (const each of index) parts.push(text(await this.value(each)))
    return parts.join('\x1c')
  }

  private array(name: string): Map<string, Value> {
    const local = this.locals?.get(name)
    if (local instanceof Map) return local
    if (this.locals?.has(name)) {
      const made = new Map<string, Value>()
      this.locals.set(name, made)
      return made
    }
    let found = this.arrays.get(name)
    if (!found) {
      found = new Map()
      this.arrays.set(name, found)
    }
    return found
  }

  private variable(name: string): Value {
    const local = this.locals?.get(name)
    if (local !== undefined && !(local instanceof Map)) return local
    return this.globals.get(name) ?? ''
  }

  private setVariable(name: string, value: Value): void {
    if (this.locals?.has(name)) {
      this.locals.set(name, value)
      return
    }
    this.globals.set(name, value)
    if (name !== 'NF') return
    const count = number(value)
    while (this.fields.length < count) this.fields.push('')
    this.fields.length = count
    this.record = this.fields.join(text(this.globals.get('OFS') ?? ' '))
  }

  private async read(cell: Cell): Promise<Value> {
    if (cell.type === 'name') return this.variable(cell.name)
    if (cell.type === 'element') {
      const array = this.array(cell.array)
      const key = await this.key(cell.index)
      const value = array.get(key)
      if (value === undefined) array.set(key, '')
      return value ?? ''
    }
    const index = number(await this.value(cell.index))
    return index === 0 ? this.record : (this.fields[index - 1] ?? '')
  }

  private async store(cell: Cell, value: Value): Promise<void> {
    if (cell.type === 'name') return this.setVariable(cell.name, value)
    if (cell.type === 'element') {
      this.process.allocate(typeof value === 'string' ? 16 + value.length : 16)
      this.array(cell.array).set(await this.key(cell.index), value)
      return
    }
    const index = number(await this.value(cell.index))
    if (index === 0) return this.setRecord(text(value))
    while (this.fields.length < index) this.fields.push('')
    this.fields[index - 1] = text(value)
    this.globals.set('NF', this.fields.length)
    this.record = this.fields.join(text(this.globals.get('OFS') ?? ' '))
  }

  private shown(value: Value): string {
    return typeof value === 'number' && !Number.isInteger(value)
      ? formatPrintf(text(this.globals.get('OFMT') ?? '%.6g'), [String(value)]).text
      : text(value)
  }

  private async value(expression: Expression): Promise<Value> {
    switch (expression.type) {
      case 'number':
        return expression.value
      case 'string':
        return expression.value
      case 'regexp':
        return expression.value.test(this.record) ? 1 : 0
      case 'name':
      case 'element':
      case 'field':
        return this.read(expression)
      case 'group':
        return this.value(expression.inner)
      case 'assign': {
        const right = await this.value(expression.value)
        const value =
          expression.operator === '='
            ? right
            : calculate(expression.operator.slice(0, -1), number(await this.read(expression.target)), number(right))
        await this.store(expression.target, value)
        return value
      }
      case 'step': {
        const before = number(await this.read(expression.target))
        await this.store(expression.target, before + expression.by)
        return expression.prefix ? before + expression.by : before
      }
      case 'not':
        return truth(await this.value(expression.operand)) ? 0 : 1
      case 'negative':
        return -number(await this.value(expression.operand))
      case 'ternary':
        return this.value(truth(await this.value(expression.condition)) ? expression.yes : expression.no)
      case 'and':
        return truth(await this.value(expression.left)) && truth(await this.value(expression.right)) ? 1 : 0
      case 'or':
        return truth(await this.value(expression.left)) || truth(await this.value(expression.right)) ? 1 : 0
      case 'in':
        return this.array(expression.array).has(await this.key(expression.index)) ? 1 : 0
      case 'match': {
        const subject = text(await this.value(expression.left))
        const regexp =
          expression.right.type === 'regexp' ? expression.right.value : posixRegExp(text(await this.value(expression.right)), true)
        return regexp.test(subject) !== expression.negated ? 1 : 0
      }
      case 'compare':
        return compare(expression.operator, await this.value(expression.left), await this.value(expression.right)) ? 1 : 0
      case 'concat':
        return text(await this.value(expression.left)) + text(await this.value(expression.right))
      case 'binary':
        return calculate(expression.operator, number(await this.value(expression.left)), number(await this.value(expression.right)))
      case 'call':
        return this.call(expression.name, expression.args)
    }
  }

  private async call(name: string, args: readonly Expression[]): Promise<Value> {
    const definition = this.program.functions.get(name)
    if (definition) return this.callOwn(definition, args)
    const at = async (index: number): Promise<Value> => (args[index] ? this.value(args[index] as Expression) : '')
    const words = async (index: number) => text(await at(index))
    const regexpOf = async (index: number, flags = ''): Promise<RegExp> => {
      const argument = args[index]
      return argument?.type === 'regexp' ? linearRegExp(argument.value.source, flags) : posixRegExp(await words(index), true, flags)
    }
    switch (name) {
      case 'length': {
        const [first] = args
        if (!first) return this.record.length
        if (first.type === 'name' && (this.arrays.has(first.name) || this.locals?.get(first.name) instanceof Map))
          return this.array(first.name).size
        return (await words(0)).length
      }
      case 'substr': {
        const from = Math.round(number(await at(1)))
        const length = args[2] ? Math.round(number(await at(2))) : Number.POSITIVE_INFINITY
        return (await words(0)).slice(Math.max(0, from - 1), Math.max(0, from - 1 + length))
      }
      case 'index':
        return (await words(0)).indexOf(await words(1)) + 1
      case 'split': {
        const subject = await words(0)
        const third = args[2]
        const parts =
          third?.type === 'regexp'
            ? subject === ''
              ? []
              : subject.split(third.value)
            : this.split(subject, third ? await words(2) : text(this.globals.get('FS') ?? ' '))
        const array = this.array(args[1]?.type === 'name' ? args[1].name : '')
        array.clear()
        parts.forEach((part, index) => {
          array.set(String(index + 1), part)
        })
        return parts.length
      }
      case 'sub':
      case 'gsub': {
        const target: Cell =
          args[2] && (args[2].type === 'name' || args[2].type === 'element' || args[2].type === 'field')
            ? args[2]
            : { type: 'field', index: { type: 'number', value: 0 } }
        const replacement = await words(1)
        let count = 0
        const result = text(await this.read(target)).replace(await regexpOf(0, name === 'gsub' ? 'g' : ''), (match) => {
          count++
          return replacement.replace(/\\\\&|\\&|&/g, (each) => (each === '&' ? match : each === '\\&' ? '&' : `\\${match}`))
        })
        if (count > 0) await this.store(target, result)
        return count
      }
      case 'match': {
        const match = (await regexpOf(1)).exec(await words(0))
        this.globals.set('RSTART', match ? match.index + 1 : 0)
        this.globals.set('RLENGTH', match ? match[0].length : -1)
        return match ? match.index + 1 : 0
      }
      case 'sprintf': {
        const values: string[] = []
        for (let index = 1; index < args.length; index++) values.push(await words(index))
        return formatPrintf(await words(0), values).text
      }
      case 'toupper':
        return (await words(0)).toUpperCase()
      case 'tolower':
        return (await words(0)).toLowerCase()
      case 'int':
        return Math.trunc(number(await at(0)))
      case 'sqrt':
        return Math.sqrt(number(await at(0)))
      case 'exp':
        return Math.exp(number(await at(0)))
      case 'log':
        return Math.log(number(await at(0)))
      case 'sin':
        return Math.sin(number(await at(0)))
      case 'cos':
        return Math.cos(number(await at(0)))
      case 'atan2':
        return Math.atan2(number(await at(0)), number(await at(1)))
      case 'rand':
        return this.process.machine.random()
      case 'srand':
        return 0
      case 'systime':
        return Math.floor(this.process.machine.now() / 1000)
      case 'fflush':
      case 'close':
        await this.out.flush()
        return 0
      default:
        throw new SyntaxError(`call to undefined function '${name}'`)
    }
  }

  private async callOwn(definition: { parameters: string[]; body: Statement[] }, args: readonly Expression[]): Promise<Value> {
    const locals = new Map<string, Value | Map<string, Value>>()
    for (let index = 0; index < definition.parameters.length; index++) {
      const argument = args[index]
      const name = definition.parameters[index] as string
      if (argument?.type === 'name' && (this.arrays.has(argument.name) || this.locals?.get(argument.name) instanceof Map))
        locals.set(name, this.array(argument.name))
      else locals.set(name, argument ? await this.value(argument) : '')
    }
    const outer = this.locals
    this.locals = locals
    try {
      await this.block(definition.body)
      return ''
    } catch (error) {
      if (error instanceof Jump && error.kind === 'return') return error.value
      throw error
    } finally {
      this.locals = outer
    }
  }
}

function number(value: Value): number {
  if (typeof value === 'number') return value
  const match = /^\s*[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)/.exec(value)
  return match ? Number(match[0]) : 0
}

function text(value: Value): string {
  if (typeof value === 'string') return value
  return Number.isInteger(value) ? String(value) : value < 0 ? `-${general(-value, 6)}` : general(value, 6)
}

function looksNumeric(value: Value): boolean {
  return typeof value === 'number' || /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$/.test(value)
}

function truth(value: Value): boolean {
  return typeof value === 'number' ? value !== 0 : value !== '' && !(looksNumeric(value) && number(value) === 0)
}

function compare(operator: string, left: Value, right: Value): boolean {
  const numeric = (looksNumeric(left) || left === '') && (looksNumeric(right) || right === '') && !(left === '' && right === '')
  const a: Value = numeric ? number(left) : text(left)
  const b: Value = numeric ? number(right) : text(right)
  switch (operator) {
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '==':
      return a === b
    case '!=':
      return a !== b
    case '>=':
      return a >= b
    default:
      return a > b
  }
}

function calculate(operator: string, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      if (b === 0) throw new SyntaxError('Division by zero')
      return a / b
    case '%':
      return a % b
    default:
      return a ** b
  }
}
