import type { Checked } from './checker.ts'
import { CompileError, type Fault } from './faults.ts'
import { FormatError, filledIn, refusal } from './library/format-text.ts'
import { patternFault } from './pattern-fault.ts'
import { childrenOf, type Expr } from './syntax-tree.ts'
import { parsedDuration, parsedTimestamp } from './times.ts'
import { type CelType, heldBy, type Kind, sameType, shownType, typeName } from './types.ts'

/**
 * What is wrong with an expression whose types are right: durations, times and patterns that are none, lists and maps of several
 * types, templates that do not fit their arguments. Throws CompileError. Source: cel-go's cel/validator.go and ext/formatting.go.
 */
export function checkLiterals(checked: Checked): void {
  const faults: Fault[] = []
  const tell = (expr: { id: number }, message: string) => faults.push({ at: checked.places.get(expr.id) ?? -1, message })
  visit(checked.root, false)
  if (faults.length > 0) throw new CompileError(checked.text, faults)

  function visit(expr: Expr, withinFormat: boolean): void {
    if (expr.kind === 'call') callFaults(expr)
    if (!withinFormat && expr.kind === 'list') elementFaults(expr)
    if (!withinFormat && expr.kind === 'map') entryFaults(expr)
    const inFormat = withinFormat || (expr.kind === 'call' && expr.name === 'format')
    for (const child of childrenOf(expr)) visit(child, inFormat)
  }

  function callFaults(call: Expr & { kind: 'call' }): void {
    const [first] = call.args
    const wrong = literalRules.get(call.name)
    if (wrong && first?.kind === 'literal' && typeof first.value === 'string' && wrong(first.value))
      tell(first, `invalid ${call.name} argument`)
    const { target } = call
    if (
      call.name === 'format' &&
      target?.kind === 'literal' &&
      typeof target.value === 'string' &&
      first?.kind === 'list' &&
      call.args.length === 1
    )
      templateFaults(call, target.value, first.elements)
  }

  function elementFaults({ elements, optionals }: Expr & { kind: 'list' }): void {
    let wanted: CelType | undefined
    for (const [index, element] of elements.entries()) {
      const type = plainType(checked.typeOf(element), optionals.has(index))
      wanted ??= type
      if (!sameType(wanted, type)) return void tell(element, mismatch(wanted, type))
    }
  }

  function entryFaults({ entries }: Expr & { kind: 'map' }): void {
    let wanted: [CelType, CelType] | undefined
    for (const { key, value, optional } of entries) {
      const given: [CelType, CelType] = [checked.typeOf(key), plainType(checked.typeOf(value), optional)]
      wanted ??= given
      if (!sameType(wanted[0], given[0])) tell(key, mismatch(wanted[0], given[0]))
      if (!sameType(wanted[1], given[1])) tell(value, mismatch(wanted[1], given[1]))
    }
  }

  function templateFaults(call: Expr, template: string, args: readonly Expr[]): void {
    let used = 0
    let wrong: Expr = call
    const clause = (verb: string, _precision: number | undefined, index: number) => {
      used++
      const refused = refusedBy(verb, args[index] as Expr)
      if (!refused) return ''
      wrong = refused
      throw refusal(verb, typeName(checked.typeOf(refused)).replace(/\(.*/, ''))
    }
    try {
      filledIn(template, { count: args.length, clause })
      if (args.length > used) tell(call, `too many arguments supplied to string.format (expected ${used}, got ${args.length})`)
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      tell(wrong, error.message)
    }
  }

  function refusedBy(verb: string, arg: Expr): Expr | undefined {
    const kinds = taken[verb.toLowerCase()] as readonly Kind[]
    if (!['dyn', ...kinds].includes(checked.typeOf(arg).kind)) return arg
    if (verb !== 's' || (arg.kind !== 'list' && arg.kind !== 'map')) return undefined
    for (const child of childrenOf(arg)) {
      const refused = refusedBy(verb, child)
      if (refused) return refused
    }
    return undefined
  }
}

const literalRules: ReadonlyMap<string, (literal: string) => boolean> = new Map([
  ['duration', (literal) => parsedDuration(literal) === undefined],
  ['timestamp', (literal) => parsedTimestamp(literal) === undefined],
  ['matches', (literal) => patternFault(literal) !== undefined],
])

const taken: Readonly<Record<string, readonly Kind[]>> = {
  s: ['list', 'map', 'int', 'uint', 'double', 'bool', 'string', 'timestamp', 'bytes', 'duration', 'type', 'null'],
  d: ['int', 'uint'],
  f: ['double', 'string'],
  e: ['double', 'string'],
  b: ['int', 'uint', 'bool'],
  x: ['int', 'uint', 'string', 'bytes'],
  o: ['int', 'uint'],
}

function plainType(type: CelType, isOptional: boolean): CelType {
  return isOptional ? (heldBy(type) ?? type) : type
}

function mismatch(expected: CelType, actual: CelType): string {
  return `expected type '${shownType(expected)}' but found '${shownType(actual)}'`
}
