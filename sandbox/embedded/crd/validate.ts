import { isDeepStrictEqual } from 'node:util'
import { goRegExp } from '../machinery/go-regexp.ts'
import { sortedJson } from '../machinery/sorted-json.ts'
import { duplicate, type FieldError, type FieldErrorReason, Path, required, tooLong, tooMany } from '../registry/field.ts'
import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'
import { correlated, isUnchanged, oldField } from './correlate.ts'
import { formats } from './formats.ts'
import { isObject, itemsOf, propertyOf } from './schema.ts'

/**
 * What is wrong with a value by its OpenAPI v3 schema, in the real server's words. `path` is '' at the root; parts that are
 * as they were in `old` are let be.
 */
export function validateSchema(value: unknown, schema: JSONSchemaProps, path = '', old?: unknown): FieldError[] {
  if ((value === null && schema.nullable) || isUnchanged(value, old)) return []
  return [
    ...typeErrors(value, schema, path),
    ...enumErrors(value, schema, path),
    ...(typeof value === 'string' ? stringErrors(value, schema, path) : []),
    ...(typeof value === 'number' ? numberErrors(value, schema, path) : []),
    ...(Array.isArray(value) ? arrayErrors(value, schema, path, old) : []),
    ...(isObject(value) ? objectErrors(value, schema, path, old) : []),
    ...compositionErrors(value, schema, path),
  ]
}

/** What is wrong with lists that are sets or maps: entries that stand in them twice. */
export function validateListTypes(value: unknown, schema: JSONSchemaProps, path = ''): FieldError[] {
  if (isObject(value)) {
    return Object.entries(value).flatMap(([key, field]) => {
      const property = propertyOf(schema, key)
      return property ? validateListTypes(field, property, join(path, key)) : []
    })
  }
  if (!Array.isArray(value)) return []
  const items = itemsOf(schema)
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  const isMap = schema['x-kubernetes-list-type'] === 'map'
  const identity = (item: unknown) => {
    if (!isMap || !isObject(item)) return item
    return Object.fromEntries(
      keys.map((key) => [key, item[key] ?? items?.properties?.[key]?.default]).filter(([, field]) => field !== undefined),
    )
  }
  const identities = isMap || schema['x-kubernetes-list-type'] === 'set' ? value.map(identity) : []
  const seen = new Set<string>()
  const repeated = identities.flatMap((one, index) => (again(seen, one) ? [duplicate(new Path(`${path}[${index}]`), one)] : []))
  return [...repeated, ...(items ? value.flatMap((item, index) => validateListTypes(item, items, `${path}[${index}]`)) : [])]
}

/** An Invalid value whose text is not the field's own. */
export function invalidBody(path: string, value: unknown, text: string, reason: FieldErrorReason = 'FieldValueInvalid'): FieldError {
  return { reason, field: new Path(path).toString(), message: `Invalid value: ${JSON.stringify(value)}: ${text}` }
}

function typeErrors(value: unknown, schema: JSONSchemaProps, path: string): FieldError[] {
  const actual = typeName(value)
  const wanted = schema['x-kubernetes-int-or-string'] ? 'integer,string' : (schema.type ?? '')
  const fits = wanted === '' || wanted.split(',').includes(actual) || (wanted === 'number' && actual === 'integer')
  const { format } = schema
  const isText = typeof value === 'string' || Array.isArray(value)
  if (format && value !== null) {
    const wantsNumber = /\b(number|integer)\b/.test(wanted)
    if (isText && !wantsNumber) return []
    const own = typeof value === 'number' ? (actual === 'integer' ? 'int64' : 'float64') : ''
    if (!isText && !fits && own !== format)
      return [invalidBody(path, own, `${path} in body must be of type ${format}: ${JSON.stringify(own)}`, 'FieldValueTypeInvalid')]
  }
  if (fits) return []
  return [invalidBody(path, actual, `${path} in body must be of type ${wanted}: ${JSON.stringify(actual)}`, 'FieldValueTypeInvalid')]
}

function enumErrors(value: unknown, schema: JSONSchemaProps, path: string): FieldError[] {
  if (!schema.enum || schema.enum.some((allowed) => isDeepStrictEqual(allowed, value))) return []
  const supported = schema.enum.map((allowed) => JSON.stringify(typeof allowed === 'string' ? allowed : JSON.stringify(allowed)))
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported.join(', ')}`
  return [{ reason: 'FieldValueNotSupported', field: new Path(path).toString(), message }]
}

function stringErrors(value: string, schema: JSONSchemaProps, path: string): FieldError[] {
  const length = [...value].length
  const errors: FieldError[] = []
  if (schema.maxLength !== undefined && length > schema.maxLength) errors.push(tooLong(new Path(path), schema.maxLength))
  if (schema.minLength !== undefined && length < schema.minLength) {
    errors.push(invalidBody(path, value, `${path} in body should be at least ${schema.minLength} chars long`))
  }
  if (schema.pattern !== undefined && !goRegExp(schema.pattern).test(value)) {
    errors.push(invalidBody(path, value, `${path} in body should match '${schema.pattern}'`))
  }
  const format = schema.format === undefined ? undefined : formats[schema.format]
  if (format && !format(value)) {
    errors.push(
      invalidBody(path, value, `${path} in body must be of type ${schema.format}: ${JSON.stringify(value)}`, 'FieldValueTypeInvalid'),
    )
  }
  return errors
}

function numberErrors(value: number, schema: JSONSchemaProps, path: string): FieldError[] {
  // for a whole number the bounds are whole as well
  const bound = (given: number | undefined) => (given !== undefined && Number.isInteger(value) ? Math.trunc(given) : given)
  const [minimum, maximum, multipleOf] = [bound(schema.minimum), bound(schema.maximum), bound(schema.multipleOf)]
  const errors: FieldError[] = []
  const say = (text: string) => errors.push(invalidBody(path, value, `${path} in body should be ${text}`))
  if (multipleOf !== undefined) {
    const quotient = value / multipleOf
    if (multipleOf <= 0) return [invalidBody(path, multipleOf, `factor MultipleOf declared for ${path} must be positive: ${multipleOf}`)]
    if (Math.abs(quotient - Math.round(quotient)) > 1e-9) say(`a multiple of ${multipleOf}`)
  }
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) {
    say(`${schema.exclusiveMaximum ? 'less than' : 'less than or equal to'} ${maximum}`)
  }
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) {
    say(`${schema.exclusiveMinimum ? 'greater than' : 'greater than or equal to'} ${minimum}`)
  }
  return errors
}

function arrayErrors(value: unknown[], schema: JSONSchemaProps, path: string, old: unknown): FieldError[] {
  const errors: FieldError[] = []
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.push(invalidBody(path, value.length, `${path} in body should have at least ${schema.minItems} items`))
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) errors.push(tooMany(new Path(path), value.length, schema.maxItems))
  if (schema.uniqueItems && hasDuplicates(value)) {
    errors.push(invalidBody(path, '', `${path} in body shouldn't contain duplicates`))
  }
  const items = itemsOf(schema)
  const before = correlated(schema, old)
  return items ? [...errors, ...value.flatMap((item, index) => validateSchema(item, items, `${path}[${index}]`, before(item)))] : errors
}

function objectErrors(value: Record<string, unknown>, schema: JSONSchemaProps, path: string, old: unknown): FieldError[] {
  const errors: FieldError[] = []
  const size = Object.keys(value).length
  if (schema.maxProperties !== undefined && size > schema.maxProperties) errors.push(tooMany(new Path(path), size, schema.maxProperties))
  if (schema.minProperties !== undefined && size < schema.minProperties) {
    errors.push(invalidBody(path, size, `${path} in body should have at least ${schema.minProperties} properties`))
  }
  for (const key of schema.required ?? []) {
    if (value[key] === undefined) errors.push(required(new Path(join(path, key))))
  }
  for (const [key, field] of Object.entries(value)) {
    const property = propertyOf(schema, key)
    if (property) errors.push(...validateSchema(field, property, join(path, key), oldField(old, key)))
  }
  return errors
}

function compositionErrors(value: unknown, schema: JSONSchemaProps, path: string): FieldError[] {
  const errors: FieldError[] = []
  const say = (text: string) => errors.push(invalidBody('', '', `${JSON.stringify(path)} must ${text}`))
  const failures = (options: readonly JSONSchemaProps[]) => options.map((option) => validateSchema(value, option, path))
  if (schema.not && validateSchema(value, schema.not, path).length === 0) say('not validate the schema (not)')
  if (schema.oneOf?.length) {
    const results = failures(schema.oneOf)
    const valid = results.filter((result) => result.length === 0).length
    if (valid === 0) {
      say('validate one and only one schema (oneOf). Found none valid')
      errors.push(...best(results))
    } else if (valid > 1) {
      say(`validate one and only one schema (oneOf). Found ${valid} valid alternatives`)
    }
  }
  if (schema.anyOf?.length) {
    const results = failures(schema.anyOf)
    if (results.every((result) => result.length > 0)) {
      say('validate at least one schema (anyOf)')
      errors.push(...best(results))
    }
  }
  if (schema.allOf?.length) {
    const results = failures(schema.allOf)
    const valid = results.filter((result) => result.length === 0).length
    if (valid < results.length) {
      errors.push(...results.flat())
      say(valid === 0 ? 'validate all the schemas (allOf). None validated' : 'validate all the schemas (allOf)')
    }
  }
  return errors
}

function hasDuplicates(items: readonly unknown[]): boolean {
  const seen = new Set<string>()
  return items.some((item) => again(seen, item))
}

/** Whether an equal value was seen before; it is seen from now on. */
function again(seen: Set<string>, value: unknown): boolean {
  const before = seen.size
  seen.add(value === undefined ? '' : sortedJson(value))
  return seen.size === before
}

/** The option that came closest is the one that is told of. */
function best(results: FieldError[][]): FieldError[] {
  return results.reduce((least, result) => (result.length < least.length ? result : least))
}

export function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function join(path: string, key: string): string {
  return path ? `${path}.${key}` : key
}
