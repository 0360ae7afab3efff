import { jsonFieldsOf, schemaOr, schemaProps, type WireField, wireTypeOf } from './wire.ts'

/**
 * An object as Go writes it in JSON: lists and maps without anything in them are left out where their field is left out when it is
 * empty. Go has them in hand until then, and validation tells them from those that were never given. Shares what stays; the object
 * itself when nothing goes.
 */
export function asJson<T extends { apiVersion: string; kind: string }>(object: T): T {
  return trimmed(object, wireTypeOf(object.apiVersion, object.kind), 'json')
}

/** The same after it has been stored as protobuf, which does not tell lists and maps without anything in them from none. */
export function asStored<T extends { apiVersion: string; kind: string }>(object: T): T {
  return trimmed(object, wireTypeOf(object.apiVersion, object.kind), 'protobuf')
}

/** A part of an object by its Go type, as it comes back from where it was stored. */
export function partAsStored<T>(value: T, type: string): T {
  return trimmed(value, type, 'protobuf')
}

/** A part of an object by its Go type, `meta.v1.LabelSelector`, as Go writes it in JSON. */
export function partAsJson<T>(value: T, type: string): T {
  return trimmed(value, type, 'json')
}

/** Whether a list or map is not there or has nothing in it, which Go's len() does not tell apart. */
export function isNone(value: object | undefined | null): boolean {
  return value === undefined || value === null || isEmpty(value)
}

type Form = 'json' | 'protobuf'

function trimmed<T>(value: T, type: string | undefined, form: Form): T {
  return type === undefined ? value : (struct(value, type, form) as T)
}

function struct(value: unknown, type: string, form: Form): unknown {
  if (schemaOr.has(type))
    return Array.isArray(value) ? eachOf(value, (item) => struct(item, schemaProps, form)) : struct(value, schemaProps, form)
  if (!isObject(value)) return value
  let result: Record<string, unknown> = value
  for (const field of fieldsToTrim(type)) {
    const before = value[field.name]
    if (typeof before !== 'object' || before === null) continue
    const after = part(before, field, form)
    if (after === before) continue
    if (result === value) result = { ...value }
    if (after === undefined) delete result[field.name]
    else result[field.name] = after
  }
  return result
}

function part(value: object, field: WireField, form: Form): unknown {
  const { container, type } = field
  if (container === '') return struct(value, type, form)
  if (isEmpty(value)) {
    if (field.omitEmpty) return undefined
    return form === 'json' ? value : null
  }
  if (!hasFieldsToTrim(type)) return value
  if (container === 'list') return Array.isArray(value) ? eachOf(value, (item) => struct(item, type, form)) : value
  if (container !== 'map') return value
  const entries = Object.entries(value)
  const next = eachOf(entries, (entry) => {
    const item = struct(entry[1], type, form)
    return item === entry[1] ? entry : [entry[0], item]
  })
  return next === entries ? value : Object.fromEntries(next as [string, unknown][])
}

/** The same list when all of its items stay as they are. */
function eachOf<T>(items: readonly T[], change: (item: T) => unknown): readonly unknown[] {
  let result: unknown[] | undefined
  for (const [index, item] of items.entries()) {
    const next = change(item)
    if (next === item) continue
    result ??= [...items]
    result[index] = next
  }
  return result ?? items
}

const toTrim = new Map<string, readonly WireField[]>()

/** The fields of a type in which there may be an empty list or map somewhere. */
function fieldsToTrim(type: string): readonly WireField[] {
  const known = toTrim.get(type)
  if (known) return known
  // of a type that contains itself: while it is being looked at, all count
  const all = [...jsonFieldsOf(type).values()]
  toTrim.set(
    type,
    all.filter(({ container, type: inner }) => container !== '' || hasFields(inner)),
  )
  const found = all.filter(({ container, type: inner }) => container !== '' || hasFieldsToTrim(inner))
  toTrim.set(type, found)
  return found
}

function hasFieldsToTrim(type: string): boolean {
  return schemaOr.has(type) || fieldsToTrim(type.replace(/^named:/, '')).length > 0
}

function hasFields(type: string): boolean {
  return jsonFieldsOf(type).size > 0 || schemaOr.has(type)
}

function isEmpty(value: object): boolean {
  if (Array.isArray(value)) return value.length === 0
  for (const _ in value) return false
  return true
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
