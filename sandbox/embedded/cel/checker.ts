import type { FunctionDeclaration, Overload } from './declarations.ts'
import { CompileError, type Fault } from './faults.ts'
import { messageNameOf } from './messages.ts'
import { type Comprehension, type Expr, type MapLiteral, type Parsed, qualifiedName, type StructLiteral } from './syntax-tree.ts'
import { type CelType, heldBy, isDyn, isDynOrError, listOf, mapOf, optionalOf, param, sameType, shownType, types } from './types.ts'
import { assignable, mostGeneral, type Substitutions, substituted } from './unification.ts'
import { runtimeType } from './values.ts'

/** What names in an expression mean. */
export interface Names {
  /** The type of a variable, or of a type's name. */
  variable(name: string): CelType | undefined
  function(name: string): FunctionDeclaration | undefined
  /** The fields of a struct; undefined when there is no such type. */
  struct(name: string): ReadonlyMap<string, CelType> | undefined
}

/** What a call comes down to: a function by its whole name, with those of its overloads that may be meant. */
export interface Resolution {
  readonly declared: FunctionDeclaration
  readonly overloads: readonly Overload[]
  /** False where what looks like a target is the head of the function's name. */
  readonly hasTarget: boolean
}

export interface Checked extends Parsed {
  typeOf(expr: Expr): CelType
  resolution(expr: Expr): Resolution | undefined
  /** The variable or type that an identifier or a dotted name means. */
  reference(expr: Expr): string | undefined
}

/** The types of an expression and all its parts. Throws CompileError with everything that is wrong, as cel-go's checker tells it. */
export function check(parsed: Parsed, names: Names): Checked {
  const checker = new Checker(parsed, names)
  checker.check(parsed.root)
  if (checker.faults.length > 0) throw new CompileError(parsed.text, checker.faults)
  return checker.result()
}

const orError = (type: CelType | undefined) => type ?? types.error

class Checker {
  readonly faults: Fault[] = []
  private readonly parsed: Parsed
  private readonly names: Names
  private readonly typesById = new Map<number, CelType>()
  private readonly resolutions = new Map<number, Resolution>()
  private readonly references = new Map<number, string>()
  private known: Substitutions = new Map()
  private variables = 0
  private readonly scopes: Map<string, CelType>[] = []

  constructor(parsed: Parsed, names: Names) {
    this.parsed = parsed
    this.names = names
  }

  result(): Checked {
    const { typesById, resolutions, references, known } = this
    for (const [id, type] of typesById) typesById.set(id, substituted(known, type, true))
    return {
      ...this.parsed,
      typeOf: ({ id }) => typesById.get(id) ?? types.dyn,
      resolution: ({ id }) => resolutions.get(id),
      reference: ({ id }) => references.get(id),
    }
  }

  check(expr: Expr): CelType {
    const type = this.typeFor(expr)
    this.typesById.set(expr.id, type)
    return type
  }

  private typeFor(expr: Expr): CelType {
    switch (expr.kind) {
      case 'literal':
        return runtimeType(expr.value)
      case 'identifier': {
        const found = this.refer(expr, expr.name)
        return found ?? this.undeclared(expr, expr.name)
      }
      case 'select': {
        const name = qualifiedName(expr)
        const variable = name === undefined ? undefined : this.refer(expr, name)
        if (variable) return variable
        const type = this.field(expr, expr.operand, expr.field, false)
        return expr.testOnly ? types.bool : this.substitute(type)
      }
      case 'call':
        return this.call(expr)
      case 'list':
        return this.list(expr.elements, expr.optionals)
      case 'map':
        return this.map(expr)
      case 'struct':
        return this.struct(expr)
      case 'comprehension':
        return this.comprehension(expr)
    }
  }

  private refer(expr: Expr, given: string): CelType | undefined {
    const name = given.replace(/^\./, '')
    const local = this.scopes.findLast((scope) => scope.has(name))?.get(name)
    const found = local ?? this.names.variable(name)
    if (found) this.references.set(expr.id, name)
    return found
  }

  private undeclared(expr: Expr, name: string): CelType {
    this.tell(expr, `undeclared reference to '${name.replace(/^\./, '')}' (in container '')`)
    return types.error
  }

  private field(expr: Expr, operand: Expr, field: string, optional: boolean): CelType {
    const given = this.substitute(this.check(operand))
    const held = heldBy(given)
    const target = held ?? given
    let type: CelType = types.dyn
    if (target.kind === 'map') type = target.params[1] as CelType
    else if (target.kind === 'struct') type = this.fieldOf(expr, target.name, field) ?? types.error
    else if (target.kind === 'param') this.assign(types.dyn, target)
    else if (!isDynOrError(target)) this.tell(expr, `type '${shownType(target)}' does not support field selection`)
    return held || optional ? optionalOf(type) : type
  }

  private fieldOf(at: { id: number }, structName: string, field: string): CelType | undefined {
    const fields = this.names.struct(structName)
    if (!fields) this.tell(at, `unexpected failed resolution of '${structName}'`)
    const type = fields?.get(field)
    if (fields && !type) this.tell(at, `undefined field '${field}'`)
    return type
  }

  private call(expr: Expr & { kind: 'call' }): CelType {
    const { name, target, args } = expr
    if (name === '_?._') return this.optionalSelection(expr)
    for (const arg of args) this.check(arg)
    if (target) {
      const prefix = qualifiedName(target)
      const namespaced = prefix === undefined ? undefined : this.names.function(`${prefix.replace(/^\./, '')}.${name}`)
      if (namespaced) return this.resolve(expr, namespaced, undefined)
      this.check(target)
    }
    const declared = this.names.function(name.replace(/^\./, ''))
    return declared ? this.resolve(expr, declared, target) : this.undeclared(expr, name)
  }

  private optionalSelection(expr: Expr & { kind: 'call' }): CelType {
    const [operand, field] = expr.args as [Expr, Expr]
    const name = field.kind === 'literal' ? String(field.value) : ''
    const type = this.substitute(this.field(expr, operand, name, true))
    const declared = this.names.function('_?._')
    if (declared) this.resolutions.set(expr.id, { declared, overloads: declared.overloads, hasTarget: false })
    return type
  }

  private resolve(expr: Expr & { kind: 'call' }, declared: FunctionDeclaration, target: Expr | undefined): CelType {
    const operands = target ? [target, ...expr.args] : expr.args
    const given = operands.map(({ id }) => orError(this.typesById.get(id)))
    if (declared.name === '_&&_' || declared.name === '_||_') return this.logic(expr, declared, given)
    const fitting: Overload[] = []
    let result: CelType | undefined
    for (const overload of declared.overloads) {
      if (overload.isMember !== (target !== undefined)) continue
      const { args, result: returned } = this.instantiated(overload)
      const known = assignable(this.known, given, args)
      if (!known) continue
      this.known = known
      fitting.push(overload)
      const type = this.substitute(returned)
      if (!result) result = type
      else if (!isDyn(result) && !sameType(type, result)) result = types.dyn
    }
    if (!result) {
      const shown = given.map((type) => shownType(substituted(this.known, type, true)))
      const applied = target ? `${shown[0]}.(${shown.slice(1).join(', ')})` : `(${shown.join(', ')})`
      this.tell(expr, `found no matching overload for '${declared.name}' applied to '${applied}'`)
      return types.error
    }
    this.resolutions.set(expr.id, { declared, overloads: fitting, hasTarget: target !== undefined })
    return result
  }

  private logic(expr: Expr & { kind: 'call' }, declared: FunctionDeclaration, given: readonly CelType[]): CelType {
    let fits = true
    for (const [index, type] of given.entries()) {
      if (this.assign(type, types.bool)) continue
      this.mismatch(expr.args[index] as Expr, types.bool, type)
      fits = false
    }
    if (fits) this.resolutions.set(expr.id, { declared, overloads: declared.overloads, hasTarget: false })
    return fits ? types.bool : types.error
  }

  /** With type variables of its own. */
  private instantiated({ args, result, params }: Overload): { args: readonly CelType[]; result: CelType } {
    if (params.length === 0) return { args, result }
    const fresh = new Map(params.map((name) => [name, this.variable()]))
    return { args: args.map((type) => substituted(fresh, type, false)), result: substituted(fresh, result, false) }
  }

  private list(elements: readonly Expr[], optionals: ReadonlySet<number>): CelType {
    let joined: CelType | undefined
    for (const [index, element] of elements.entries()) {
      const type = this.unwrapped(element, this.check(element), optionals.has(index))
      joined = this.join(joined, type)
    }
    return listOf(joined ?? this.variable())
  }

  private map({ entries }: MapLiteral): CelType {
    let [keys, values]: [CelType | undefined, CelType | undefined] = [undefined, undefined]
    for (const { key, value, optional } of entries) {
      keys = this.join(keys, this.check(key))
      const type = this.unwrapped(value, this.check(value), optional)
      values = this.join(values, type)
    }
    return mapOf(keys ?? this.variable(), values ?? this.variable())
  }

  private struct(expr: StructLiteral): CelType {
    const named = this.names.variable(expr.name)
    if (!named) {
      for (const { value } of expr.fields) this.check(value)
      return this.undeclared(expr, expr.name)
    }
    const [made] = named.params
    if (named.kind !== 'type' || !made) {
      this.tell(expr, `'${named.name}' is not a type`)
      for (const field of expr.fields) this.fieldOf(field, expr.name, field.name)
      return types.error
    }
    this.references.set(expr.id, expr.name)
    const message = messageNameOf(made)
    if (made.kind !== 'struct' && !this.names.struct(message)) {
      this.tell(expr, `'${made.name}' is not a message type`)
      return types.error
    }
    for (const field of expr.fields) {
      const given = this.check(field.value)
      const wanted = this.fieldOf(field, message, field.name) ?? types.error
      const type = this.unwrapped(field.value, given, field.optional)
      if (!this.assign(wanted, type)) {
        this.tell(field, `expected type of field '${field.name}' is '${shownType(wanted)}' but provided type is '${shownType(type)}'`)
      }
    }
    return made
  }

  private unwrapped(expr: Expr, type: CelType, isOptional: boolean): CelType {
    if (!isOptional) return type
    const held = heldBy(type)
    if (!held && !isDyn(type)) this.mismatch(expr, optionalOf(type), type)
    return held ?? type
  }

  private comprehension(expr: Comprehension): CelType {
    const given = this.check(expr.range)
    const accumulated = this.check(expr.init)
    const range = this.substitute(given)
    this.scopes.push(new Map([[expr.accumulator, accumulated]]))
    const [variable, second] = this.iterated(expr, range)
    const scope = new Map([[expr.variable, variable]])
    if (expr.second) scope.set(expr.second, second)
    this.scopes.push(scope)
    this.check(expr.condition)
    this.assertType(expr.condition, types.bool)
    this.check(expr.step)
    this.assertType(expr.step, accumulated)
    this.scopes.pop()
    const result = this.check(expr.result)
    this.scopes.pop()
    return this.substitute(result)
  }

  private iterated({ range, second }: Comprehension, type: CelType): [CelType, CelType] {
    const [first = types.dyn, value = types.dyn] = type.params
    if (type.kind === 'list') return second ? [types.int, first] : [first, first]
    if (type.kind === 'map') return [first, value]
    if (type.kind === 'dyn' || type.kind === 'error' || type.kind === 'param') {
      this.assign(types.dyn, type)
      return [types.dyn, types.dyn]
    }
    this.tell(range, `expression of type '${shownType(type)}' cannot be range of a comprehension (must be list, map, or dynamic)`)
    return [types.error, types.error]
  }

  /** What is of several types is of any: literal-checks.ts has more to say. */
  private join(previous: CelType | undefined, current: CelType): CelType {
    if (!previous) return current
    if (this.assign(previous, current)) return mostGeneral(previous, current)
    return types.dyn
  }

  private assertType(expr: Expr, type: CelType): void {
    const given = orError(this.typesById.get(expr.id))
    if (!this.assign(type, given)) this.mismatch(expr, type, given)
  }

  private assign(a: CelType, b: CelType): boolean {
    const known = assignable(this.known, [a], [b])
    if (known) this.known = known
    return known !== undefined
  }

  private substitute(type: CelType): CelType {
    return substituted(this.known, type, false)
  }

  private variable(): CelType {
    return param(`_var${this.variables++}`)
  }

  private mismatch(expr: Expr, expected: CelType, actual: CelType): void {
    this.tell(expr, `expected type '${shownType(expected)}' but found '${shownType(actual)}'`)
  }

  private tell({ id }: { id: number }, message: string): void {
    this.faults.push({ at: this.parsed.places.get(id) ?? -1, message })
  }
}
