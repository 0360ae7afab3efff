import type { Environment } from '@marcbachmann/cel-js'
import { deepEqual } from '../../machinery/freeze.ts'

type Item = bigint | number | string | boolean

/** Kubernetes' lists library, ext.Lists (version 3) and ext.Sets of cel-go. */
export function registerCollections(environment: Environment): void {
  environment
    .registerFunction('list.isSorted(): bool', (list: Item[]) => list.every((item, at) => at === 0 || (list[at - 1] as Item) <= item))
    .registerFunction('list.sum(): dyn', (list: Item[]) =>
      list.some((item) => typeof item === 'number')
        ? list.map(Number).reduce((sum, item) => sum + item, 0)
        : list.map(BigInt).reduce((sum, item) => sum + item, 0n),
    )
    .registerFunction('list.min(): dyn', (list: Item[]) => extreme('min', list, (a, b) => a < b))
    .registerFunction('list.max(): dyn', (list: Item[]) => extreme('max', list, (a, b) => a > b))
    .registerFunction('list.indexOf(dyn): int', (list: unknown[], item: unknown) => BigInt(list.findIndex((one) => equal(one, item))))
    .registerFunction('list.lastIndexOf(dyn): int', (list: unknown[], item: unknown) =>
      BigInt(list.findLastIndex((one) => equal(one, item))),
    )
    .registerFunction('list.slice(int, int): list', slice)
    .registerFunction('list.flatten(): list', (list: unknown[]) => list.flat())
    .registerFunction('list.flatten(int): list', (list: unknown[], depth: bigint) => list.flat(Number(depth)))
    .registerFunction('list.distinct(): list', (list: unknown[]) =>
      list.filter((item, at) => list.findIndex((one) => equal(one, item)) === at),
    )
    .registerFunction('list.reverse(): list', (list: unknown[]) => list.toReversed())
    .registerFunction('list.sort(): list', (list: Item[]) => list.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
  const lists = namespace(environment, 'lists', 'kubernetes.ListsNamespace')
  environment.registerFunction(`${lists}.range(int): list<int>`, (_: unknown, size: bigint) =>
    Array.from({ length: Number(size) }, (_item, at) => BigInt(at)),
  )
  const sets = namespace(environment, 'sets', 'kubernetes.SetsNamespace')
  const contains = (list: unknown[], part: unknown[]) => part.every((item) => list.some((one) => equal(one, item)))
  environment
    .registerFunction(`${sets}.contains(list, list): bool`, (_: unknown, list: unknown[], part: unknown[]) => contains(list, part))
    .registerFunction(`${sets}.equivalent(list, list): bool`, (_: unknown, a: unknown[], b: unknown[]) => contains(a, b) && contains(b, a))
    .registerFunction(`${sets}.intersects(list, list): bool`, (_: unknown, a: unknown[], b: unknown[]) =>
      a.some((item) => b.some((one) => equal(one, item))),
    )
}

/** Makes functions with a dotted name possible: NAME.f() is a method of a constant of a type of its own. Returns the type. */
export function namespace(environment: Environment, name: string, type: string): string {
  const Holder = { [type]: class {} }[type] as new () => object
  environment.registerType(type, Holder).registerConstant(name, type, new Holder())
  return type
}

function slice(list: unknown[], start: bigint, end: bigint): unknown[] {
  if (start < 0n || end < 0n) throw new Error(`cannot slice(${start}, ${end}), negative indexes not supported`)
  if (start > end) throw new Error(`cannot slice(${start}, ${end}), start index must be less than or equal to end index`)
  if (end > BigInt(list.length)) throw new Error(`cannot slice(${start}, ${end}), list is length ${list.length}`)
  return list.slice(Number(start), Number(end))
}

function equal(a: unknown, b: unknown): boolean {
  if (typeof a === 'bigint' && typeof b === 'number') return Number(a) === b
  if (typeof a === 'number' && typeof b === 'bigint') return a === Number(b)
  return deepEqual(a, b)
}

function extreme(name: string, list: Item[], better: (a: Item, b: Item) => boolean): Item {
  const [first, ...rest] = list
  if (first === undefined) throw new Error(`${name} called on empty list`)
  return rest.reduce((best, item) => (better(item, best) ? item : best), first)
}
