import { copyOf } from '../machinery/copy.ts'
import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'

type Fields = Record<string, unknown>

/** Drops what a structural schema does not know, in place, and tells what it was: `unknown field "spec.foo"`. */
export function prune(value: unknown, schema: JSONSchemaProps, path = ''): string[] {
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    return items ? value.flatMap((item, index) => prune(item, items, `${path}[${index}]`)) : []
  }
  if (!isObject(value)) return []
  const unknown: string[] = []
  for (const [key, field] of Object.entries(value)) {
    const at = path ? `${path}.${key}` : key
    if (schema['x-kubernetes-embedded-resource'] && typeFields.includes(key)) continue
    const property = propertyOf(schema, key)
    if (property) unknown.push(...prune(field, property, at))
    else if (!keepsUnknown(schema)) {
      delete value[key]
      unknown.push(`unknown field "${at}"`)
    }
  }
  return unknown
}

/** Fills in defaults, in place; a null where none may stand counts as missing. */
export function setDefaults(value: unknown, schema: JSONSchemaProps): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    if (items) for (const item of value) setDefaults(item, items)
    return
  }
  if (!isObject(value)) return
  for (const [key, field] of Object.entries(value)) {
    const property = propertyOf(schema, key)
    if (field === null && property && !property.nullable) delete value[key]
  }
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (property.default !== undefined && value[key] === undefined) value[key] = copyOf(property.default)
  }
  for (const [key, field] of Object.entries(value)) {
    const property = propertyOf(schema, key)
    if (property) setDefaults(field, property)
  }
}

/** The schema of one field: its own, or the one of additional properties. */
export function propertyOf(schema: JSONSchemaProps, key: string): JSONSchemaProps | undefined {
  const own = schema.properties && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined
  if (own) return own
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
}

export function itemsOf({ items }: JSONSchemaProps): JSONSchemaProps | undefined {
  return Array.isArray(items) ? undefined : items
}

/** Whether the schema or any that it holds is one such. */
export function someSchema(schema: JSONSchemaProps | undefined, is: (part: JSONSchemaProps) => boolean): boolean {
  if (!schema) return false
  if (is(schema)) return true
  const { items, not, allOf = [], anyOf = [], oneOf = [], additionalProperties, additionalItems } = schema
  const named = [schema.properties, schema.patternProperties, schema.definitions, schema.dependencies]
  const parts = [items, not, allOf, anyOf, oneOf, additionalProperties, additionalItems, ...named.map((one) => Object.values(one ?? {}))]
  return parts.flat().some((part) => isObject(part) && someSchema(part, is))
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const typeFields = ['apiVersion', 'kind', 'metadata']

function keepsUnknown(schema: JSONSchemaProps): boolean {
  return !!schema['x-kubernetes-preserve-unknown-fields'] || schema.additionalProperties === true
}
