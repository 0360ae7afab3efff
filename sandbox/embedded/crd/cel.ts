import { Environment } from '@marcbachmann/cel-js'
import { compareQuantities, parseQuantity, QuantityError } from '../schema/quantity.ts'
import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'
import { boundedExec, boundedFindAll } from './patterns.ts'
import { itemsOf, propertyOf } from './schema.ts'

/** A compiled expression. Throws an Error with the reason when it cannot be evaluated. */
export type Expression = (variables: Readonly<Record<string, unknown>>) => unknown

/** Compiles a Common Expression Language expression with Kubernetes' extensions; every variable is dynamic. Throws on bad syntax. */
export function compile(text: string): Expression {
  const known = compiled.get(text)
  if (known) return known
  const parsed = environment.parse(text)
  const expression: Expression = (variables) => parsed(variables as Record<string, unknown>)
  compiled.set(text, expression)
  return expression
}

/** JSON as CEL has it: integers are ints where the schema says so (without one: wherever they are whole). */
export function toCel(value: unknown, schema?: JSONSchemaProps): unknown {
  if (Array.isArray(value)) {
    const items = schema && itemsOf(schema)
    return value.map((item) => toCel(item, items))
  }
  if (typeof value === 'object' && value !== null) {
    const isMap = schema?.additionalProperties !== undefined
    return Object.fromEntries(
      Object.entries(value).map(([key, field]) => [isMap ? key : escapeField(key), toCel(field, schema && propertyOf(schema, key))]),
    )
  }
  if (typeof value !== 'number' || schema?.type === 'number') return value
  return Number.isInteger(value) ? BigInt(value) : value
}

const compiled = new Map<string, Expression>()
const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false, enableOptionalTypes: true })

type Item = bigint | number | string | boolean

environment
  .registerFunction('list.isSorted(): bool', (list: Item[]) =>
    list.every((item, index) => index === 0 || (list[index - 1] as Item) <= item),
  )
  .registerFunction('list.sum(): dyn', (list: Item[]) => {
    if (list.some((item) => typeof item === 'number')) return list.map(Number).reduce((sum, item) => sum + item, 0)
    return list.map(BigInt).reduce((sum, item) => sum + item, 0n)
  })
  .registerFunction('list.min(): dyn', (list: Item[]) => extreme(list, (a, b) => a < b))
  .registerFunction('list.max(): dyn', (list: Item[]) => extreme(list, (a, b) => a > b))
  .registerFunction('list.indexOf(dyn): int', (list: unknown[], item: unknown) => BigInt(list.indexOf(item)))
  .registerFunction('list.lastIndexOf(dyn): int', (list: unknown[], item: unknown) => BigInt(list.lastIndexOf(item)))
  .registerFunction('string.find(string): string', (text: string, pattern: string) => boundedExec(new RegExp(pattern), text)?.[0] ?? '')
  .registerFunction('string.findAll(string): list', (text: string, pattern: string) => boundedFindAll(new RegExp(pattern, 'g'), text))
  .registerFunction('isURL(string): bool', (text: string) => URL.canParse(text))
  .registerFunction('isQuantity(string): bool', (text: string) => {
    try {
      parseQuantity(text)
      return true
    } catch (error) {
      if (error instanceof QuantityError) return false
      throw error
    }
  })
  .registerFunction('quantityCompare(string, string): int', (a: string, b: string) => BigInt(compareQuantities(a, b)))

function extreme(list: Item[], better: (a: Item, b: Item) => boolean): Item {
  const [first, ...rest] = list
  if (first === undefined) throw new Error('min/max called on empty list')
  return rest.reduce((best, item) => (better(item, best) ? item : best), first)
}

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
)

/** Names that CEL cannot say are written otherwise (`x-kubernetes-validations`' documentation). */
function escapeField(name: string): string {
  if (reserved.has(name)) return `__${name}__`
  return name.replace(
    /__|\.|-|\//g,
    (text) => ({ __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' })[text] as string,
  )
}
