import { readFileSync } from 'node:fs'

/** One field of a Kubernetes Go type: how it is named in JSON and numbered in protobuf. */
export interface WireField {
  readonly name: string
  readonly number: number
  /** 'string', 'int32', ... or the name of a type; 'named:x' is a message that holds a list of x. */
  readonly type: string
  readonly container: '' | 'list' | 'map' | 'map-of-lists'
  readonly inline: boolean
  /** Left out of JSON when it is empty. */
  readonly omitEmpty: boolean
  readonly pointer: boolean
  /** Left out of JSON even when it is an empty struct. */
  readonly omitZero: boolean
}

interface Table {
  kinds: Record<string, string>
  types: Record<string, [string, number, string, WireField['container'], number][]>
}

let table: Table | undefined
const fields = new Map<string, readonly WireField[]>()
const jsonFields = new Map<string, ReadonlyMap<string, WireField>>()
let withTypeMeta: Set<string> | undefined

/** The Go type of a kind: wireTypeOf('apps/v1', 'Deployment') is 'apps.v1.Deployment'. */
export function wireTypeOf(apiVersion: string, kind: string): string | undefined {
  return load().kinds[`${apiVersion}/${kind}`]
}

/** The fields of a type as protobuf numbers them; undefined for a scalar. */
export function wireFields(type: string): readonly WireField[] | undefined {
  const known = fields.get(type)
  if (known) return known
  const made = load().types[type]?.map(([name, number, fieldType, container, flags]) => ({
    name,
    number,
    // a map's lists are named messages on the wire, which a map of lists says already
    type: container === 'map-of-lists' ? fieldType.replace(/^named:/, '') : fieldType,
    container,
    inline: (flags & 1) !== 0,
    omitEmpty: (flags & 2) !== 0,
    pointer: (flags & 4) !== 0,
    omitZero: (flags & 8) !== 0,
  }))
  if (made) fields.set(type, made)
  return made
}

/** The fields of a type by JSON name, with those of inlined types. */
export function jsonFieldsOf(type: string): ReadonlyMap<string, WireField> {
  const known = jsonFields.get(type)
  if (known) return known
  const found = new Map<string, WireField>()
  for (const field of wireFields(type) ?? []) {
    if (!field.inline) found.set(field.name, field)
    else for (const [name, inner] of jsonFieldsOf(field.type)) if (!found.has(name)) found.set(name, inner)
  }
  jsonFields.set(type, found)
  return found
}

export const schemaProps = 'apiextensions.v1.JSONSchemaProps'
/** The types of what is a schema, several of them or something else. */
export const schemaOr: ReadonlySet<string> = new Set(['Array', 'Bool', 'StringArray'].map((other) => `${schemaProps}Or${other}`))

/** Whether objects of the type carry apiVersion and kind. */
export function hasTypeMeta(type: string): boolean {
  withTypeMeta ??= new Set(Object.values(load().kinds))
  return withTypeMeta.has(type)
}

function load(): Table {
  table ??= JSON.parse(readFileSync(new URL('./protobuf.json', import.meta.url), 'utf8')) as Table
  return table
}
