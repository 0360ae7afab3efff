import type { Scope, Step } from './attributes.ts'
import type { Budget } from './budget.ts'
import { CelMap, EntryMap, Failure, runtimeType, type Value } from './values.ts'

export interface FoldParts {
  readonly range: Step
  readonly variable: string
  readonly second: string | undefined
  readonly accumulator: string
  readonly init: Step
  readonly condition: Step
  readonly step: Step
  readonly result: Step
}

/** Lists and maps that a fold gathers in: what is added to them is added in place, which nobody else can see. */
export const growing = new WeakSet<object>()

/** A macro at work: cel-go's folder. What is gathered is there from when it is first asked for. */
export class Fold implements Scope {
  readonly budget: Budget
  private readonly parts: FoldParts
  private readonly outer: Scope
  private accumulated: Value | undefined
  private first: Value = null
  private second: Value = null
  private isOver = false

  constructor(parts: FoldParts, outer: Scope) {
    this.parts = parts
    this.outer = outer
    this.budget = outer.budget
  }

  get(name: string): Value | undefined {
    const { variable, second, accumulator, init } = this.parts
    if (name === accumulator) {
      if (this.accumulated === undefined) this.accumulated = emptied(init.evaluate(this.outer))
      return this.accumulated
    }
    if (!this.isOver && name === variable) return this.first
    if (!this.isOver && name === second) return this.second
    return this.outer.get(name)
  }

  outcome(): Value {
    const range = this.parts.range.evaluate(this.outer)
    if (range instanceof Failure) return range
    const failure = this.parts.second === undefined ? this.overItems(range) : this.overPairs(range)
    if (failure) return failure
    this.isOver = true
    const result = this.parts.result.evaluate(this)
    if (typeof result === 'object' && result !== null) growing.delete(result)
    return result
  }

  private overItems(range: Value): Failure | undefined {
    const items = Array.isArray(range) ? (range as readonly Value[]) : range instanceof CelMap ? range.keys() : undefined
    if (!items) return new Failure(`got '${goType(range)}', expected iterable type`)
    for (const item of items) if (!this.goesOn(item, null)) break
    return undefined
  }

  private overPairs(range: Value): Failure | undefined {
    const pairs = Array.isArray(range) ? indexed(range) : range instanceof CelMap ? range.entries() : undefined
    if (!pairs) return new Failure(`unsupported comprehension range type: ${goType(range)}`)
    for (const [first, second] of pairs) if (!this.goesOn(first, second)) break
    return undefined
  }

  private goesOn(first: Value, second: Value): boolean {
    this.first = first
    this.second = second
    if (this.parts.condition.evaluate(this) === false) return false
    this.accumulated = this.parts.step.evaluate(this)
    return true
  }
}

function emptied(value: Value): Value {
  const fresh = Array.isArray(value) && value.length === 0 ? [] : value instanceof EntryMap && value.size === 0 ? new EntryMap() : undefined
  if (!fresh) return value
  growing.add(fresh)
  return fresh
}

function indexed(items: readonly Value[]): [Value, Value][] {
  return items.map((item, index) => [BigInt(index), item])
}

/** As Go calls the type behind a value. */
function goType(value: Value): string {
  const { name } = runtimeType(value)
  const own: Readonly<Record<string, string>> = { null_type: 'Null', optional_type: '*types.Optional' }
  const known = own[name] ?? (name.split('.').at(-1) as string).replace(/^./, (letter) => letter.toUpperCase())
  return known.startsWith('*') ? known : `types.${known}`
}
