import type { Checked } from './checker.ts'
import { functionEstimate, most, type Operand, type Size, times } from './cost-of-functions.ts'
import { listCost, mapCost, structCost } from './costs.ts'
import type { DeclaredType } from './declared-type.ts'
import { accumulator } from './macros.ts'
import type { Comprehension, Expr } from './syntax-tree.ts'
import { type CelType, heldBy } from './types.ts'

interface Entry {
  key: Size
  value: Size
}

interface Local {
  path: readonly string[]
  size?: Size | undefined
  entry?: Entry | undefined
}

const unknown: Size = { min: 0, max: most }
const scalars: ReadonlySet<string> = new Set(['bool', 'double', 'duration', 'int', 'timestamp', 'uint'])

/**
 * The most that an expression about a value of this type can cost, in CEL's units of cost, as the API server reckons before it
 * accepts a rule. Source: cel-go's checker/cost.go, apiserver/pkg/cel/library/cost.go.
 */
export function estimatedCost(checked: Checked, root: DeclaredType): number {
  return new Coster(checked, root).cost(checked.root)
}

class Coster {
  private readonly checked: Checked
  private readonly root: DeclaredType
  private readonly paths = new Map<number, readonly string[]>()
  private readonly sizes = new Map<number, Size>()
  private readonly entries = new Map<number, Entry>()
  private readonly locals = new Map<string, Local[]>()

  constructor(checked: Checked, root: DeclaredType) {
    this.checked = checked
    this.root = root
  }

  cost(expr: Expr): number {
    switch (expr.kind) {
      case 'literal':
        return 0
      case 'identifier':
        this.paths.set(expr.id, this.local(expr.name)?.path ?? [expr.name])
        return 1
      case 'select': {
        // A dotted name that means one thing as a whole.
        const name = this.checked.reference(expr)
        if (name === undefined) return this.select(expr)
        this.paths.set(expr.id, [name])
        return 1
      }
      case 'call':
        return this.call(expr)
      case 'list': {
        const sum = total(expr.elements.map((element) => this.cost(element)))
        this.entries.set(expr.id, { key: { min: 1, max: 1 }, value: union(expr.elements.map((element) => this.sizeOf(element))) })
        return sum + listCost
      }
      case 'map': {
        const sum = total(expr.entries.map(({ key, value }) => this.cost(key) + this.cost(value)))
        const keys = union(expr.entries.map(({ key }) => this.sizeOf(key)))
        this.entries.set(expr.id, { key: keys, value: union(expr.entries.map(({ value }) => this.sizeOf(value))) })
        return sum + mapCost
      }
      case 'struct':
        return total(expr.fields.map(({ value }) => this.cost(value))) + structCost
      case 'comprehension':
        return this.isBinding(expr) ? this.binding(expr) : this.comprehension(expr)
    }
  }

  private select({ id, operand, field, testOnly }: Expr & { kind: 'select' }): number {
    const cost = this.cost(operand)
    if (testOnly) return cost
    this.paths.set(id, [...this.pathOf(operand), field])
    const { kind } = this.typeOf(operand)
    return kind === 'map' || kind === 'struct' ? cost + 1 : cost
  }

  private call(expr: Expr & { kind: 'call' }): number {
    const { id, args } = expr
    const resolution = this.checked.resolution(expr)
    const [first] = args
    if (expr.name === 'dyn' && first) {
      const cost = this.cost(first)
      this.keepSize(id, this.size(first))
      this.keepEntry(id, this.entryOf(first))
      return 1 + cost
    }
    const costs = args.map((arg) => this.cost(arg))
    const operands = args.map((arg) => this.operand(arg))
    if (!resolution) return 0
    const target = resolution.hasTarget ? expr.target : undefined
    let sum = target ? this.cost(target) : 0
    const targetOperand = target && this.operand(target)
    const argsCost = total(costs)
    let [cost, size]: [number, Size | undefined] = [0, undefined]
    for (const overload of resolution.overloads) {
      const estimate = this.estimate(expr, resolution.declared.name, overload.id, targetOperand, operands, costs, argsCost)
      cost = Math.max(cost, estimate.cost)
      if (estimate.size) size = size ? union([size, estimate.size]) : estimate.size
      if (first && (overload.id === 'index_list' || overload.id === 'index_map')) {
        size = this.entryOf(first)?.value
        this.paths.set(id, [...this.pathOf(first), overload.id === 'index_list' ? '@items' : '@values'])
      }
      size ??= this.size(expr)
    }
    this.keepSize(id, size)
    sum += cost
    return Math.min(sum, most)
  }

  private estimate(
    expr: Expr & { kind: 'call' },
    name: string,
    overload: string,
    target: Operand | undefined,
    args: readonly Operand[],
    costs: readonly number[],
    argsCost: number,
  ): { cost: number; size?: Size | undefined } {
    const [left, right, last] = expr.args
    if (overload === 'conditional' && right && last) {
      this.keepEntry(expr.id, unionOfEntries(this.entryOf(right), this.entryOf(last)))
      const [condition = 0, then = 0, otherwise = 0] = costs
      return { cost: condition + Math.max(then, otherwise), size: union([this.sizeOf(right), this.sizeOf(last)]) }
    }
    if (overload === 'logical_and' || overload === 'logical_or') return { cost: argsCost }
    if (/^add_(?:string|bytes|list)$/.test(overload) && left && right) {
      this.keepEntry(expr.id, unionOfEntries(this.entryOf(left), this.entryOf(right)))
    }
    const estimate = functionEstimate(name, overload, target, args) ?? { cost: 1 }
    return { cost: Math.min(estimate.cost + argsCost, most), size: estimate.size }
  }

  private operand(expr: Expr): Operand {
    const type = this.typeOf(expr)
    const path = this.ownPath(expr)
    return {
      type,
      size: this.sizeOf(expr),
      elementSize: (path.length > 0 ? this.estimated([...path, '@items']) : undefined) ?? unknown,
      ...(expr.kind === 'literal' ? { literal: expr.value } : {}),
    }
  }

  private comprehension(expr: Comprehension): number {
    const { range, init, condition, step, result, variable, second } = expr
    let sum = this.cost(range) + this.cost(init)
    this.push(expr.accumulator, { path: this.pathOf(init), size: this.size(init), entry: this.entryOf(init) })
    const entry = this.entryOf(range)
    const isList = this.typeOf(range).kind === 'list'
    const path = this.pathOf(range)
    if (second) {
      this.push(variable, { path: [...path, isList ? '@indices' : '@keys'], size: entry?.key })
      this.push(second, { path: [...path, isList ? '@items' : '@values'], size: entry?.value })
    } else this.push(variable, { path: [...path, isList ? '@items' : '@keys'], size: isList ? entry?.value : entry?.key })
    const each = this.cost(condition) + this.cost(step)
    this.pop(variable)
    if (second) this.pop(second)
    sum += this.cost(result)
    this.pop(expr.accumulator)
    const count = this.sizeOf(range)
    if (init.kind === 'literal') this.keepSize(expr.id, this.size(init))
    else if (init.kind === 'list' || init.kind === 'map') {
      this.keepSize(expr.id, count)
      this.keepEntry(expr.id, this.entryOf(step))
    }
    return Math.min(sum + times(count.max, each), most)
  }

  /** What optMap makes: a name for a value, and no loop. */
  private isBinding({ range, condition, accumulator: name }: Comprehension): boolean {
    return (
      range.kind === 'list' &&
      range.elements.length === 0 &&
      condition.kind === 'literal' &&
      condition.value === false &&
      name !== '__result__'
    )
  }

  private binding(expr: Comprehension): number {
    const { range, init, result } = expr
    const sum = this.cost(range) + this.cost(init)
    this.push(expr.accumulator, { path: this.pathOf(init), size: this.size(init), entry: this.entryOf(init) })
    const cost = this.cost(result)
    this.pop(expr.accumulator)
    this.keepSize(expr.id, this.size(result))
    this.keepEntry(expr.id, this.entryOf(result))
    return sum + cost
  }

  private push(name: string, local: Local): void {
    this.locals.set(name, [...(this.locals.get(name) ?? []), local])
  }

  private pop(name: string): void {
    this.locals.set(name, this.locals.get(name)?.slice(0, -1) ?? [])
  }

  private local(name: string): Local | undefined {
    return this.locals.get(name)?.at(-1)
  }

  private typeOf(expr: Expr): CelType {
    return this.checked.typeOf(expr)
  }

  private pathOf(expr: Expr): readonly string[] {
    return (expr.kind === 'identifier' ? this.local(expr.name)?.path : undefined) ?? this.paths.get(expr.id) ?? []
  }

  /** None of what is only gathered. */
  private ownPath(expr: Expr): readonly string[] {
    const path = this.pathOf(expr)
    return path[0] === accumulator ? [] : path
  }

  private entryOf(expr: Expr): Entry | undefined {
    return this.entries.get(expr.id) ?? (expr.kind === 'identifier' ? this.local(expr.name)?.entry : undefined)
  }

  private keepSize(id: number, size: Size | undefined): void {
    if (size) this.sizes.set(id, size)
  }

  private keepEntry(id: number, entry: Entry | undefined): void {
    if (entry) this.entries.set(id, entry)
  }

  private sizeOf(expr: Expr): Size {
    return this.size(expr) ?? unknown
  }

  private size(expr: Expr): Size | undefined {
    const known = this.sizes.get(expr.id) ?? literalSize(expr) ?? this.estimated(this.pathOf(expr))
    if (known) return known
    if (isScalar(this.typeOf(expr))) return { min: 1, max: 1 }
    return expr.kind === 'identifier' ? this.local(expr.name)?.size : undefined
  }

  /** By the schema, along a path whose first part is a variable: that is the root, whichever it is. */
  private estimated(path: readonly string[]): Size | undefined {
    if (path.length === 0) return undefined
    let type: DeclaredType | undefined = this.root
    for (const name of path.slice(1)) {
      type = name === '@items' || name === '@values' ? type.element : name === '@keys' ? type.key : type.fields?.[name]
      if (!type) return undefined
    }
    return { min: 0, max: type.maxElements }
  }
}

function isScalar(type: CelType): boolean {
  const held = heldBy(type)
  return held ? isScalar(held) : scalars.has(type.kind)
}

function literalSize(expr: Expr): Size | undefined {
  const fixed = (length: number) => ({ min: length, max: length })
  if (expr.kind === 'list') return fixed(expr.elements.length)
  if (expr.kind === 'map') return fixed(expr.entries.length)
  if (expr.kind !== 'literal') return undefined
  const { value } = expr
  return fixed(typeof value === 'string' ? [...value].length : value instanceof Uint8Array ? value.length : 1)
}

function total(costs: readonly number[]): number {
  return Math.min(
    costs.reduce((sum, cost) => sum + cost, 0),
    most,
  )
}

function union(sizes: readonly Size[]): Size {
  if (sizes.length === 0) return { min: 0, max: 0 }
  return { min: Math.min(...sizes.map(({ min }) => min)), max: Math.max(...sizes.map(({ max }) => max)) }
}

function unionOfEntries(a: Entry | undefined, b: Entry | undefined): Entry | undefined {
  return a && b ? { key: union([a.key, b.key]), value: union([a.value, b.value]) } : undefined
}
