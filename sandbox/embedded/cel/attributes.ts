import type { Budget } from './budget.ts'
import { noSuchOverload } from './comparison.ts'
import { shownValue } from './shown-values.ts'
import { CelMap, Failure, Optional, runtimeType, Uint, type Value } from './values.ts'

/** Where variables are looked up. */
export interface Scope {
  readonly budget: Budget
  get(name: string): Value | undefined
}

/** A part of an expression, ready to run. */
export interface Step {
  evaluate(scope: Scope): Value
  /** Of what is the same each time. */
  readonly constant?: Value
  /** Of what can be selected from without an outcome in between. */
  readonly attribute?: Attribute
}

/** A variable, or the outcome of something, and the way to a part of it: cel-go's interpreter/attributes.go. */
export interface Attribute {
  resolve(scope: Scope): Value
  add(qualifier: Qualifier): void
}

export interface Qualifier {
  readonly key: Value | Attribute
  /** Of `.?` and `[?`: there may be none. */
  readonly optional: boolean
  /** Of has(). */
  readonly testOnly: boolean
}

/** One way from where it begins. */
abstract class PathAttribute implements Attribute {
  private readonly qualifiers: Qualifier[] = []

  resolve(scope: Scope): Value {
    return qualified(scope, this.origin(scope), this.qualifiers)
  }

  add(qualifier: Qualifier): void {
    this.qualifiers.push(qualifier)
  }

  protected abstract origin(scope: Scope): Value
}

export class VariableAttribute extends PathAttribute {
  private readonly name: string

  constructor(name: string) {
    super()
    this.name = name
  }

  protected origin(scope: Scope): Value {
    const value = scope.get(this.name)
    return value === undefined ? new Failure(`no such attribute(s): ${this.name}`) : value
  }
}

export class RelativeAttribute extends PathAttribute {
  private readonly operand: Step

  constructor(operand: Step) {
    super()
    this.operand = operand
  }

  protected origin(scope: Scope): Value {
    return this.operand.evaluate(scope)
  }
}

export class ConditionalAttribute implements Attribute {
  private readonly condition: Step
  private readonly chosen: Attribute
  private readonly otherwise: Attribute

  constructor(condition: Step, then: Attribute, otherwise: Attribute) {
    this.condition = condition
    this.chosen = then
    this.otherwise = otherwise
  }

  resolve(scope: Scope): Value {
    const value = this.condition.evaluate(scope)
    if (value === true) return this.chosen.resolve(scope)
    if (value === false) return this.otherwise.resolve(scope)
    return value instanceof Failure ? value : noSuchOverload
  }

  add(qualifier: Qualifier): void {
    this.chosen.add(qualifier)
    this.otherwise.add(qualifier)
  }
}

/** Each step on the way costs 1; one that finds nothing where nothing need be costs nothing. */
function qualified(scope: Scope, value: Value, qualifiers: readonly Qualifier[]): Value {
  if (value instanceof Failure) return value
  let isOptional = value instanceof Optional
  let part: Value = value
  if (value instanceof Optional) {
    if (value.value === undefined) return value
    part = value.value
  }
  for (const { key, optional, testOnly } of qualifiers) {
    isOptional ||= optional
    const at = isAttribute(key) ? key.resolve(scope) : key
    if (testOnly) {
      const found = selected(part, at)
      scope.budget.charge(1)
      if (found instanceof Failure) return found
      part = found !== undefined
      continue
    }
    const found = at instanceof Failure ? at : selected(part, at)
    if (found === undefined && isOptional) return Optional.none
    scope.budget.charge(1)
    if (found instanceof Failure) return found
    if (found === undefined) return new Failure(`${Array.isArray(part) ? 'index out of bounds' : 'no such key'}: ${shownValue(at)}`)
    part = found
  }
  return isOptional && !qualifiers.at(-1)?.testOnly ? new Optional(part) : part
}

function isAttribute(key: Value | Attribute): key is Attribute {
  return typeof key === 'object' && key !== null && 'resolve' in key
}

/** Undefined when there is no such part. */
function selected(value: Value, key: Value): Value | undefined {
  if (value instanceof CelMap) return value.get(key)
  if (!Array.isArray(value)) return undefined
  const index = indexOf(key)
  return index instanceof Failure ? index : (value as readonly Value[])[index]
}

function indexOf(key: Value): number | Failure {
  if (typeof key === 'bigint') return Number(key)
  if (key instanceof Uint) return Number(key.value)
  if (typeof key !== 'number') return new Failure(`unsupported index type '${runtimeType(key).name}' in list`)
  return Number.isInteger(key) ? key : new Failure(`unsupported index value ${shownValue(key)} in list`)
}
