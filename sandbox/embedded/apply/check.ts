import { resolve, type Schema, schemaOfField, schemaOfItems } from '../schema/index.ts'
import { elementOf, keyText, TypedError } from './typed.ts'

type Fields = Record<string, unknown>

/**
 * Refuses a configuration that does not have its schema's shape, in the words of structured-merge-diff, whatever the
 * request's fieldValidation says. Throws TypedError with every fault; of each map's unknown fields the first.
 */
export function assertTyped(value: unknown, schema: Schema | undefined): void {
  const faults: string[] = []
  check(value, schema, '', faults)
  if (faults.length > 0)
    throw new TypedError(faults.length === 1 ? (faults[0] as string) : `errors:\n${faults.map((one) => `  ${one}`).join('\n')}`)
}

function check(value: unknown, given: Schema | undefined, path: string, faults: string[]): void {
  if (!given || value === null || value === undefined) return
  const schema = resolve(given)
  const fault = (text: string) => void faults.push(path ? `${path}: ${text}` : text)
  if (schema['x-kubernetes-int-or-string']) return
  switch (schema.type) {
    case 'string':
      // of times nothing more is known than that they have no parts
      if (schema.format === 'date-time' && typeof value !== 'object') return
      if (typeof value !== 'string') fault(`expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`)
      return
    case 'boolean':
      if (typeof value !== 'boolean') fault(`expected boolean, got &{${goValue(value)}}`)
      return
    case 'integer':
    case 'number':
      if (typeof value !== 'number') fault(`expected numeric (int or float), got ${goType(value)}`)
      return
    case 'array':
      if (!Array.isArray(value)) fault(`expected list, got &{${goValue(value)}}`)
      else checkItems(value, schema, path, faults)
      return
    case 'object':
      if (isObject(value)) checkFields(value, schema, path, faults)
      else fault(`expected map, got &{${goValue(value)}}`)
  }
}

function checkItems(items: readonly unknown[], schema: Schema, path: string, faults: string[]): void {
  const type = schema['x-kubernetes-list-type']
  const seen = new Set<string>()
  for (const [index, item] of items.entries()) {
    if (type === 'map' || type === 'set') {
      const element = named(item, schema, `${path}: element ${index}`, faults)
      if (element === undefined) continue
      if (seen.has(element)) faults.push(`${path}: duplicate entries for key ${keyText(element)}`)
      seen.add(element)
    }
    check(item, schemaOfItems(schema), path + itemName(item, index, schema), faults)
  }
}

/** What an item is told apart by; undefined: nothing, which is a fault. */
function named(item: unknown, schema: Schema, place: string, faults: string[]): string | undefined {
  try {
    return elementOf(item, schema)
  } catch (error) {
    if (!(error instanceof TypedError)) throw error
    faults.push(`${place}: ${error.message}`)
    return undefined
  }
}

function checkFields(value: Fields, schema: Schema, path: string, faults: string[]): void {
  const { properties, additionalProperties } = schema
  const open = schema['x-kubernetes-preserve-unknown-fields'] || (!properties && !additionalProperties) || additionalProperties === true
  for (const [key, field] of Object.entries(value)) {
    const known = schemaOfField(schema, key)
    if (known) check(field, known, `${path}.${key}`, faults)
    else if (!open && !(schema['x-kubernetes-embedded-resource'] && embedded.has(key))) {
      faults.push(`${path}.${key}: field not declared in schema`)
      return
    }
  }
}

/** What every object has, said or not. */
const embedded = new Set(['apiVersion', 'kind', 'metadata'])

/** Items of maps go by their keys. */
function itemName(item: unknown, index: number, schema: Schema): string {
  const keys = schema['x-kubernetes-list-map-keys']
  if (schema['x-kubernetes-list-type'] !== 'map' || !keys || !isObject(item)) return `[${index}]`
  const given = keys.toSorted().map((key) => [key, item[key] ?? schemaOfField(schemaOfItems(schema), key)?.default] as const)
  return `[${given.flatMap(([key, field]) => (field === undefined ? [] : [`${key}=${JSON.stringify(field)}`])).join(',')}]`
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As %v prints it. */
function goValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`
  if (isObject(value))
    return `map[${sorted(value)
      .map(([key, field]) => `${key}:${goValue(field)}`)
      .join(' ')}]`
  return value === null ? '<nil>' : String(value)
}

/** As %#v prints it. */
function goSyntax(value: unknown): string {
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`
  if (isObject(value)) {
    return `map[string]interface {}{${sorted(value)
      .map(([key, field]) => `${JSON.stringify(key)}:${goSyntax(field)}`)
      .join(', ')}}`
  }
  return value === null ? 'interface {}(nil)' : JSON.stringify(value)
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}'
  if (isObject(value)) return 'map[string]interface {}'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

function sorted(value: Fields): [string, unknown][] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
}
