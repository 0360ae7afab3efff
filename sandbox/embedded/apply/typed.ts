import { copyOf } from '../machinery/copy.ts'
import { deepEqual } from '../machinery/freeze.ts'
import { type Schema, schemaOfField, schemaOfItems } from '../schema/index.ts'
import { childOf, emptySet, type FieldSet, isEmpty } from './field-set.ts'

type Fields = Record<string, unknown>

export interface Comparison {
  added: FieldSet
  modified: FieldSet
  removed: FieldSet
}

/** An object that its schema does not allow to be applied: a list item without its key, or two with the same. */
export class TypedError extends Error {}

/** The fields that an object sets, lists and maps taken apart as the schema says. */
export function fieldsOf(value: unknown, schema: Schema | undefined): FieldSet {
  const set = emptySet()
  collect(value, schema, new Spot(set))
  return set
}

/** What changes from one object to the other, parents of new fields included. */
export function compare(before: unknown, after: unknown, schema: Schema | undefined): Comparison {
  const result = { added: emptySet(), modified: emptySet(), removed: emptySet() }
  const { added, modified, removed } = result
  walk(before, after, schema, { added: new Spot(added), modified: new Spot(modified), removed: new Spot(removed) })
  return result
}

/** The live object with the applied one laid over it; lists and maps merge where the schema lets them. */
export function merge(live: unknown, applied: unknown, schema: Schema | undefined): unknown {
  if (applied === undefined) return live
  const kind = kindOf(schema, applied)
  if (kind === 'map' && isObject(live) && isObject(applied)) {
    const result: Fields = { ...live }
    for (const [key, value] of Object.entries(applied)) result[key] = merge(live[key], value, schemaOfField(schema, key))
    return result
  }
  if (kind === 'list' && Array.isArray(live) && Array.isArray(applied)) return mergeLists(live, applied, schema)
  return copyOf(applied)
}

/**
 * Takes off what its manager applied before and does not any more, unless somebody else owns it.
 * `last` is the earlier set, `owned` the union of everybody's sets now.
 */
export function prune(value: unknown, last: FieldSet, owned: FieldSet | undefined, schema: Schema | undefined): unknown {
  const drop = (element: string, inner: unknown, innerSchema: Schema | undefined): unknown => {
    const lastChild = last.children.get(element)
    if (!lastChild) return inner
    const ownedChild = owned?.children.get(element)
    if (lastChild.member && isEmpty(ownedChild)) return undefined
    if (lastChild.children.size === 0) return inner
    const pruned = prune(inner, lastChild, ownedChild, innerSchema)
    return isObject(pruned) && Object.keys(pruned).length === 0 && isEmpty(ownedChild) ? undefined : pruned
  }
  if (isObject(value)) {
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, inner]) => [key, drop(`f:${key}`, inner, schemaOfField(schema, key))] as const)
        .filter(([, inner]) => inner !== undefined),
    )
  }
  if (Array.isArray(value) && kindOf(schema, value) === 'list') {
    return value.map((item) => drop(elementOf(item, schema), item, schemaOfItems(schema))).filter((item) => item !== undefined)
  }
  return value
}

/** A place in a set, which gets there when something belongs to it. */
class Spot {
  private readonly above: Spot | undefined
  private readonly element: string
  private set: FieldSet | undefined

  constructor(set: FieldSet | undefined, above?: Spot, element = '') {
    this.set = set
    this.above = above
    this.element = element
  }

  below(element: string): Spot {
    return new Spot(undefined, this, element)
  }

  /** The whole object is never a field. */
  add(): void {
    if (this.above) this.place().member = true
  }

  private place(): FieldSet {
    this.set ??= childOf((this.above as Spot).place(), this.element)
    return this.set
  }
}

function collect(value: unknown, schema: Schema | undefined, at: Spot): void {
  const kind = kindOf(schema, value)
  if (kind === 'leaf') at.add()
  else if (kind === 'list') {
    if (!Array.isArray(value)) return
    for (const item of value) {
      const place = at.below(elementOf(item, schema))
      collect(item, schemaOfItems(schema), place)
      place.add()
    }
  } else if (isObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      const place = at.below(`f:${key}`)
      collect(inner, schemaOfField(schema, key), place)
      const known = schema?.properties && Object.hasOwn(schema.properties, key)
      if (inner === null || (isObject(inner) && Object.keys(inner).length === 0) || !known) place.add()
    }
  }
}

type Spots = Record<keyof Comparison, Spot>

function below({ added, modified, removed }: Spots, element: string): Spots {
  return { added: added.below(element), modified: modified.below(element), removed: removed.below(element) }
}

function walk(before: unknown, after: unknown, schema: Schema | undefined, at: Spots): void {
  // what an update leaves as it is, is often the very same
  if (before === after) return
  const kind = kindOf(schema, after ?? before)
  if (kind === 'leaf') {
    if (before === undefined) at.added.add()
    else if (after === undefined) at.removed.add()
    else if (!deepEqual(before, after)) at.modified.add()
    return
  }
  if (kind === 'map') {
    const [left, right] = [isObject(before) ? before : {}, isObject(after) ? after : {}]
    for (const key in left) {
      if (left[key] !== right[key]) walk(left[key], right[key], schemaOfField(schema, key), below(at, `f:${key}`))
    }
    for (const key in right) {
      if (!Object.hasOwn(left, key)) walk(undefined, right[key], schemaOfField(schema, key), below(at, `f:${key}`))
    }
  } else {
    const [left, right] = [itemsOf(before, schema), itemsOf(after, schema)]
    for (const [element, item] of left) walk(item, right.get(element), schemaOfItems(schema), below(at, element))
    for (const [element, item] of right) if (!left.has(element)) walk(undefined, item, schemaOfItems(schema), below(at, element))
  }
  if (before === undefined) at.added.add()
  else if (after === undefined) at.removed.add()
}

/** Items of both in one order: the applied list's, live items that it does not name keeping their places before. */
function mergeLists(live: unknown[], applied: unknown[], schema: Schema | undefined): unknown[] {
  const left = itemsOf(live, schema)
  const right = itemsOf(applied, schema)
  const done = new Set<string>()
  const result: unknown[] = []
  const leftElements = [...left.keys()]
  const rightElements = [...right.keys()]
  let [i, j] = [0, 0]
  while (i < leftElements.length || j < rightElements.length) {
    const element = leftElements[i]
    if (element !== undefined && (done.has(element) || !right.has(element))) {
      if (!done.has(element)) result.push(left.get(element))
      i += 1
      continue
    }
    const next = rightElements[j]
    if (next === undefined) break
    result.push(merge(left.get(next), right.get(next), schemaOfItems(schema)))
    done.add(next)
    j += 1
  }
  return result
}

function itemsOf(value: unknown, schema: Schema | undefined): Map<string, unknown> {
  return new Map(Array.isArray(value) ? value.map((item) => [elementOf(item, schema), item]) : [])
}

/** How an item of such a list is told from the others: by its keys, or by its value. */
export function elementOf(item: unknown, schema: Schema | undefined): string {
  const keys = schema?.['x-kubernetes-list-map-keys']
  if (schema?.['x-kubernetes-list-type'] !== 'map' || !keys) return `v:${JSON.stringify(item)}`
  const itemSchema = schemaOfItems(schema)
  const source = isObject(item) ? item : {}
  const entries = [...keys].sort().flatMap((key) => {
    const value = source[key] ?? schemaOfField(itemSchema, key)?.default
    return value === undefined || value === null ? [] : [[key, value] as const]
  })
  if (entries.length === 0) {
    throw new TypedError(
      `associative list with keys has an element that omits all key fields ${keys.map((key) => JSON.stringify(key)).join(', ')} (and doesn't have default values for any key fields)`,
    )
  }
  return `k:${JSON.stringify(Object.fromEntries(entries))}`
}

/** How the schema lets a value be owned: as a whole, by its fields, or by its items. */
function kindOf(schema: Schema | undefined, value: unknown): 'leaf' | 'map' | 'list' {
  if (!schema) return isObject(value) ? 'map' : 'leaf'
  if (schema.type === 'array') {
    const type = schema['x-kubernetes-list-type']
    return type === 'map' || type === 'set' ? 'list' : 'leaf'
  }
  if (schema.type !== 'object') return isObject(value) && schema.type === undefined && !schema.oneOf ? 'map' : 'leaf'
  if (schema['x-kubernetes-map-type'] === 'atomic') return 'leaf'
  const open = schema.properties || schema.additionalProperties || schema['x-kubernetes-preserve-unknown-fields']
  return open ? 'map' : 'leaf'
}

/** [name="web"] for an item of a map, [="web"] for one of a set. */
export function keyText(element: string): string {
  const value = JSON.parse(element.slice(2)) as unknown
  if (!element.startsWith('k:') || !isObject(value)) return `[=${JSON.stringify(value)}]`
  return `[${Object.entries(value)
    .map(([key, field]) => `${key}=${JSON.stringify(field)}`)
    .join(',')}]`
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
