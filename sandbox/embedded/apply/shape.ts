import { type Schema, schemaOfField, schemaOfItems } from '../schema/index.ts'
import { elementOf, isAssociative } from './typed.ts'

/** Characters of the longest text that is made: what has more parts is looked at in pieces. */
const longest = 4096

/**
 * A text that is the same for no two objects that set different fields, whatever the values: names, keys of items, and whether a value
 * is one that Go has where nothing is given. Undefined for what is large. Throws TypedError as a comparison does.
 */
export function shapeOf(object: object, schema: Schema): string | undefined {
  let text = ''
  const fields = object as Readonly<Record<string, unknown>>
  for (const key in fields) {
    if (text.length > longest) return undefined
    text += `${key.length}:${key}`
    const value = fields[key]
    if (typeof value !== 'object' || value === null) {
      text += zeros.has(value) ? `=${typeof value}${value};` : ';'
      continue
    }
    const inner = Array.isArray(value) ? shapeOfList(value, schemaOfField(schema, key)) : shapeOfMap(value, schemaOfField(schema, key))
    if (inner === undefined) return undefined
    text += inner
  }
  return text
}

const zeros: ReadonlySet<unknown> = new Set([undefined, null, '', 0, false, '0', '0s'])

function shapeOfMap(value: object, schema: Schema | undefined): string | undefined {
  const inner = shapeOf(value, schema ?? {})
  return inner === undefined ? undefined : `{${inner}}`
}

function shapeOfList(items: readonly unknown[], schema: Schema | undefined): string | undefined {
  if (!isAssociative(schema)) return items.length === 0 ? '[]' : '[;]'
  const itemSchema = schemaOfItems(schema)
  let text = '['
  for (const item of items) {
    if (text.length > longest) return undefined
    const element = elementOf(item, schema)
    text += `${element.length}:${element}`
    const inner = typeof item === 'object' && item !== null ? shapeOfMap(item, itemSchema) : ''
    if (inner === undefined) return undefined
    text += inner
  }
  return `${text}]`
}
