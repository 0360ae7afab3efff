import { copyOf } from '../machinery/copy.ts'
import { remembering } from '../machinery/remembering.ts'
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
 * Fields of the object that are the very ones of `decoded` stay as they are. Throws TypeMismatch.
 */
export function decodeObject(value: unknown, type: string, decoded?: Readonly<Record<string, unknown>>): Decoded {
  const at = new Place()
  return { object: struct(value, type, at, decoded), unknown: at.unknown }
}

/** Where the reader is, spelt out only where something is wrong there. */
class Place {
  readonly unknown: string[] = []
  /** Fields of structs, and keys of maps, by their names; items of lists by their numbers. */
  private readonly steps: (string | number | { key: string })[] = []
  /** The types of the structs around. */
  private readonly types: string[] = []

  enter(type: string): void {
    this.types.push(type)
  }

  leave(): void {
    this.types.pop()
  }

  field(name: string): void {
    this.steps.push(name)
  }

  item(index: number): void {
    this.steps.push(index)
  }

  key(key: string): void {
    this.steps.push({ key })
  }

  back(): void {
    this.steps.pop()
  }

  unknownField(name: string): void {
    this.unknown.push(`unknown field "${join(this.path(), name)}"`)
  }

  /** As Go's decoder names a place: by the fields of structs alone. */
  target(): string {
    const fields = this.steps.filter((step) => typeof step === 'string').join('.')
    return fields ? `Go struct field ${shortName(this.types.at(-1) ?? '')}.${fields}` : 'Go value'
  }

  private path(): string {
    return this.steps.reduce<string>(
      (path, step) => (typeof step === 'number' ? `${path}[${step}]` : join(path, typeof step === 'string' ? step : step.key)),
      '',
    )
  }
}

interface Plan {
  typed: boolean
  fields: ReadonlyMap<string, WireField>
  list: readonly Planned[]
}

interface Planned {
  field: WireField
  /** What it is when it is not given; of an object a copy. */
  empty: unknown
}

const plans = new Map<string, Plan>()

function planOf(type: string): Plan {
  const known = plans.get(type)
  if (known) return known
  const fields = jsonFieldsOf(type)
  const list = [...fields.values()].map((field): Planned => ({ field, empty: emptyValue(field) }))
  const plan = { typed: hasTypeMeta(type), fields, list }
  plans.set(type, plan)
  return plan
}

function struct(value: unknown, type: string, at: Place, decoded?: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (!isObject(value)) throw mismatch(value, at, goName(type))
  const { typed, fields, list } = planOf(type)
  const result: Record<string, unknown> = {}
  if (typed) for (const key of typeMeta) if (value[key]) result[key] = value[key]
  for (const key in value) {
    if (!fields.has(key) && !(typed && (key === 'apiVersion' || key === 'kind'))) at.unknownField(key)
  }
  at.enter(type)
  for (const { field, empty } of list) {
    const { name } = field
    const given = value[name]
    let made: unknown
    if (given === undefined || given === null) made = copyOf(empty)
    else if (decoded !== undefined && given === decoded[name]) made = given
    else {
      at.field(name)
      made = fieldValue(given, field, at)
      at.back()
    }
    if (made !== undefined) result[name] = made
  }
  at.leave()
  return result
}

const typeMeta = ['kind', 'apiVersion']

function fieldValue(value: unknown, field: WireField, at: Place): unknown {
  if (field.container !== '') return collection(value, field, at)
  const made = single(value, field.type, at)
  if (field.pointer) return made
  if (field.omitZero && isObject(made) && Object.keys(made).length === 0) return undefined
  return field.omitEmpty && isZero(made) ? undefined : made
}

function collection(value: unknown, field: WireField, at: Place): unknown {
  if (field.container === 'list') {
    if (!Array.isArray(value)) throw mismatch(value, at, `[]${goName(field.type)}`)
    const type = unnamed(field.type)
    return value.map((item, index) => {
      at.item(index)
      const made = element(item, type, at)
      at.back()
      return made
    })
  }
  if (!isObject(value)) throw mismatch(value, at, `map[string]${field.container === 'map' ? '' : '[]'}${goName(field.type)}`)
  // Go writes maps in the order of their keys
  const keys = Object.keys(value)
  if (keys.length > 1) keys.sort()
  const result: Record<string, unknown> = {}
  for (const key of keys) {
    const item = value[key]
    at.key(key)
    const made = field.container === 'map' ? element(item, field.type, at) : listIn(item, field.type, at)
    at.back()
    if (key === '__proto__') Object.defineProperty(result, key, { value: made, enumerable: true, writable: true, configurable: true })
    else result[key] = made
  }
  return result
}

/** The list that an entry of a map is. */
function listIn(value: unknown, type: string, at: Place): unknown[] | null {
  if (value === null) return null
  if (!Array.isArray(value)) throw mismatch(value, at, `[]${goName(type)}`)
  return value.map((part) => element(part, type, at))
}

function element(value: unknown, type: string, at: Place): unknown {
  if (value !== null && value !== undefined) return single(value, type, at)
  return emptyValue({ name: '', number: 0, type, container: '', inline: false, omitEmpty: false, pointer: false, omitZero: false })
}

function single(value: unknown, type: string, at: Place): unknown {
  const special = specials.get(type)
  if (special) return special(value, at)
  if (type.startsWith('named:')) {
    if (!Array.isArray(value)) throw mismatch(value, at, `[]${goName(type.slice(6))}`)
    return value.map((item) => single(item, type.slice(6), at))
  }
  return struct(value, type, at)
}

function unnamed(type: string): string {
  return type.startsWith('named:') ? type.slice(6) : type
}

type Reader = (value: unknown, at: Place) => unknown

const readers: Record<string, Reader> = {
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
  // nobody changes what an object's fields are that has been stored
  'meta.v1.FieldsV1': (value) => (Object.isFrozen(value) ? value : copyOf(value)),
  'apiextensions.v1.JSON': (value) => copyOf(value),
  // what is none of the two is read as nothing here, and refused for the second
  'apiextensions.v1.JSONSchemaPropsOrArray': (value, at) => {
    if (!isObject(value) && !Array.isArray(value)) return undefined
    return Array.isArray(value)
      ? value.map((item, index) => {
          at.item(index)
          const made = struct(item, schemaProps, at)
          at.back()
          return made
        })
      : struct(value, schemaProps, at)
  },
  'apiextensions.v1.JSONSchemaPropsOrBool': (value, at) => {
    if (typeof value === 'boolean') return value
    if (!isObject(value)) throw new TypeMismatch('boolean or JSON schema expected')
    return struct(value, schemaProps, at)
  },
  'apiextensions.v1.JSONSchemaPropsOrStringArray': (value, at) => {
    if (!isObject(value) && !Array.isArray(value)) return undefined
    return Array.isArray(value) ? [...value] : struct(value, schemaProps, at)
  },
}

const specials = new Map(Object.entries(readers))

/** Whether a field is there as an object when it is not given. */
function isStruct({ container, pointer, type, omitZero }: WireField): boolean {
  return container === '' && !pointer && !omitZero && !specials.has(type) && !type.startsWith('named:')
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
  return isStruct(field) ? struct({}, field.type, new Place()) : undefined
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
  return digits === 0 ? inSeconds(value) : instantOf(value, digits)
}

/** The same few are in most objects that are written about one time. */
const inSeconds = remembering((value) => instantOf(value, 0), { most: 1024, longest: 40 })

function instantOf(value: string, digits: number): string {
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
  const inUTC = new Date(instant).toISOString().slice(0, 19)
  return digits ? `${inUTC}${fraction}Z` : `${inUTC}Z`
}

function mismatch(value: unknown, at: Place, goType: string, shown: string = jsonType(value)): TypeMismatch {
  return new TypeMismatch(`json: cannot unmarshal ${shown} into ${at.target()} of type ${goType}`)
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
