import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'
import { escapeField } from './json-values.ts'

/** The type of a part of a schema, with how large it can become: apiserver/pkg/cel/types.go. */
export interface DeclaredType {
  readonly kind: 'bool' | 'bytes' | 'double' | 'duration' | 'dyn' | 'int' | 'list' | 'map' | 'object' | 'string' | 'timestamp'
  /** Of lists their items', of maps their values'. */
  readonly element?: DeclaredType
  readonly key?: DeclaredType
  readonly fields?: Readonly<Record<string, DeclaredType>>
  /** Characters of a text, items of a list, entries of a map; 0 of all else. */
  readonly maxElements: number
  /** Bytes of the smallest JSON of it. */
  readonly minSize: number
}

/** Bytes of the largest request. */
export const maxRequestSize = 3 * 1024 * 1024
const longestText = maxRequestSize - 2
const text: DeclaredType = { kind: 'string', maxElements: longestText, minSize: 2 }
const mapKey: DeclaredType = { kind: 'string', maxElements: 0, minSize: 2 }
const named: DeclaredType = { kind: 'object', fields: { name: text, generateName: text }, maxElements: 0, minSize: 2 }

/**
 * A schema as rules see it, or undefined where they do not. At the root and in embedded resources the head is always there.
 * Source: SchemaDeclType in apiserver/pkg/cel/common/schemas.go.
 */
export function declaredType(
  schema: JSONSchemaProps,
  isResource = schema['x-kubernetes-embedded-resource'] === true,
): DeclaredType | undefined {
  if (schema['x-kubernetes-int-or-string']) return { kind: 'dyn', maxElements: lengthOf(schema), minSize: 1 }
  switch (isResource ? 'object' : schema.type) {
    case 'array':
      return listType(schema)
    case 'object':
      return typeof schema.additionalProperties === 'object' ? mapType(schema) : objectType(schema, isResource)
    case 'string':
      return textType(schema)
    case 'boolean':
      return { kind: 'bool', maxElements: 0, minSize: 4 }
    case 'number':
      return { kind: 'double', maxElements: 0, minSize: 1 }
    case 'integer':
      return { kind: 'int', maxElements: 0, minSize: 1 }
    default:
      return undefined
  }
}

function listType({ items, maxItems }: JSONSchemaProps): DeclaredType | undefined {
  return items && !Array.isArray(items) ? collection('list', items, maxItems, 1) : undefined
}

function mapType({ additionalProperties, maxProperties }: JSONSchemaProps): DeclaredType | undefined {
  return collection('map', additionalProperties as JSONSchemaProps, maxProperties, 6)
}

/** As many as a request holds, where nothing else bounds them: `around` are the bytes of each beside its value. */
function collection(kind: 'list' | 'map', of: JSONSchemaProps, given: number | undefined, around: number): DeclaredType | undefined {
  const element = declaredType(of)
  if (!element) return undefined
  const maxElements = Math.max(given ?? Math.floor((maxRequestSize - 2) / (element.minSize + around)), 0)
  return { kind, ...(kind === 'map' ? { key: mapKey } : {}), element, maxElements, minSize: 2 }
}

function objectType({ properties = {}, required = [] }: JSONSchemaProps, isResource: boolean): DeclaredType {
  const fields: Record<string, DeclaredType> = {}
  let minSize = 2
  for (const [name, property] of Object.entries(properties)) {
    const type = declaredType(property)
    if (!type) continue
    fields[escapeField(name)] = type
    if (required.includes(name) && property.default === undefined) minSize += Buffer.byteLength(name) + type.minSize + 4
  }
  return {
    kind: 'object',
    fields: isResource ? { ...fields, kind: text, apiVersion: text, metadata: named } : fields,
    maxElements: 0,
    minSize,
  }
}

function textType(schema: JSONSchemaProps): DeclaredType {
  switch (schema.format) {
    case 'byte':
      return { kind: 'bytes', maxElements: Math.max(schema.maxLength ?? longestText, 0), minSize: 2 }
    case 'duration':
      return { kind: 'duration', maxElements: 32, minSize: 3 }
    case 'date':
      return { kind: 'timestamp', maxElements: 12, minSize: 12 }
    case 'date-time':
      return { kind: 'timestamp', maxElements: 32, minSize: 21 }
    default: {
      if (schema.maxLength !== undefined || !schema.enum?.length) return { ...text, maxElements: lengthOf(schema) }
      const lengths = schema.enum.map((value) => (typeof value === 'string' ? Buffer.byteLength(value) : 0))
      return { ...text, maxElements: Math.max(...lengths) }
    }
  }
}

/** A character may be four bytes. */
function lengthOf({ maxLength }: JSONSchemaProps): number {
  return maxLength === undefined ? longestText : Math.max(maxLength, 0) * 4
}
