import { htmlSafe } from '../machinery/html-safe.ts'
import { hasNumberedKeys, jsonWithNumberedKeys } from './numbered-keys.ts'
import { hasTypeMeta, jsonFieldsOf, schemaOr, schemaProps, type WireField, wireTypeOf } from './wire.ts'

/**
 * JSON as the API server writes an object: the fields of a built-in kind as they come in its Go type, beginning with kind and apiVersion;
 * those of maps and of all custom resources in the order of their names; what HTML gives a meaning escaped. `indent`: spaces, for people.
 */
export function goJson(object: object, indent?: number): string {
  foundNumbers = false
  const ordered = inGoOrder(object)
  // what people read of a list has no type any more by which it could be put into order again
  const isNumbered = foundNumbers || (indent !== undefined && !isTyped(object) && hasNumbersWithin(object))
  return htmlSafe(isNumbered ? jsonWithNumberedKeys(ordered, indent) : JSON.stringify(ordered, null, indent))
}

/** Whether a map was come upon that is out of order for good: whole numbers among its keys come first. */
let foundNumbers = false

function hasNumbersWithin(value: object): boolean {
  if (!Array.isArray(value) && hasNumberedKeys(value)) return true
  return Object.values(value).some((inner) => isObject(inner) && hasNumbersWithin(inner))
}

/**
 * An object with its fields in that order, but for whole numbers among the keys of a map, which JavaScript has first. Shares what is in
 * order; the object itself when all of it is.
 */
export function inGoOrder<T extends object>(object: T): T {
  if (!isTyped(object)) return object
  const { apiVersion, kind } = object
  if (apiVersion.startsWith('meta.k8s.io/')) return ofMeta(object as Fields) as T
  const type = wireTypeOf(apiVersion, kind)
  return (type === undefined ? byName(object) : (orderOf(type)?.(object) ?? object)) as T
}

function isTyped(object: object): object is { apiVersion: string; kind: string } {
  const { apiVersion, kind } = object as { apiVersion?: unknown; kind?: unknown }
  return typeof apiVersion === 'string' && typeof kind === 'string'
}

type Fields = Record<string, unknown>
/** Gives the value itself when it is in order. */
type Order = (value: object) => object

interface Place {
  /** Among the fields of its type. */
  at: number
  inside: Order | undefined
}

/** Tables and metadata alone come in their order, and what is in them as it was stored. */
function ofMeta(form: Fields): Fields {
  const { kind, metadata, items, rows } = form
  const order = orderOf(kind === 'PartialObjectMetadata' ? 'meta.v1.ObjectMeta' : 'meta.v1.ListMeta')
  const next: Fields = {}
  if (isObject(metadata)) next['metadata'] = order?.(metadata) ?? metadata
  if (Array.isArray(items)) next['items'] = items.map((item: object) => inGoOrder(item))
  if (Array.isArray(rows)) {
    next['rows'] = rows.map((row: Fields) => (isObject(row['object']) ? { ...row, object: inGoOrder(row['object']) } : row))
  }
  return { ...form, ...next }
}

const orders = new Map<string, Order | undefined>()

/** Undefined for a type without fields of its own: a scalar, or JSON that is kept as it was sent. */
function orderOf(type: string): Order | undefined {
  if (orders.has(type)) return orders.get(type)
  if (schemaOr.has(type))
    return (value) => (Array.isArray(value) ? eachOf(value, orderOf(schemaProps) as Order) : (orderOf(schemaProps) as Order)(value))
  const fields = jsonFieldsOf(type)
  if (fields.size === 0) {
    orders.set(type, undefined)
    return undefined
  }
  const places = new Map<string, Place>()
  const order: Order = (value) => ofStruct(value as Fields, places)
  // before its fields are looked at: a type may contain itself
  orders.set(type, order)
  if (hasTypeMeta(type)) for (const name of ['kind', 'apiVersion']) places.set(name, { at: places.size, inside: undefined })
  for (const [name, field] of fields) if (!places.has(name)) places.set(name, { at: places.size, inside: inside(field) })
  return order
}

function inside({ type, container }: WireField): Order | undefined {
  const order = orderOf(type.replace(/^named:/, ''))
  if (container === 'list') return order && ((value) => (Array.isArray(value) ? eachOf(value, order) : value))
  if (container === '') return order
  return container === 'map' && order ? (value) => ofMap(value as Fields, order) : (value) => ofMap(value as Fields)
}

function ofStruct(value: Fields, places: ReadonlyMap<string, Place>): Fields {
  let result = value
  let inOrder = true
  let last = -1
  for (const name in value) {
    const place = places.get(name)
    const at = place?.at ?? places.size
    if (at < last) inOrder = false
    last = at
    if (!place?.inside) continue
    const before = value[name]
    if (typeof before !== 'object' || before === null) continue
    const after = place.inside(before)
    if (after === before) continue
    if (result === value) result = { ...value }
    result[name] = after
  }
  if (inOrder) return result
  const atOf = (name: string) => places.get(name)?.at ?? places.size
  return pick(
    result,
    Object.keys(result).sort((a, b) => atOf(a) - atOf(b)),
  )
}

function ofMap(value: Fields, order?: Order): Fields {
  let result = value
  let inOrder = true
  let last = ''
  for (const name in value) {
    if (name < last) inOrder = false
    last = name
    const before = value[name]
    if (!order || typeof before !== 'object' || before === null) continue
    const after = order(before)
    if (after === before) continue
    if (result === value) result = { ...value }
    result[name] = after
  }
  if (inOrder) return result
  if (hasNumberedKeys(result)) foundNumbers = true
  return pick(result, Object.keys(result).sort())
}

/** JSON that has no Go type. */
function byName(value: object): object {
  return Array.isArray(value) ? eachOf(value, byName) : ofMap(value as Fields, byName)
}

/** The same list when all of its items stay as they are. */
function eachOf(items: readonly unknown[], order: Order): object {
  let result: unknown[] | undefined
  for (const [index, item] of items.entries()) {
    if (typeof item !== 'object' || item === null) return items
    const next = order(item)
    if (next === item) continue
    result ??= [...items]
    result[index] = next
  }
  return result ?? items
}

function pick(value: Fields, names: readonly string[]): Fields {
  const result: Fields = {}
  for (const name of names) result[name] = value[name]
  return result
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
