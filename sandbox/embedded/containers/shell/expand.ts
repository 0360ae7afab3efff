import { linearRegExp } from '../../machinery/linear-regexp.ts'
import type { Process } from '../kernel/process.ts'
import { ArithmeticFault, evaluate } from './arithmetic.ts'
import { type Parameter, type Part, SyntaxFault, type Word } from './ast.ts'
import { hasWildcard, matches, patternSource, quotePattern, unquotePattern } from './pattern.ts'
import { quoted as shellQuoted } from './quote.ts'
import type { Shell } from './shell.ts'

/** An expansion that ends the command (unset variable under -u, ${x:?}, bad arithmetic). */
export class ExpansionFault extends Error {}

interface Run {
  text: string
  quoted: boolean
}

/** What an expansion comes to: at once, unless it has to wait for a command. */
export type Expanded<T> = T | Promise<T>

/** Words to arguments: braces (bash), tilde, parameters, commands, arithmetic, splitting at IFS, file names, quotes off. */
export function expandWords(shell: Shell, words: readonly Word[]): Expanded<string[]> {
  return take(argumentsOf(shell, words))
}

/** One word to one string: an assignment, a case subject, a redirection. No splitting, no file names. */
export function expandText(shell: Shell, word: Word): Expanded<string> {
  return take(textOf(shell, word))
}

/** One word to a pattern: what was quoted matches itself. */
export function expandPattern(shell: Shell, word: Word): Expanded<string> {
  return take(patternOf(shell, word))
}

/** The right side of =~ : what was quoted matches itself. */
export function expandRegularExpression(shell: Shell, word: Word): Expanded<string> {
  return take(regularExpressionOf(shell, word))
}

export function evaluateWord(shell: Shell, word: Word): Expanded<bigint> {
  return take(numberOf(shell, word))
}

/** Steps that yield what has to be waited for: most expansions wait for nothing. */
type Steps<T> = Generator<Promise<unknown>, T, unknown>

function take<T>(steps: Steps<T>): Expanded<T> {
  const step = steps.next()
  return step.done ? step.value : takeRest(steps, step.value)
}

async function takeRest<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  let waiting = first
  for (;;) {
    const step = await waiting.then(
      (value) => steps.next(value),
      (error) => steps.throw(error),
    )
    if (step.done) return step.value
    waiting = step.value
  }
}

function* argumentsOf(shell: Shell, words: readonly Word[]): Steps<string[]> {
  const out: string[] = []
  for (const word of words) {
    const only = word.parts.length === 1 ? word.parts[0] : undefined
    if (only?.type === 'quoted') {
      out.push(only.text)
      continue
    }
    if (only?.type === 'literal' && !/[~*?[{+@!]/.test(only.text)) {
      out.push(only.text)
      continue
    }
    if (only?.type === 'double' && isOneText(only.parts)) {
      out.push(oneText(shell, only.parts))
      continue
    }
    for (const each of shell.flavor === 'bash' ? braces(word) : [word]) {
      const fields = new Fields(shell.ifs)
      yield* expandParts(shell, tilde(shell, each.parts), false, fields)
      for (const field of fields.finish()) out.push(...fileNames(shell, field))
    }
  }
  return out
}

function* textOf(shell: Shell, word: Word): Steps<string> {
  const only = word.parts.length === 1 ? word.parts[0] : undefined
  if (word.parts.length === 0) return ''
  if (only?.type === 'quoted' || (only?.type === 'literal' && !only.text.includes('~'))) return only.text
  if (only?.type === 'double' && isOneText(only.parts)) return oneText(shell, only.parts)
  const fields = new Fields(undefined)
  yield* expandParts(shell, tilde(shell, word.parts, true), false, fields)
  return joined(fields.finish())
}

/** Put together by +, which copies nothing: a text may be doubled until there is no memory left for it. */
function joined(fields: readonly (readonly Run[])[]): string {
  let text = ''
  for (const [index, field] of fields.entries()) {
    if (index > 0) text += ' '
    for (const run of field) text += run.text
  }
  return text
}

function* patternOf(shell: Shell, word: Word): Steps<string> {
  const fields = new Fields(undefined)
  yield* expandParts(shell, tilde(shell, word.parts), false, fields)
  return fields
    .finish()
    .map((field) => field.map((run) => (run.quoted ? quotePattern(run.text) : run.text)).join(''))
    .join(' ')
}

function* regularExpressionOf(shell: Shell, word: Word): Steps<string> {
  const fields = new Fields(undefined)
  yield* expandParts(shell, word.parts, false, fields)
  return fields
    .finish()
    .map((field) => field.map((run) => (run.quoted ? run.text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') : run.text)).join(''))
    .join(' ')
}

function* numberOf(shell: Shell, word: Word): Steps<bigint> {
  return arithmetic(shell, yield* textOf(shell, word))
}

export function arithmetic(shell: Shell, expression: string): bigint {
  try {
    return evaluate(expression, {
      get: (name, index) => {
        if (index === undefined) return shell.parameter(name)
        return shell.variables.find(name)?.array?.get(index)
      },
      set: (name, index, value) => shell.variables.set(name, value, index),
    })
  } catch (error) {
    if (error instanceof ArithmeticFault) throw new ExpansionFault(error.message)
    throw error
  }
}

/** Collects runs of text into fields. Without IFS nothing is split. */
class Fields {
  private readonly done: Run[][] = []
  private current: Run[] | undefined
  private readonly ifs: string | undefined
  private pendingBreak = false

  constructor(ifs: string | undefined) {
    this.ifs = ifs
  }

  add(text: string, quoted: boolean): void {
    if (this.pendingBreak) this.close()
    this.current ??= []
    if (text !== '' || quoted) this.current.push({ text, quoted })
  }

  /** The result of an unquoted expansion. */
  split(text: string): void {
    if (text === '') return
    if (this.ifs === undefined || this.ifs === '') {
      this.add(text, false)
      return
    }
    let piece = ''
    let sawWhite = false
    const flush = () => {
      if (piece !== '') this.add(piece, false)
      piece = ''
    }
    for (let index = 0; index < text.length; index++) {
      const char = text[index] as string
      if (!this.ifs.includes(char)) {
        piece += char
        sawWhite = false
        continue
      }
      flush()
      if (/[ \t\n]/.test(char)) {
        if (this.current) this.pendingBreak = true
        sawWhite = true
        continue
      }
      // A separator that is not white space delimits a field, even an empty one.
      if (this.pendingBreak && sawWhite) {
        this.pendingBreak = false
        this.close()
        sawWhite = false
        continue
      }
      if (this.pendingBreak) this.close()
      this.current ??= []
      this.close()
    }
    flush()
  }

  /** Ends the field here ("$@"). */
  break(): void {
    if (this.pendingBreak) this.close()
    this.current ??= []
    this.close()
  }

  finish(): Run[][] {
    if (this.current) this.done.push(this.current)
    this.current = undefined
    return this.done
  }

  private close(): void {
    this.pendingBreak = false
    if (this.current) this.done.push(this.current)
    this.current = undefined
  }
}

/** A here-document may have tens of thousands of parts; what each costs, in nanoseconds. */
const partsAtOnce = 64
const partPrice = 10_000

function* expandParts(shell: Shell, parts: readonly Part[], inQuotes: boolean, fields: Fields): Steps<void> {
  for (const [index, part] of parts.entries()) {
    const wait = index % partsAtOnce === partsAtOnce - 1 ? shell.process.spend(partsAtOnce * partPrice) : undefined
    if (wait) yield wait
    switch (part.type) {
      case 'literal':
        fields.add(part.text, inQuotes)
        break
      case 'quoted':
        fields.add(part.text, true)
        break
      case 'double':
        if (part.parts.length === 0) fields.add('', true)
        else yield* expandDouble(shell, part.parts, fields)
        break
      case 'parameter':
        if (!inQuotes && isPlain(part.parameter)) fields.split(plainValue(shell, part.parameter))
        else yield* expandParameter(shell, part.parameter, inQuotes, fields)
        break
      case 'command': {
        const text = (yield shell.substitute(part.list)) as string
        if (inQuotes) fields.add(text, true)
        else fields.split(text)
        break
      }
      case 'arithmetic': {
        const text = String(yield* numberOf(shell, part.expression))
        if (inQuotes) fields.add(text, true)
        else fields.split(text)
        break
      }
      case 'process':
        fields.add((yield shell.processSubstitution(part.direction, part.list)) as string, true)
        break
    }
  }
}

function* expandDouble(shell: Shell, parts: readonly Part[], fields: Fields): Steps<void> {
  // "$@" with no arguments is no field at all, but "" is an empty one.
  const onlyAll = parts.length === 1 && parts[0]?.type === 'parameter' && isAll(parts[0].parameter)
  if (!onlyAll) fields.add('', true)
  yield* expandParts(shell, parts, true, fields)
}

/** Whether what is in double quotes is a text with values of parameters in it and no more. */
function isOneText(parts: readonly Part[]): boolean {
  return (
    parts.length < partsAtOnce && parts.every((part) => part.type === 'literal' || (part.type === 'parameter' && isPlain(part.parameter)))
  )
}

function oneText(shell: Shell, parts: readonly Part[]): string {
  let text = ''
  for (const part of parts) text += part.type === 'literal' ? part.text : part.type === 'parameter' ? plainValue(shell, part.parameter) : ''
  return text
}

function isAll(parameter: Parameter): boolean {
  if (parameter.length) return false
  return parameter.name === '@' || parameter.index?.text === '@'
}

/** $name, of one value. */
function isPlain({ name, index, length, indirect, operator }: Parameter): boolean {
  return name !== '@' && name !== '*' && !index && !length && !indirect && !operator
}

/** Nothing is as good as an empty text where a value is not a field by itself. Throws ExpansionFault. */
function plainValue(shell: Shell, parameter: Parameter): string {
  const value = shell.parameter(parameter.name)
  demandSet(shell, parameter, value)
  return value ?? ''
}

function* expandParameter(shell: Shell, parameter: Parameter, inQuotes: boolean, fields: Fields): Steps<void> {
  const put = (text: string) => (inQuotes ? fields.add(text, true) : fields.split(text))
  const list = listOf(shell, parameter)
  if (parameter.length) {
    if (list) return put(String(list.length))
    const value = yield* parameterValue(shell, parameter)
    demandSet(shell, parameter, value)
    return put(String([...(value ?? '')].length))
  }
  const { operator } = parameter
  if (list) {
    let items = list
    if (operator && /^:?[-+=?]$/.test(operator)) {
      const joined = list.join(' ')
      const state = list.length === 0 || (operator.startsWith(':') && joined === '') ? undefined : joined
      if (operator.endsWith('+') ? state !== undefined : state === undefined) return yield* alternative(shell, parameter, inQuotes, fields)
      if (operator.endsWith('+')) return
    } else if (operator === ':') {
      const offset = Number(yield* numberOf(shell, parameter.word as Word))
      const source = parameter.name === '@' || parameter.name === '*' ? [shell.name, ...list] : list
      const begin = offset < 0 ? source.length + offset : offset
      const length = parameter.second ? Number(yield* numberOf(shell, parameter.second)) : source.length
      items = source.slice(Math.max(begin, parameter.name === '@' && offset === 0 ? 0 : begin), begin + length)
    } else if (operator) {
      items = []
      for (const item of list) items.push(yield* modify(shell, parameter, item))
    }
    const star = parameter.name === '*' || parameter.index?.text === '*'
    if (inQuotes && star) return fields.add(items.join(shell.ifs === undefined ? ' ' : (shell.ifs[0] ?? '')), true)
    items.forEach((item, index) => {
      if (index > 0) fields.break()
      if (inQuotes) fields.add(item, true)
      else fields.split(item)
    })
    return
  }
  const value = yield* parameterValue(shell, parameter)
  if (operator && /^:?[-+=?]$/.test(operator)) {
    const missing = value === undefined || (operator.startsWith(':') && value === '')
    if (operator.endsWith('+')) {
      if (!missing) yield* alternative(shell, parameter, inQuotes, fields)
      return
    }
    if (!missing) return put(value)
    return yield* alternative(shell, parameter, inQuotes, fields)
  }
  demandSet(shell, parameter, value)
  if (value === undefined) {
    if (operator === '/' || operator === ':') return
    return
  }
  put(operator ? yield* modify(shell, parameter, value) : value)
}

function demandSet(shell: Shell, parameter: Parameter, value: string | undefined): void {
  if (value === undefined && shell.options.has('u')) {
    throw new ExpansionFault(shell.flavor === 'bash' ? `${parameter.name}: unbound variable` : `${parameter.name}: parameter not set`)
  }
}

/** What stands for a parameter that is missing (- = ?) or present (+). */
function* alternative(shell: Shell, parameter: Parameter, inQuotes: boolean, fields: Fields): Steps<void> {
  const operator = parameter.operator as string
  const word = parameter.word as Word
  if (operator.endsWith('=')) {
    const text = yield* textOf(shell, word)
    shell.variables.set(parameter.name, text, parameter.index ? yield* indexOf(shell, parameter) : undefined)
    if (inQuotes) fields.add(text, true)
    else fields.split(text)
    return
  }
  if (operator.endsWith('?')) {
    const text = yield* textOf(shell, word)
    const missing = operator.startsWith(':') ? 'parameter null or not set' : 'parameter not set'
    throw new ExpansionFault(`${parameter.name}: ${text || (shell.flavor === 'ash' ? 'parameter not set' : missing)}`)
  }
  const parts = tilde(shell, word.parts)
  if (inQuotes) return yield* expandParts(shell, parts, true, fields)
  for (const part of parts) {
    if (part.type === 'literal') fields.split(part.text)
    else yield* expandParts(shell, [part], false, fields)
  }
}

function* modify(shell: Shell, parameter: Parameter, value: string): Steps<string> {
  const operator = parameter.operator as string
  const word = parameter.word as Word
  if (operator === ':') {
    const chars = [...value]
    const offset = Number(yield* numberOf(shell, word))
    const begin = offset < 0 ? Math.max(chars.length + offset, 0) : offset
    if (offset < 0 && chars.length + offset < 0) return ''
    if (!parameter.second) return chars.slice(begin).join('')
    const length = Number(yield* numberOf(shell, parameter.second))
    return chars.slice(begin, length < 0 ? chars.length + length : begin + length).join('')
  }
  if (operator.startsWith('#') || operator.startsWith('%')) return strip(value, operator, yield* patternOf(shell, word))
  if (operator.startsWith('/')) {
    const pattern = yield* patternOf(shell, word)
    if (pattern === '') return value
    const replacement = parameter.second ? yield* textOf(shell, parameter.second) : ''
    const source = patternSource(pattern)
    const regexp =
      operator === '//'
        ? linearRegExp(source, 'gu')
        : operator === '/#'
          ? linearRegExp(`^(?:${source})`, 'u')
          : operator === '/%'
            ? linearRegExp(`(?:${source})$`, 'u')
            : linearRegExp(source, 'u')
    return value.replace(regexp, () => replacement)
  }
  if (operator === '@') return parameterTransform(word.text, value)
  const pattern = word.parts.length === 0 ? '?' : yield* patternOf(shell, word)
  const change = (char: string) => (operator.startsWith('^') ? char.toUpperCase() : char.toLowerCase())
  const chars = [...value]
  return chars.map((char, index) => ((operator.length === 2 || index === 0) && matches(pattern, char) ? change(char) : char)).join('')
}

function parameterTransform(kind: string, value: string): string {
  if (kind === 'Q') return shellQuoted(value, true)
  if (kind === 'U') return value.toUpperCase()
  if (kind === 'L') return value.toLowerCase()
  if (kind === 'u') return value.slice(0, 1).toUpperCase() + value.slice(1)
  throw new ExpansionFault('bad substitution')
}

function strip(value: string, operator: string, pattern: string): string {
  const longest = operator.length === 2
  const star = longest ? '[^]*' : '[^]*?'
  if (operator.startsWith('#')) {
    return value.replace(linearRegExp(`^(?:${patternSource(pattern, star)})`, 'u'), '')
  }
  // The shortest suffix starts as late as possible: what stands before it is as long as can be.
  const before = longest ? '[^]*?' : '[^]*'
  return linearRegExp(`^(${before})(?:${patternSource(pattern)})$`, 'u').exec(value)?.[1] ?? value
}

function* indexOf(shell: Shell, parameter: Parameter): Steps<string> {
  const text = yield* textOf(shell, parameter.index as Word)
  const variable = shell.variables.find(parameter.name)
  if (variable?.associative) return text
  let index = arithmetic(shell, text)
  if (index < 0n) index += BigInt(Math.max(-1, ...[...(variable?.array?.keys() ?? [])].map(Number)) + 1)
  return String(index)
}

function listOf(shell: Shell, parameter: Parameter): string[] | undefined {
  const { name, index } = parameter
  if (parameter.indirect === 'names') return shell.variables.names().filter((each) => each.startsWith(name))
  if (name === '@' || name === '*') return shell.positional
  if (index && /^[@*]$/.test(index.text)) {
    if (name === 'PIPESTATUS' && shell.flavor === 'bash') return shell.pipeStatus.map(String)
    const variable = shell.variables.find(name)
    if (!variable) return []
    const entries = variable.array
      ? sorted(variable.array, variable.associative)
      : variable.value === undefined
        ? []
        : [['0', variable.value] as const]
    return entries.map(([key, value]) => (parameter.indirect === 'keys' ? key : value))
  }
  return undefined
}

function sorted(array: Map<string, string>, associative = false): (readonly [string, string])[] {
  const entries = [...array]
  return associative ? entries : entries.sort(([a], [b]) => Number(a) - Number(b))
}

function* parameterValue(shell: Shell, parameter: Parameter): Steps<string | undefined> {
  let value: string | undefined
  if (parameter.index) {
    const key = yield* indexOf(shell, parameter)
    const variable = shell.variables.find(parameter.name)
    if (parameter.name === 'PIPESTATUS' && shell.flavor === 'bash') return shell.pipeStatus.map(String)[Number(key)]
    value = variable?.array ? variable.array.get(key) : key === '0' ? variable?.value : undefined
  } else value = shell.parameter(parameter.name)
  if (parameter.indirect !== true || value === undefined) return value
  return shell.parameter(value)
}

function tilde(shell: Shell, parts: readonly Part[], assignment = false): readonly Part[] {
  const first = parts[0]
  if (first?.type !== 'literal' || !first.text.includes('~')) return parts
  const home = (user: string) => (user === '' ? (shell.parameter('HOME') ?? '~') : user === 'root' ? '/root' : undefined)
  const replace = (text: string) => {
    const match = /^~([A-Za-z]*)(?=\/|$)/.exec(text)
    const folder = match && home(match[1] as string)
    return folder === undefined || folder === null ? text : folder + text.slice((match as RegExpExecArray)[0].length)
  }
  const text = assignment ? first.text.split(':').map(replace).join(':') : replace(first.text)
  return [{ type: 'literal', text }, ...parts.slice(1)]
}

/** Names of files that a field matches, or the field itself when there are none. */
function fileNames(shell: Shell, field: readonly Run[]): string[] {
  const plain = field.map((run) => run.text).join('')
  if (shell.options.has('f') || !field.some((run) => !run.quoted && /[*?[]|[@+!]\(/.test(run.text))) return [plain]
  const pattern = field.map((run) => (run.quoted ? quotePattern(run.text) : run.text)).join('')
  if (!hasWildcard(pattern)) return [plain]
  const found = glob(shell.process, pattern)
  if (found.length > 0) return found
  return shell.shopt.has('nullglob') ? [] : [plain]
}

/** Files by pattern, in order of name. */
export function glob(process: Process, pattern: string): string[] {
  let bases: string[] = [pattern.startsWith('/') ? '/' : '']
  const parts = pattern.split('/').filter((part, index) => part !== '' || index === 0)
  if (pattern.startsWith('/')) parts.shift()
  const onlyDirectories = pattern.endsWith('/') && pattern !== '/'
  parts.forEach((part, depth) => {
    const last = depth === parts.length - 1
    const next: string[] = []
    for (const base of bases) {
      const prefix = base === '' || base.endsWith('/') ? base : `${base}/`
      if (!hasWildcard(part)) {
        const name = unquotePattern(part)
        if (process.fs.find(prefix + name, process.who, false)) next.push(prefix + name)
        continue
      }
      if (process.fs.find(base || '.', process.who)?.type !== 'dir') continue
      for (const [name, node] of process.fs.list(base || '.', process.who)) {
        if (name.startsWith('.') && !part.startsWith('.')) continue
        if (!matches(part, name)) continue
        if (!last && node.type !== 'dir' && node.type !== 'link') continue
        next.push(prefix + name)
      }
    }
    bases = next
  })
  if (!onlyDirectories) return bases
  return bases.filter((base) => process.fs.find(base, process.who)?.type === 'dir').map((base) => `${base}/`)
}

/** {a,b} and {1..9} into several words; only what is not quoted counts. */
function braces(word: Word): Word[] {
  for (let index = 0; index < word.parts.length; index++) {
    const part = word.parts[index] as Part
    if (part.type !== 'literal' || !part.text.includes('{')) continue
    const found = braceAt(word.parts, index)
    if (!found) continue
    const out: Word[] = []
    for (const middle of found.choices) {
      out.push(...braces({ parts: joinParts([...found.before, ...middle, ...found.after]), text: word.text }))
    }
    return out
  }
  return [word]
}

interface BraceMatch {
  before: Part[]
  choices: Part[][]
  after: Part[]
}

function braceAt(parts: readonly Part[], index: number): BraceMatch | undefined {
  const first = parts[index] as { type: 'literal'; text: string }
  for (let open = first.text.indexOf('{'); open !== -1; open = first.text.indexOf('{', open + 1)) {
    const before: Part[] = [...parts.slice(0, index), { type: 'literal', text: first.text.slice(0, open) }]
    const choices: Part[][] = [[]]
    let depth = 0
    let comma = false
    for (let at = index; at < parts.length; at++) {
      const part = parts[at] as Part
      if (part.type !== 'literal') {
        choices[choices.length - 1]?.push(part)
        continue
      }
      let text = ''
      const flush = () => {
        if (text !== '') choices[choices.length - 1]?.push({ type: 'literal', text })
        text = ''
      }
      for (let char = at === index ? open + 1 : 0; char < part.text.length; char++) {
        const one = part.text[char] as string
        if (one === '}' && depth === 0) {
          flush()
          const after: Part[] = [{ type: 'literal', text: part.text.slice(char + 1) }, ...parts.slice(at + 1)]
          const only = choices.length === 1 && choices[0]?.length === 1 ? choices[0][0] : undefined
          const sequence = only?.type === 'literal' ? sequenceOf(only.text) : undefined
          if (sequence) return { before, choices: sequence.map((item) => [{ type: 'literal', text: item }]), after }
          if (comma) return { before, choices, after }
          break
        }
        if (one === '{') depth++
        if (one === '}') depth--
        if (one === ',' && depth === 0) {
          flush()
          comma = true
          choices.push([])
        } else text += one
      }
      flush()
    }
  }
  return undefined
}

function sequenceOf(text: string): string[] | undefined {
  const numbers = /^(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?$/.exec(text)
  const letters = /^([a-zA-Z])\.\.([a-zA-Z])(?:\.\.(-?\d+))?$/.exec(text)
  const match = numbers ?? letters
  if (!match) return undefined
  const code = (end: string) => (numbers ? Number(end) : end.charCodeAt(0))
  const from = code(match[1] as string)
  const to = code(match[2] as string)
  const step = Math.max(1, Math.abs(Number(match[3] ?? 1)))
  if (Math.abs(to - from) / step > 100_000) throw new SyntaxFault('brace expansion: too many', 0)
  const width =
    numbers && /^-?0\d/.test((match[1] as string).length > (match[2] as string).length ? (match[1] as string) : (match[2] as string))
      ? Math.max((match[1] as string).length, (match[2] as string).length)
      : 0
  const out: string[] = []
  for (let value = from; from <= to ? value <= to : value >= to; value += from <= to ? step : -step) {
    out.push(numbers ? String(value).padStart(width, '0') : String.fromCharCode(value))
  }
  return out
}

function joinParts(parts: readonly Part[]): Part[] {
  const out: Part[] = []
  for (const part of parts) {
    const last = out[out.length - 1]
    if (part.type === 'literal' && last?.type === 'literal') out[out.length - 1] = { type: 'literal', text: last.text + part.text }
    else if (part.type !== 'literal' || part.text !== '') out.push(part)
  }
  return out
}
