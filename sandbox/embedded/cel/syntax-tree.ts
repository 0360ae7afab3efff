import type { Value } from './values.ts'

interface Node {
  /** By which types, overloads and places are kept. */
  readonly id: number
}

export interface Literal extends Node {
  readonly kind: 'literal'
  readonly value: Value
}
export interface Identifier extends Node {
  readonly kind: 'identifier'
  readonly name: string
}
export interface Select extends Node {
  readonly kind: 'select'
  readonly operand: Expr
  readonly field: string
  /** Of has(). */
  readonly testOnly: boolean
}
export interface Call extends Node {
  readonly kind: 'call'
  readonly name: string
  readonly target: Expr | undefined
  readonly args: readonly Expr[]
}
export interface ListLiteral extends Node {
  readonly kind: 'list'
  readonly elements: readonly Expr[]
  readonly optionals: ReadonlySet<number>
}
export interface Entry extends Node {
  readonly key: Expr
  readonly value: Expr
  readonly optional: boolean
}
export interface MapLiteral extends Node {
  readonly kind: 'map'
  readonly entries: readonly Entry[]
}
export interface Field extends Node {
  readonly name: string
  readonly value: Expr
  readonly optional: boolean
}
export interface StructLiteral extends Node {
  readonly kind: 'struct'
  readonly name: string
  readonly fields: readonly Field[]
}
/** What macros become: a fold of a list or map. With `second` the variables are index and item, or key and value. */
export interface Comprehension extends Node {
  readonly kind: 'comprehension'
  readonly range: Expr
  readonly variable: string
  readonly second: string | undefined
  readonly accumulator: string
  readonly init: Expr
  readonly condition: Expr
  readonly step: Expr
  readonly result: Expr
}

export type Expr = Literal | Identifier | Select | Call | ListLiteral | MapLiteral | StructLiteral | Comprehension

/** A parsed expression: where each node stands in the text, in code points. */
export interface Parsed {
  readonly text: string
  readonly root: Expr
  readonly places: ReadonlyMap<number, number>
}

/** A dotted name as one; undefined of all that is none. */
export function qualifiedName(expr: Expr): string | undefined {
  if (expr.kind === 'identifier') return expr.name
  if (expr.kind !== 'select' || expr.testOnly) return undefined
  const head = qualifiedName(expr.operand)
  return head === undefined ? undefined : `${head}.${expr.field}`
}

/** The parts right below a node, in the order in which they stand. */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'select':
      return [expr.operand]
    case 'call':
      return expr.target ? [expr.target, ...expr.args] : expr.args
    case 'list':
      return expr.elements
    case 'map':
      return expr.entries.flatMap(({ key, value }) => [key, value])
    case 'struct':
      return expr.fields.map(({ value }) => value)
    case 'comprehension':
      return [expr.range, expr.init, expr.condition, expr.step, expr.result]
    default:
      return []
  }
}
