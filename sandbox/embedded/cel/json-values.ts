import { itemsOf, propertyOf } from '../crd/schema.ts'
import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'
import { type ListShape, shapes } from './comparison.ts'
import { shownValue } from './shown-values.ts'
import { parsedDuration, parsedTimestamp } from './times.ts'
import { CelMap, Failure, Optional, Timestamp, type Value } from './values.ts'

/**
 * JSON as CEL has it, part by part when it is asked for. With a schema numbers are what it says they are, texts of its formats
 * times, durations and bytes, and fields those that it has; without one whole numbers are ints. Source: UnstructuredToVal of
 * apiserver/pkg/cel/common.
 */
export function fromJson(value: unknown, schema?: JSONSchemaProps): Value {
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return listOf(value, schema)
  switch (typeof value) {
    case 'object':
      return new JsonMap(value as Readonly<Record<string, unknown>>, schema)
    case 'number':
      return Number.isInteger(value) && schema?.type !== 'number' ? BigInt(value) : value
    case 'string':
      return schema?.format && schema.type === 'string' ? formatted(value, schema.format) : value
    default:
      return value as boolean
  }
}

/** An optional of it, which is none where there is nothing. */
export function optionalFromJson(value: unknown, schema?: JSONSchemaProps): Value {
  return value === undefined ? Optional.none : new Optional(fromJson(value, schema))
}

class JsonMap extends CelMap {
  private readonly fields: Readonly<Record<string, unknown>>
  private readonly schema: JSONSchemaProps | undefined
  private readonly known = new Map<string, Value>()

  constructor(fields: Readonly<Record<string, unknown>>, schema: JSONSchemaProps | undefined) {
    super()
    this.fields = fields
    this.schema = schema
  }

  get size(): number {
    return Object.keys(this.fields).length
  }

  get(key: Value): Value | undefined {
    if (typeof key !== 'string') return undefined
    const known = this.known.get(key)
    if (known !== undefined) return known
    const name = this.schema?.properties ? unescapedField(key, this.fields) : key
    if (name === undefined || !Object.hasOwn(this.fields, name) || this.fields[name] === undefined) return undefined
    // A field that is null is as good as none.
    if (this.schema?.properties && this.fields[name] === null) return undefined
    const schema = this.schema && propertyOf(this.schema, name)
    const value = fromJson(this.fields[name], schema)
    this.known.set(key, value)
    return value
  }

  *keys(): Iterable<Value> {
    const isStruct = this.schema?.properties !== undefined
    for (const [name, value] of Object.entries(this.fields)) {
      if (value !== undefined && !(isStruct && value === null)) yield isStruct ? escapeField(name) : name
    }
  }
}

function listOf(value: readonly unknown[], schema: JSONSchemaProps | undefined): Value {
  const items = schema && itemsOf(schema)
  const list = value.map((item) => fromJson(item, items))
  const type = schema?.['x-kubernetes-list-type']
  if (type === 'set') shapes.set(list, { type, identity: shownValue })
  if (type === 'map') shapes.set(list, { type, identity: byKeys(schema?.['x-kubernetes-list-map-keys'] ?? []) })
  return list
}

function byKeys(keys: readonly string[]): ListShape['identity'] {
  const escaped = keys.map(escapeField)
  return (item) => (item instanceof CelMap ? JSON.stringify(escaped.map((key) => shownValue(item.get(key) ?? null))) : shownValue(item))
}

function formatted(text: string, format: string): Value {
  switch (format) {
    case 'byte':
      return new Uint8Array(Buffer.from(text, 'base64'))
    case 'duration':
      return parsedDuration(text) ?? new Failure(`Invalid duration ${text}: time: invalid duration ${JSON.stringify(text)}`)
    case 'date':
    case 'date-time': {
      const nanos = parsedTimestamp(
        format === 'date' ? `${text}T00:00:00Z` : text.replace(/^(\d{4}-\d\d-\d\d)[t ]/, '$1T').replace(/z$/, 'Z'),
      )
      return nanos === undefined ? new Failure(`Invalid ${format} formatted string ${text}`) : new Timestamp(nanos)
    }
    default:
      return text
  }
}

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
)

/** Names that CEL cannot say are written otherwise (`x-kubernetes-validations`' documentation). */
export function escapeField(name: string): string {
  if (reserved.has(name)) return `__${name}__`
  return name.replace(
    /__|\.|-|\//g,
    (text) => ({ __: '__underscores__', '.': '__dot__', '-': '__dash__', '/': '__slash__' })[text] as string,
  )
}

function unescapedField(escaped: string, fields: Readonly<Record<string, unknown>>): string | undefined {
  if (Object.hasOwn(fields, escaped) && escapeField(escaped) === escaped) return escaped
  return Object.keys(fields).find((name) => escapeField(name) === escaped)
}
