import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

export { decodeObject, TypeMismatch } from './decode.ts'

/** An OpenAPI v3 schema as Kubernetes writes it. */
export interface Schema {
  $ref?: string
  allOf?: Schema[]
  oneOf?: Schema[]
  anyOf?: Schema[]
  type?: string
  format?: string
  description?: string
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  items?: Schema
  required?: string[]
  enum?: unknown[]
  default?: unknown
  nullable?: boolean
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  'x-kubernetes-list-map-keys'?: string[]
  'x-kubernetes-map-type'?: 'atomic' | 'granular'
  'x-kubernetes-patch-strategy'?: string
  'x-kubernetes-patch-merge-key'?: string
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-embedded-resource'?: boolean
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[]
}

const prefix = '#/components/schemas/'
const objectMeta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

let components: Record<string, Schema> | undefined
let kinds: Map<string, string> | undefined
const resolved = new WeakMap<Schema, Schema>()

/** Every component schema of the built-in API by its OpenAPI name. Read once per process and shared; do not change it. */
export function builtInSchemas(): Readonly<Record<string, Schema>> {
  components ??= JSON.parse(gunzipSync(readFileSync(new URL('./openapi.json.gz', import.meta.url))).toString()) as Record<string, Schema>
  return components
}

/** The OpenAPI component name of a built-in kind ('io.k8s.api.apps.v1.Deployment'). */
export function schemaName(group: string, version: string, kind: string): string | undefined {
  kinds ??= new Map(
    Object.entries(builtInSchemas()).flatMap(([name, schema]) =>
      (schema['x-kubernetes-group-version-kind'] ?? []).map((gvk) => [`${gvk.group}/${gvk.version}/${gvk.kind}`, name] as const),
    ),
  )
  return kinds.get(`${group}/${version}/${kind}`)
}

export function schemaOf(group: string, version: string, kind: string): Schema | undefined {
  const name = schemaName(group, version, kind)
  return name === undefined ? undefined : builtInSchemas()[name]
}

/** The schema with a reference or a single allOf followed; what the referring place says wins. */
export function resolve(schema: Schema): Schema {
  if (!schema.$ref && !schema.allOf) return schema
  const known = resolved.get(schema)
  if (known) return known
  const { $ref, allOf, ...own } = schema
  const target = $ref ? builtInSchemas()[$ref.slice(prefix.length)] : allOf?.length === 1 ? allOf[0] : undefined
  const whole = target ? { ...resolve(target), ...own } : own
  resolved.set(schema, whole)
  return whole
}

/** The resolved schema of a field or map entry; undefined when the schema does not know it. */
export function schemaOfField(schema: Schema | undefined, name: string): Schema | undefined {
  if (!schema) return undefined
  const parent = resolve(schema)
  const property = parent.properties && Object.hasOwn(parent.properties, name) ? parent.properties[name] : undefined
  if (property) return resolve(property)
  return typeof parent.additionalProperties === 'object' ? resolve(parent.additionalProperties) : undefined
}

export function schemaOfItems(schema: Schema | undefined): Schema | undefined {
  const items = schema && resolve(schema).items
  return items ? resolve(items) : undefined
}

/** A CustomResourceDefinition version's schema with the fields that every object has. */
export function customResourceSchema(group: string, version: string, kind: string, schema: Schema | undefined): Schema {
  const own = schema ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const common = schemaOf('', 'v1', 'ConfigMap')?.properties ?? {}
  return {
    ...own,
    type: 'object',
    properties: {
      ...own.properties,
      apiVersion: { ...common['apiVersion'], type: 'string', ...own.properties?.['apiVersion'] },
      kind: { ...common['kind'], type: 'string', ...own.properties?.['kind'] },
      metadata: { ...common['metadata'], allOf: [{ $ref: prefix + objectMeta }] },
    },
    'x-kubernetes-group-version-kind': [{ group, version, kind }],
  }
}
