import { type Attribute, ConditionalAttribute, RelativeAttribute, type Scope, type Step, VariableAttribute } from './attributes.ts'
import { callCost } from './call-cost.ts'
import type { Checked, Resolution } from './checker.ts'
import { equal, noSuchOverload } from './comparison.ts'
import { listCost, mapCost, structCost } from './costs.ts'
import { call, isStrict } from './dispatch.ts'
import { Fold } from './fold.ts'
import { type Message, messages, wrapperTypes } from './messages.ts'
import { patternFault } from './pattern-fault.ts'
import { shownValue } from './shown-values.ts'
import type { Comprehension, Expr, StructLiteral } from './syntax-tree.ts'
import { EntryMap, Failure, Optional, type Value } from './values.ts'

/** An expression that cannot even be made ready: a constant part of it fails. */
export class PlanError extends Error {}

/** Makes a checked expression ready to run as cel-go's planner does, with the same parts computed beforehand. Throws PlanError. */
export function plan(checked: Checked, constants: (name: string) => Value | undefined): Step {
  return new Planner(checked, constants).plan(checked.root)
}

const constant = (value: Value): Step => ({ constant: value, evaluate: () => value })
/** Whose pattern, where it is a literal, is read beforehand. */
const searches: ReadonlySet<string> = new Set(['matches', 'find', 'findAll'])
const conversions: ReadonlySet<string> = new Set('bool bytes double duration dyn int string timestamp type uint'.split(' '))

class Planner {
  private readonly checked: Checked
  private readonly constants: (name: string) => Value | undefined

  constructor(checked: Checked, constants: (name: string) => Value | undefined) {
    this.checked = checked
    this.constants = constants
  }

  plan(expr: Expr): Step {
    const name = this.checked.reference(expr)
    if (name !== undefined && (expr.kind === 'identifier' || expr.kind === 'select')) return this.named(name)
    switch (expr.kind) {
      case 'literal':
        return constant(expr.value)
      case 'select':
        return this.select(expr.operand, expr.field, expr.testOnly)
      case 'call':
        return this.call(expr, this.checked.resolution(expr) as Resolution)
      case 'list':
        return this.list(expr)
      case 'map':
        return this.map(expr)
      case 'comprehension':
        return this.fold(expr)
      case 'struct':
        return this.message(expr)
      default:
        throw new PlanError(`unknown type: ${expr.name}`)
    }
  }

  private named(name: string): Step {
    const known = this.constants(name)
    // of messages that come to be something else there is no type
    if (wrapperTypes.has(name)) throw new PlanError(`reference to undefined type: ${name}`)
    return known === undefined ? attributeStep(new VariableAttribute(name)) : constant(known)
  }

  private select(operand: Expr, field: string, testOnly: boolean): Step {
    const step = this.plan(operand)
    const attribute = step.attribute ?? new RelativeAttribute(step)
    attribute.add({ key: field, optional: false, testOnly })
    return testOnly ? presenceStep(attribute) : attributeStep(attribute)
  }

  private call(expr: Expr & { kind: 'call' }, resolution: Resolution): Step {
    const operands = expr.target && resolution.hasTarget ? [expr.target, ...expr.args] : expr.args
    const steps = operands.map((operand) => this.plan(operand))
    const [first, second, third] = steps as [Step, Step, Step]
    const { declared, overloads } = resolution
    switch (declared.name) {
      case '_&&_':
        return logicStep(steps, false)
      case '_||_':
        return logicStep(steps, true)
      case '_?_:_':
        return conditionalStep(first, second, third)
      case '_[_]':
        return indexStep(first, second, false)
      case '_[?_]':
      case '_?._':
        return indexStep(first, second, true)
      case 'or':
      case 'orValue':
        if (resolution.hasTarget) return orStep(declared.name, first, second)
    }
    const isLiteralList = declared.name === '@in' && overloads.length === 1 && overloads[0]?.id === 'in_list'
    const member = isLiteralList && Array.isArray(second.constant) ? membershipStep(first, second.constant) : undefined
    if (member) return member
    const pattern = searches.has(declared.name) ? second?.constant : undefined
    const fault = typeof pattern === 'string' ? patternFault(pattern) : undefined
    if (fault) throw new PlanError(fault)
    const step = callStep(resolution, steps)
    if (steps.length !== 1 || first.constant === undefined || !conversions.has(declared.name)) return step
    const value = call(resolution, [first.constant], unlimited)
    if (value instanceof Failure) throw new PlanError(value.message)
    return constant(value)
  }

  private list(expr: Expr & { kind: 'list' }): Step {
    const steps = expr.elements.map((element) => this.plan(element))
    const evaluate = (scope: Scope) => {
      const value = listOf(scope, steps, expr.optionals)
      scope.budget.charge(listCost)
      return value
    }
    if (!steps.every(isConstant)) return { evaluate }
    return constant(listOf(noScope, steps, expr.optionals))
  }

  private map(expr: Expr & { kind: 'map' }): Step {
    const entries = expr.entries.map(({ key, value, optional }) => ({ key: this.plan(key), value: this.plan(value), optional }))
    const evaluate = (scope: Scope) => {
      const value = mapOf(scope, entries)
      scope.budget.charge(mapCost)
      return value
    }
    if (!entries.every(({ key, value }) => isConstant(key) && isConstant(value))) return { evaluate }
    return constant(mapOf(noScope, entries))
  }

  private message(expr: StructLiteral): Step {
    const message = messages.get(expr.name)
    if (!message) throw new PlanError(`unknown type: ${expr.name}`)
    const fields = expr.fields.map(({ name, value, optional }) => ({ name, value: this.plan(value), optional }))
    return {
      evaluate(scope) {
        const value = messageOf(scope, message, fields)
        scope.budget.charge(structCost)
        return value
      },
    }
  }

  private fold({ range, variable, second, accumulator, init, condition, step, result }: Comprehension): Step {
    const parts = {
      range: this.plan(range),
      variable,
      second,
      accumulator,
      init: this.plan(init),
      condition: this.plan(condition),
      step: this.plan(step),
      result: this.plan(result),
    }
    return { evaluate: (scope) => new Fold(parts, scope).outcome() }
  }
}

const unlimited = { charge: () => undefined, spend: () => undefined, cost: 0 }
const noScope = { budget: unlimited, get: () => undefined } as unknown as Scope

function isFailure(value: Value): value is Failure {
  return value instanceof Failure
}

function isConstant(step: Step): boolean {
  return step.constant !== undefined
}

/** A variable counts; what a condition chooses has been counted. */
function attributeStep(attribute: Attribute): Step {
  if (attribute instanceof ConditionalAttribute) return { attribute, evaluate: (scope) => attribute.resolve(scope) }
  return {
    attribute,
    evaluate(scope) {
      const value = attribute.resolve(scope)
      scope.budget.charge(1)
      return value
    },
  }
}

function presenceStep(attribute: Attribute): Step {
  return {
    evaluate(scope) {
      const value = attribute.resolve(scope)
      return value instanceof Optional ? value.value !== undefined : value
    },
  }
}

function conditionalStep(condition: Step, then: Step, otherwise: Step): Step {
  const attribute = new ConditionalAttribute(
    condition,
    then.attribute ?? new RelativeAttribute(then),
    otherwise.attribute ?? new RelativeAttribute(otherwise),
  )
  return attributeStep(attribute)
}

function indexStep(operand: Step, index: Step, optional: boolean): Step {
  const attribute = operand.attribute ?? new RelativeAttribute(operand)
  const key = index.constant !== undefined ? index.constant : (index.attribute ?? new RelativeAttribute(index))
  attribute.add({ key, optional, testOnly: false })
  return attributeStep(attribute)
}

/** One term that decides does so whatever became of those before it. */
function logicStep(steps: readonly Step[], decisive: boolean): Step {
  return {
    evaluate(scope) {
      let failure: Failure | undefined
      for (const step of steps) {
        const value = step.evaluate(scope)
        if (value === decisive) return decisive
        if (value !== !decisive) failure ??= value instanceof Failure ? value : noSuchOverload
      }
      return failure ?? !decisive
    },
  }
}

function orStep(name: string, first: Step, second: Step): Step {
  return {
    evaluate(scope) {
      const value = first.evaluate(scope)
      if (value instanceof Failure) return value
      if (!(value instanceof Optional)) return value
      if (value.value === undefined) return second.evaluate(scope)
      return name === 'or' ? value : value.value
    },
  }
}

/** In a list of constants nothing is counted. Undefined where the list holds more than scalars. */
function membershipStep(operand: Step, list: readonly Value[]): Step | undefined {
  if (list.length === 0) return constant(false)
  const isScalar = (item: Value) => item === null || typeof item !== 'object' || 'value' in item
  if (!list.every(isScalar)) return undefined
  return {
    evaluate(scope) {
      const value = operand.evaluate(scope)
      return value instanceof Failure ? value : list.some((item) => equal(item, value, scope.budget))
    },
  }
}

function callStep(resolution: Resolution, steps: readonly Step[]): Step {
  const strict = isStrict(resolution.declared.name)
  const cost = callCost(resolution.declared.name, resolution.overloads.length === 1 ? resolution.overloads[0]?.id : undefined)
  return {
    evaluate(scope) {
      const args: Value[] = []
      for (const step of steps) {
        const value = step.evaluate(scope)
        // With one argument or two all are computed before anything else.
        if (steps.length > 2 && value instanceof Failure) return value
        args.push(value)
      }
      const failed = strict ? args.find(isFailure) : undefined
      const value = failed ?? call(resolution, args, scope.budget)
      scope.budget.charge(typeof cost === 'number' ? cost : cost(args, value))
      return value
    },
  }
}

function listOf(scope: Scope, steps: readonly Step[], optionals: ReadonlySet<number>): Value {
  const items: Value[] = []
  for (const [index, step] of steps.entries()) {
    const value = step.evaluate(scope)
    if (value instanceof Failure) return value
    if (!optionals.has(index)) items.push(value)
    else if (!(value instanceof Optional)) {
      return new Failure(`cannot initialize optional list element from non-optional value ${shownValue(value)}`)
    } else if (value.value !== undefined) items.push(value.value)
  }
  return items
}

function messageOf(scope: Scope, message: Message, fields: readonly { name: string; value: Step; optional: boolean }[]): Value {
  const given = new Map<string, Value>()
  for (const { name, value, optional } of fields) {
    const held = value.evaluate(scope)
    if (held instanceof Failure) return held
    if (!optional) given.set(name, held)
    else if (!(held instanceof Optional)) {
      return new Failure(`cannot initialize optional entry '${name}' from non-optional value ${shownValue(held)}`)
    } else if (held.value !== undefined) given.set(name, held.value)
    else given.delete(name)
  }
  return message.make(given)
}

function mapOf(scope: Scope, entries: readonly { key: Step; value: Step; optional: boolean }[]): Value {
  const map = new EntryMap()
  for (const { key, value, optional } of entries) {
    const at = key.evaluate(scope)
    if (at instanceof Failure) return at
    const held = value.evaluate(scope)
    if (held instanceof Failure) return held
    if (!optional) map.set(at, held)
    else if (!(held instanceof Optional)) {
      return new Failure(`cannot initialize optional entry '${shownValue(at)}' from non-optional value ${shownValue(held)}`)
    } else if (held.value !== undefined) map.set(at, held.value)
  }
  return map
}
