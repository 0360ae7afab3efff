import { copyOf } from '../machinery/copy.ts'
import { deepEqual } from '../machinery/freeze.ts'
import { resolve, type Schema, schemaOfField, schemaOfItems } from '../schema/index.ts'
import { childOf, difference, emptySet, type FieldSet, intersection, isEmpty, union } from './field-set.ts'

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
  collect(value, schema, new Spot({ added: set }))
  return set
}

/** What changes from one object to the other, parents of new fields included. */
export function compare(before: unknown, after: unknown, schema: Schema | undefined): Comparison {
  const result = { added: emptySet(), modified: emptySet(), removed: emptySet() }
  walk(before, after, schema, new Spot(result))
  return result
}

/**
 * The live object with the applied one laid over it; lists and maps merge where the schema lets them. A null takes nothing from
 * those, and is the value of anything else.
 */
export function merge(live: unknown, applied: unknown, schema: Schema | undefined): unknown {
  if (applied === undefined) return live
  const kind = kindOf(schema, applied ?? live)
  if (kind === 'map' && isObject(live) && (isObject(applied) || (applied === null && Object.keys(live).length > 0))) {
    const result: Fields = { ...live }
    for (const [key, value] of Object.entries(applied ?? {})) result[key] = merge(live[key], value, schemaOfField(schema, key))
    return result
  }
  if (kind === 'list' && Array.isArray(live) && (Array.isArray(applied) || (applied === null && live.length > 0))) {
    return mergeLists(live, applied ?? [], schema)
  }
  return copyOf(applied)
}

/**
 * Takes off what its manager applied before and does not any more, unless somebody else owns it.
 * `last` is the earlier set, `owned` the union of everybody's sets now. Source: merge/update.go, prune.
 */
export function prune(merged: unknown, last: FieldSet, owned: FieldSet, schema: Schema | undefined): unknown {
  if (isEmpty(difference(last, owned))) return merged
  const before = withNamedFields(last, schema)
  const there = withNamedFields(fieldsOf(merged, schema), schema)
  const left = (value: unknown) => withNamedFields(fieldsOf(value, schema), schema)
  const without = remove(merged, before, schema)
  const givenBack = remove(merged, difference(there, union(left(without), withNamedFields(owned, schema))), schema)
  return remove(merged, intersection(difference(there, left(givenBack)), before), schema)
}

/** The value without the fields of a set; what is emptied by that is null, as is what was empty and has something below it in the set. */
function remove(value: unknown, set: FieldSet, schema: Schema | undefined): unknown {
  const kind = kindOf(schema, value)
  if (kind === 'map' && isObject(value)) {
    const kept = Object.entries(value).flatMap(([key, inner]) => {
      const taken = set.children.get(`f:${key}`)
      if (taken?.member) return []
      return [[key, taken ? remove(inner, taken, schemaOfField(schema, key)) : inner] as const]
    })
    return kept.length > 0 ? Object.fromEntries(kept) : null
  }
  if (kind === 'list' && Array.isArray(value)) {
    const kept = value.flatMap((item) => {
      const taken = set.children.get(elementOf(item, schema))
      if (taken?.member) return []
      return [taken ? remove(item, taken, schemaOfItems(schema)) : item]
    })
    return kept.length > 0 ? kept : null
  }
  return isObject(value) || Array.isArray(value) ? null : value
}

/** The set with every field that the schema names and that has something below it. */
function withNamedFields(set: FieldSet, schema: Schema | undefined): FieldSet {
  const resolved = schema && resolve(schema)
  const result: FieldSet = { member: set.member, children: new Map() }
  for (const [element, child] of set.children) {
    const name = element.startsWith('f:') ? element.slice(2) : undefined
    const inner = withNamedFields(child, name === undefined ? schemaOfItems(resolved) : schemaOfField(resolved, name))
    const named = name !== undefined && child.children.size > 0 && resolved?.properties && Object.hasOwn(resolved.properties, name)
    result.children.set(element, named ? { ...inner, member: true } : inner)
  }
  return result
}

/** A place in the sets, which gets there when something belongs to it. */
class Spot {
  private readonly above: Spot | undefined
  private readonly prefix: string
  private readonly name: string
  private readonly sets: Partial<Comparison>

  /** An element is a prefix and a name. */
  constructor(sets: Partial<Comparison>, above?: Spot, prefix = '', name = '') {
    this.sets = sets
    this.above = above
    this.prefix = prefix
    this.name = name
  }

  field(name: string): Spot {
    return new Spot({}, this, 'f:', name)
  }

  item(element: string): Spot {
    return new Spot({}, this, '', element)
  }

  /** The whole object is never a field. */
  add(to: keyof Comparison): void {
    if (this.above) this.place(to).member = true
  }

  private place(to: keyof Comparison): FieldSet {
    return (this.sets[to] ??= childOf((this.above as Spot).place(to), this.prefix + this.name))
  }
}

function collect(value: unknown, schema: Schema | undefined, at: Spot): void {
  const kind = kindOf(schema, value)
  if (kind === 'leaf') at.add('added')
  else if (kind === 'list') {
    if (!Array.isArray(value)) return
    for (const [element, items] of itemsOf(value, schema)) {
      const place = at.item(element)
      if (items.length === 1) collect(items[0], schemaOfItems(schema), place)
      place.add('added')
    }
  } else if (isObject(value)) {
    for (const [key, inner] of Object.entries(value)) {
      const place = at.field(key)
      collect(inner, schemaOfField(schema, key), place)
      const known = schema?.properties && Object.hasOwn(schema.properties, key)
      if (inner === null || (isObject(inner) && Object.keys(inner).length === 0) || !known) place.add('added')
    }
  }
}

function walk(before: unknown, after: unknown, schema: Schema | undefined, at: Spot): void {
  // what an update leaves as it is, is often the very same
  if (before === after) return
  const left = kindOf(schema, before ?? after)
  const right = isNothing(before) || isNothing(after) ? left : kindOf(schema, after)
  const apart = left !== right && walkAs(left, before, after, schema, at)
  if (walkAs(right, before, after, schema, at) || apart) return
  if (before === undefined) at.add('added')
  else if (after === undefined) at.add('removed')
}

/** Whether the two were compared as one. */
function walkAs(kind: Kind, before: unknown, after: unknown, schema: Schema | undefined, at: Spot): boolean {
  if (kind === 'leaf' || (isBare(before) && isBare(after))) {
    if (before === undefined) at.add('added')
    else if (after === undefined) at.add('removed')
    else if (!deepEqual(before, after)) at.add('modified')
    return true
  }
  if (kind === 'map') {
    const left = isObject(before) ? before : undefined
    const right = isObject(after) ? after : undefined
    for (const key in left) {
      const next = right && Object.hasOwn(right, key) ? right[key] : undefined
      if (left[key] !== next) walk(left[key], next, schemaOfField(schema, key), at.field(key))
    }
    for (const key in right) {
      if (!left || !Object.hasOwn(left, key)) walk(undefined, right[key], schemaOfField(schema, key), at.field(key))
    }
    return false
  }
  const inner = schemaOfItems(schema)
  const pairs = pairsOf(before, after, schema)
  if (pairs) {
    for (const [index, element] of pairs.entries()) walk((before as unknown[])[index], (after as unknown[])[index], inner, at.item(element))
    return false
  }
  const [left, right] = [itemsOf(before, schema), itemsOf(after, schema)]
  for (const [element, items] of left) walkItems(items, right.get(element) ?? [], inner, at.item(element))
  for (const [element, items] of right) if (!left.has(element)) walkItems([], items, inner, at.item(element))
  return false
}

/** What the items of both lists are told apart by, where that is the same in the same places: mostly it is. */
function pairsOf(before: unknown, after: unknown, schema: Schema | undefined): string[] | undefined {
  if (!Array.isArray(before) || !Array.isArray(after) || before.length !== after.length || before.length > mostPairs) return undefined
  const pairs: string[] = []
  for (const [index, item] of before.entries()) {
    const element = elementOf(item, schema)
    if (pairs.includes(element) || element !== elementOf(after[index], schema)) return undefined
    pairs.push(element)
  }
  return pairs
}

/** Items among which one is looked for in a row. */
const mostPairs = 16

function isNothing(value: unknown): boolean {
  return value === undefined || value === null
}

/** Of items that cannot be told apart one field is left: that they are there. */
function walkItems(left: readonly unknown[], right: readonly unknown[], schema: Schema | undefined, at: Spot): void {
  if (left.length <= 1 && right.length <= 1) walk(left[0], right[0], schema, at)
  else if (left.length > 1 && right.length > 1) {
    if (!deepEqual(left, right)) at.add('modified')
  } else if (left.length > 1) {
    if (right.length > 0) walk(undefined, right[0], schema, at)
    at.add('removed')
  } else {
    if (left.length > 0) walk(left[0], undefined, schema, at)
    at.add('added')
  }
}

/** Nothing, or an object or a list with nothing in it. */
function isBare(value: unknown): boolean {
  if (isNothing(value)) return true
  if (typeof value !== 'object') return false
  for (const _ in value) return false
  return true
}

/**
 * Items of both in one order: the applied list's, live items that it does not name keeping their places before. Of live items
 * that cannot be told apart the applied one takes all places, and nothing of theirs.
 */
function mergeLists(live: readonly unknown[], applied: readonly unknown[], schema: Schema | undefined): unknown[] {
  const left = itemsOf(live, schema)
  const right = itemsOf(applied, schema)
  const shared = [...right.keys()].filter((element) => left.has(element))
  const merged = new Set<string>()
  const result: unknown[] = []
  const take = (element: string) => {
    const [one, ...more] = left.get(element) ?? []
    merged.add(element)
    result.push(merge(more.length > 0 ? undefined : one, right.get(element)?.[0], schemaOfItems(schema)))
    if (shared[0] === element) shared.shift()
  }
  const elements = live.map((item) => elementOf(item, schema))
  const order = [...right.keys()]
  let [i, j] = [0, 0]
  while (i < elements.length || j < order.length) {
    const element = elements[i]
    const next = order[j]
    if (element !== undefined && next !== undefined) {
      if (element === next) {
        take(next)
        i += 1
        j += 1
        continue
      }
      if (right.has(element) && shared.length > 0 && shared[0] !== element) {
        i += 1
        continue
      }
    }
    if (element !== undefined) {
      if (!right.has(element)) {
        result.push(live[i])
        i += 1
        continue
      }
      if (merged.has(element)) i += 1
    }
    if (next !== undefined) {
      take(next)
      j += 1
    }
  }
  return result
}

/** The items by what they are told apart by, which more than one may share. */
function itemsOf(value: unknown, schema: Schema | undefined): Map<string, unknown[]> {
  const items = new Map<string, unknown[]>()
  for (const item of Array.isArray(value) ? value : []) {
    const element = elementOf(item, schema)
    const same = items.get(element)
    if (same) same.push(item)
    else items.set(element, [item])
  }
  return items
}

/** How an item of such a list is told from the others: by its keys, or by its value. */
export function elementOf(item: unknown, schema: Schema | undefined): string {
  const keys = schema?.['x-kubernetes-list-map-keys']
  if (schema?.['x-kubernetes-list-type'] !== 'map' || !keys) return `v:${JSON.stringify(item)}`
  const itemSchema = schemaOfItems(schema)
  const source = isObject(item) ? item : {}
  const [only] = keys
  const given = keys.length === 1 && only !== undefined ? source[only] : undefined
  if (!isNothing(given)) return `k:{${JSON.stringify(only)}:${JSON.stringify(given)}}`
  const entries = [...keys].sort().flatMap((key) => {
    const value = source[key] ?? schemaOfField(itemSchema, key)?.default
    return value === undefined || value === null ? [] : [[key, value] as const]
  })
  if (entries.length === 0) {
    throw new TypedError(
      `associative list with keys has an element that omits all key fields [${keys.map((key) => JSON.stringify(key)).join(' ')}] (and doesn't have default values for any key fields)`,
    )
  }
  return `k:${JSON.stringify(Object.fromEntries(entries))}`
}

type Kind = 'leaf' | 'map' | 'list'

/** How the schema lets a value be owned: as a whole, by its fields, or by its items. */
function kindOf(schema: Schema | undefined, value: unknown): Kind {
  if (!schema) return isObject(value) ? 'map' : 'leaf'
  if (schema.type === 'array') return isAssociative(schema) ? 'list' : 'leaf'
  if (schema.type !== 'object') return isObject(value) && schema.type === undefined && !schema.oneOf ? 'map' : 'leaf'
  if (schema['x-kubernetes-map-type'] === 'atomic') return 'leaf'
  const open = schema.properties || schema.additionalProperties || schema['x-kubernetes-preserve-unknown-fields']
  return open ? 'map' : 'leaf'
}

/** Whether it is of a list whose items are told apart by more than their places. */
export function isAssociative(schema: Schema | undefined): boolean {
  const type = schema?.type === 'array' && schema['x-kubernetes-list-type']
  return type === 'map' || type === 'set'
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
