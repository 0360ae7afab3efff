import { copyOf } from '../machinery/copy.ts'
import { canonicalQuantity, QuantityError } from './quantity.ts'
import { hasTypeMeta, jsonFieldsOf, schemaProps, type WireField } from './wire.ts'

export interface Decoded {
  /** The object as the API server's Go type would write it again: unknown fields gone, empty ones as Go leaves them. */
  object: Record<string, unknown>
  /** Each field that the type does not have, as `unknown field "spec.foo"`, in the order of the document. */
  unknown: string[]
}

/** A value of the wrong type; the message has the words of Go's decoder. */
export class TypeMismatch extends Error {}

/**
 * Reads JSON as the given Go type (schema/wire.ts names it) and gives a new object that has the shape which that type
 * would marshal to: null and zero optional fields absent, embedded structs present, quantities and times canonical. Lists
 * and maps with nothing in them are still there, as Go has them in hand until it writes them (go-empty.ts).
 * Throws TypeMismatch.
 */
export function decodeObject(value: unknown, type: string): Decoded {
  const unknown: string[] = []
  return { object: struct(value, type, { path: '', owner: shortName(type), fields: '' }, unknown), unknown }
}

interface Place {
  path: string
  owner: string
  /** The path without what stands in a map or list: Go's decoder names fields of structs alone. */
  fields: string
}

function struct(value: unknown, type: string, place: Place, unknown: string[]): Record<string, unknown> {
  if (!isObject(value)) throw mismatch(value, place, goName(type))
  const fields = jsonFieldsOf(type)
  const result: Record<string, unknown> = {}
  const typed = hasTypeMeta(type)
  if (typed) for (const key of ['kind', 'apiVersion']) if (value[key]) result[key] = value[key]
  for (const key of Object.keys(value)) {
    if (!fields.has(key) && !(typed && (key === 'apiVersion' || key === 'kind'))) {
      unknown.push(`unknown field "${join(place.path, key)}"`)
    }
  }
  for (const [name, field] of fields) {
    const at = { path: join(place.path, name), owner: shortName(type), fields: join(place.fields, name) }
    const made = fieldValue(Object.hasOwn(value, name) ? value[name] : undefined, field, at, unknown)
    if (made !== undefined) result[name] = made
  }
  return result
}

function fieldValue(value: unknown, field: WireField, at: Place, unknown: string[]): unknown {
  if (value === undefined || value === null) return emptyValue(field)
  if (field.container !== '') return collection(value, field, at, unknown)
  const made = single(value, field.type, at, unknown)
  if (field.pointer) return made
  if (field.omitZero && isObject(made) && Object.keys(made).length === 0) return undefined
  return field.omitEmpty && isZero(made) ? undefined : made
}

function collection(value: unknown, field: WireField, at: Place, unknown: string[]): unknown {
  if (field.container === 'list') {
    if (!Array.isArray(value)) throw mismatch(value, at, `[]${goName(field.type)}`)
    const type = field.type.replace(/^named:/, '')
    return value.map((item, index) => element(item, type, { ...at, path: `${at.path}[${index}]` }, unknown))
  }
  if (!isObject(value)) throw mismatch(value, at, `map[string]${field.container === 'map' ? '' : '[]'}${goName(field.type)}`)
  const entries = Object.entries(value)
  // Go writes maps in the order of their keys
  if (entries.length > 1) entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(
    entries.map(([key, item]) => {
      const place = { ...at, path: join(at.path, key) }
      if (field.container === 'map') return [key, element(item, field.type, place, unknown)]
      if (item !== null && !Array.isArray(item)) throw mismatch(item, place, `[]${goName(field.type)}`)
      return [key, item?.map((part: unknown) => element(part, field.type, place, unknown)) ?? null]
    }),
  )
}

function element(value: unknown, type: string, at: Place, unknown: string[]): unknown {
  if (value !== null && value !== undefined) return single(value, type, at, unknown)
  return emptyValue({ name: '', number: 0, type, container: '', inline: false, omitEmpty: false, pointer: false, omitZero: false })
}

function single(value: unknown, type: string, at: Place, unknown: string[]): unknown {
  const special = specials[type]
  if (special) return special(value, at, unknown)
  if (type.startsWith('named:')) {
    if (!Array.isArray(value)) throw mismatch(value, at, `[]${goName(type.slice(6))}`)
    return value.map((item) => single(item, type.slice(6), at, unknown))
  }
  return struct(value, type, at, unknown)
}

type Reader = (value: unknown, at: Place, unknown: string[]) => unknown

const specials: Record<string, Reader> = {
  string: scalar('string'),
  bool: scalar('boolean', 'bool'),
  int32: (value, at) => integer(value, 'int32', -2147483648, 2147483647, at),
  int64: (value, at) => integer(value, 'int64', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, at),
  double: scalar('number', 'float64'),
  bytes: (value, at) => {
    if (typeof value !== 'string') throw mismatch(value, at, '[]uint8')
    const clean = value.replace(/[\r\n]/g, '')
    const bad = /^[A-Za-z0-9+/]*/.exec(clean)?.[0].length ?? 0
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(clean)) {
      throw new TypeMismatch(`illegal base64 data at input byte ${bad === clean.length ? bad - (bad % 4) : bad}`)
    }
    return clean
  },
  'meta.v1.Time': (value, at) => time(value, at, 0),
  'meta.v1.MicroTime': (value, at) => time(value, at, 6),
  'meta.v1.Duration': scalar('string'),
  'resource.Quantity': (value, at) => {
    if (typeof value !== 'string' && typeof value !== 'number') throw mismatch(value, at, 'resource.Quantity')
    try {
      return canonicalQuantity(value)
    } catch (error) {
      if (error instanceof QuantityError) throw new TypeMismatch(error.message, { cause: error })
      throw error
    }
  },
  'util.intstr.IntOrString': (value, at) => {
    if (typeof value === 'string') return value
    return integer(value, 'int32', -2147483648, 2147483647, at)
  },
  'runtime.RawExtension': (value) => copyOf(value),
  'meta.v1.FieldsV1': (value) => copyOf(value),
  'apiextensions.v1.JSON': (value) => copyOf(value),
  // what is none of the two is read as nothing here, and refused for the second
  'apiextensions.v1.JSONSchemaPropsOrArray': (value, at, unknown) => {
    if (!isObject(value) && !Array.isArray(value)) return undefined
    return Array.isArray(value)
      ? value.map((item, index) => struct(item, schemaProps, { ...at, path: `${at.path}[${index}]` }, unknown))
      : struct(value, schemaProps, at, unknown)
  },
  'apiextensions.v1.JSONSchemaPropsOrBool': (value, at, unknown) => {
    if (typeof value === 'boolean') return value
    if (!isObject(value)) throw new TypeMismatch('boolean or JSON schema expected')
    return struct(value, schemaProps, at, unknown)
  },
  'apiextensions.v1.JSONSchemaPropsOrStringArray': (value, at, unknown) => {
    if (!isObject(value) && !Array.isArray(value)) return undefined
    return Array.isArray(value) ? [...value] : struct(value, schemaProps, at, unknown)
  },
}

function emptyValue(field: WireField): unknown {
  if (field.container !== '' || field.pointer || field.type === 'bytes') return field.omitEmpty ? undefined : null
  switch (field.type) {
    case 'string':
    case 'bool':
    case 'int32':
    case 'int64':
    case 'double':
      return field.omitEmpty ? undefined : { string: '', bool: false, int32: 0, int64: 0, double: 0 }[field.type]
    case 'meta.v1.Time':
    case 'meta.v1.MicroTime':
    case 'runtime.RawExtension':
    case 'apiextensions.v1.JSON':
      return field.omitZero ? undefined : null
    case 'meta.v1.Duration':
      return '0s'
    case 'resource.Quantity':
      return '0'
    case 'util.intstr.IntOrString':
      return 0
  }
  if (field.omitZero || specials[field.type] || field.type.startsWith('named:')) return undefined
  return struct({}, field.type, { path: '', owner: '', fields: '' }, [])
}

function scalar(type: 'string' | 'boolean' | 'number', goType: string = type): Reader {
  return (value, at) => {
    const actual: string = typeof value
    if (actual !== type) throw mismatch(value, at, goType)
    return value
  }
}

function integer(value: unknown, goType: string, low: number, high: number, at: Place): number {
  if (typeof value !== 'number') throw mismatch(value, at, goType)
  if (!Number.isInteger(value) || value < low || value > high) throw mismatch(value, at, goType, `number ${value}`)
  return value
}

/** Times are written in UTC, in whole seconds or microseconds. */
function time(value: unknown, at: Place, digits: number): string {
  if (typeof value !== 'string') throw mismatch(value, at, 'string')
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(value)
  const instant = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN
  const layout = digits ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00'
  const cannot = (rest: string, part: string) =>
    new TypeMismatch(
      `parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(rest)} as "${part}"`,
    )
  if (!match || Number.isNaN(instant)) throw cannot(value, '2006')
  const [, whole = '', fraction = ''] = match
  if (digits && fraction.length <= digits) throw cannot(value.slice(whole.length), '.000000')
  if (digits && fraction.length > digits + 1) throw cannot(value.slice(whole.length + digits + 1), 'Z07:00')
  const seconds = new Date(instant).toISOString().slice(0, 19)
  return `${seconds}${digits ? fraction : ''}Z`
}

function mismatch(value: unknown, at: Place, goType: string, shown: string = jsonType(value)): TypeMismatch {
  const target = at.fields ? `Go struct field ${at.owner}.${at.fields}` : 'Go value'
  return new TypeMismatch(`json: cannot unmarshal ${shown} into ${target} of type ${goType}`)
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

/** 'core.v1.PodSpec' is v1.PodSpec in Go's messages. */
function goName(type: string): string {
  if (!type.includes('.')) return ({ double: 'float64', bytes: '[]uint8' } as Record<string, string>)[type] ?? type
  return type.split('.').slice(-2).join('.')
}

function shortName(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1)
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false || (Array.isArray(value) && value.length === 0)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
