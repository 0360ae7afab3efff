import { type Schema, schemaOfField, schemaOfItems } from '../schema/index.ts'
import { elementOf, isAssociative } from './typed.ts'

/** Characters of the longest text that is made: what has more parts is looked at in pieces. */
const longest = 4096

/**
 * A text that is the same for no two objects that set different fields, whatever the values: names, keys of items, and whether a value
 * is one that Go has where nothing is given. Undefined for what is large. Throws TypedError as a comparison does.
 */
export function shapeOf(object: object, schema: Schema | undefined): string | undefined {
  const fields = object as Readonly<Record<string, unknown>>
  let text = ''
  for (const key in fields) {
    const value = fields[key]
    const isScalar = typeof value !== 'object' || value === null
    const inner = isScalar ? shapeOfScalar(value) : shapeOfPart(value, schemaOfField(schema, key))
    if (inner === undefined || text.length > longest) return undefined
    text += `${key.length}:${key}${inner}`
  }
  return text
}

function shapeOfPart(value: object, schema: Schema | undefined): string | undefined {
  if (Array.isArray(value)) return shapeOfList(value, schema)
  const inner = shapeOf(value, schema)
  return inner === undefined ? undefined : `{${inner}}`
}

function shapeOfList(items: readonly unknown[], schema: Schema | undefined): string | undefined {
  if (!isAssociative(schema)) return items.length === 0 ? '[]' : '[;]'
  const itemSchema = schemaOfItems(schema)
  let text = '['
  for (const item of items) {
    const element = elementOf(item, schema)
    const inner = typeof item === 'object' && item !== null ? shapeOfPart(item, itemSchema) : shapeOfScalar(item)
    if (inner === undefined || text.length > longest) return undefined
    text += `${element.length}:${element}${inner}`
  }
  return `${text}]`
}

function shapeOfScalar(value: unknown): string {
  return zeros.has(value) ? `=${typeof value}${value};` : ';'
}

const zeros: ReadonlySet<unknown> = new Set([undefined, null, '', 0, false, '0', '0s'])
