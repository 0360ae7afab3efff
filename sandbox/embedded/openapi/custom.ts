import type { ResourceInfo } from '../registry/index.ts'
import { type Schema, schemaName, schemaOf } from '../schema/index.ts'

/** A served version of a CustomResourceDefinition with its structural schema (undefined: any object). */
export interface CustomKind {
  readonly info: Pick<
    ResourceInfo,
    'group' | 'version' | 'kind' | 'listKind' | 'resource' | 'namespaced' | 'verbs' | 'subresources' | 'definition'
  >
  readonly schema: Schema | undefined
}

/** The schemas of a custom kind and its list by their names, as apiextensions-apiserver publishes them for OpenAPI 2 or 3. */
export function customSchemas({ info, schema }: CustomKind, openApi: 2 | 3): Record<string, Schema> {
  const { group, version, kind, listKind, resource, definition } = info
  const name = customName(group, version, kind)
  const { apiVersion = {}, kind: ofKind = {} } = schemaOf('', 'v1', 'ConfigMap')?.properties ?? {}
  const selectable = definition?.selectableFields?.map(({ jsonPath }) => ({ fieldPath: jsonPath.replace(/^\./, '') }))
  const more = (of: string) => ({ ...gvk(group, version, of), ...(selectable?.length && { 'x-kubernetes-selectable-fields': selectable }) })
  // kubectl takes what a schema of version 2 names for all that there may be.
  const open = !schema || (openApi === 2 && schema['x-kubernetes-preserve-unknown-fields'])
  return {
    [name]: open ? { type: 'object', ...more(kind) } : inOrder({ ...whole(schema), ...more(kind) }, openApi),
    [customName(group, version, listKind)]: {
      description: `${listKind} is a list of ${kind}`,
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion,
        items: {
          description: `List of ${resource}. More info: ${conventions}`,
          type: 'array',
          items: { $ref: `#/components/schemas/${name}` },
        },
        kind: ofKind,
        metadata: { description: `Standard list metadata. More info: ${conventions}#types-kinds`, allOf: [{ $ref: listMeta }] },
      },
      ...more(listKind),
    },
  }

  function whole(given: Schema): Schema {
    const own = unfolded(given)
    const body = withEmbedded(openApi === 2 ? simplified(own) : own, openApi)
    return { ...body, properties: { ...body.properties, apiVersion, kind: ofKind, metadata: objectMetadata } }
  }
}

/** com.example.stable.v1.CronTab for stable.example.com. */
export function customName(group: string, version: string, kind: string): string {
  return schemaName(group, version, kind) ?? `${group.split('.').reverse().join('.')}.${version}.${kind}`
}

const conventions = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md'
const metaTypes = '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.'
const listMeta = `${metaTypes}ListMeta`
const objectMetadata: Schema = {
  description: `Standard object's metadata. More info: ${conventions}#metadata`,
  allOf: [{ $ref: `${metaTypes}ObjectMeta` }],
}

function gvk(group: string, version: string, kind: string) {
  return { 'x-kubernetes-group-version-kind': [{ group, kind, version }] }
}

/** Whole objects within an object have what every object has. */
function withEmbedded(schema: Schema, openApi: 2 | 3): Schema {
  const inner = eachPart(schema, (part) => withEmbedded(part, openApi))
  if (!schema['x-kubernetes-embedded-resource'] || (openApi === 2 && schema['x-kubernetes-preserve-unknown-fields'])) return inner
  const text = (description: string, part: string): Schema => ({
    description: `${description} More info: ${conventions}${part}`,
    type: 'string',
  })
  return {
    ...inner,
    properties: {
      ...inner.properties,
      apiVersion: text('apiVersion defines the versioned schema of this representation of an object.', '#resources'),
      kind: text('kind is a string value representing the type of this object. In CamelCase.', '#types-kinds'),
      metadata: objectMetadata,
    },
    required: [...new Set([...(inner.required ?? []), 'kind', 'apiVersion'])],
  }
}

/** What is an integer or a string says so in plain words too (apiextensions-apiserver, schema/unfold.go). */
function unfolded(schema: Schema): Schema {
  const inner = eachPart(schema, unfolded)
  if (!schema['x-kubernetes-int-or-string']) return inner
  const either = [{ type: 'integer' }, { type: 'string' }]
  const says = (anyOf: Schema[] | undefined) => JSON.stringify(anyOf) === JSON.stringify(either)
  if (says(schema.anyOf) || says(schema.allOf?.[0]?.anyOf)) return inner
  return schema.anyOf ? { ...inner, allOf: [{ anyOf: either }, ...(schema.allOf ?? [])] } : { ...inner, anyOf: either }
}

/** In the order in which Go writes a schema's fields; what may hold anything is a map there, and sorted. */
const fields = [
  ...[
    '$ref',
    'description',
    'type',
    'nullable',
    'format',
    'title',
    'default',
    'maximum',
    'exclusiveMaximum',
    'minimum',
    'exclusiveMinimum',
  ],
  ...['maxLength', 'minLength', 'pattern', 'maxItems', 'minItems', 'uniqueItems', 'multipleOf', 'enum', 'maxProperties', 'minProperties'],
  ...['required', 'items', 'allOf', 'oneOf', 'anyOf', 'not', 'properties', 'additionalProperties'],
]
const ruleFields = ['rule', 'message', 'messageExpression', 'reason', 'fieldPath', 'optionalOldSelf']

function inOrder(schema: Schema, openApi: 2 | 3): Schema {
  const part = (value: Schema) => inOrder(value, openApi)
  const { not, allOf, oneOf, anyOf } = schema as Schema & { not?: Schema }
  const ordered = eachPart(
    {
      ...schema,
      ...(allOf && { allOf: allOf.map(part) }),
      ...(oneOf && { oneOf: oneOf.map(part) }),
      ...(anyOf && { anyOf: anyOf.map(part) }),
      ...(not && { not: part(not) }),
    },
    part,
  )
  if (ordered.properties) ordered.properties = Object.fromEntries(Object.entries(ordered.properties).sort(byKey))
  const entries = Object.entries(ordered).filter(([name, value]) => value !== undefined && (fields.includes(name) || isExtension(name)))
  const place = (name: string) => (isExtension(name) ? fields.length : fields.indexOf(name))
  entries.sort((a, b) => place(a[0]) - place(b[0]) || byKey(a, b))
  return Object.fromEntries(entries.map(([name, value]) => [name, name === 'x-kubernetes-validations' ? rules(value, openApi) : value]))
}

function rules(value: unknown, openApi: 2 | 3): object[] {
  const order = openApi === 2 ? ruleFields.toSorted() : ruleFields
  return (value as Record<string, unknown>[]).map((rule) =>
    Object.fromEntries(order.flatMap((name) => (name in rule ? [[name, rule[name]]] : []))),
  )
}

/** What structural schemas may say beside what every schema may; x-kubernetes-group-version-kind is told where it is due. */
function isExtension(name: string): boolean {
  return name.startsWith('x-kubernetes-')
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1
}

/** What kubectl's reader of version 2 copes with (apiextensions-apiserver, openapi/v2/conversion.go). */
function simplified(schema: Schema): Schema {
  const { allOf: _all, oneOf: _one, anyOf: _any, nullable, ...rest } = schema
  const { not: _not, ...kept } = rest as Schema & { not?: unknown }
  const keeps = schema['x-kubernetes-preserve-unknown-fields']
  if (nullable || keeps) {
    delete kept.items
    delete kept.properties
  }
  if (nullable || (keeps && kept.type === 'object') || (kept.type === 'array' && !kept.items)) delete kept.type
  const required = kept.required?.filter((name) => !schema.properties?.[name]?.nullable)
  if (required) kept.required = required
  if (required?.length === 0) delete kept.required
  return eachPart(kept, simplified)
}

function eachPart(schema: Schema, change: (part: Schema) => Schema): Schema {
  const { properties, items, additionalProperties } = schema
  return {
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, change(part)])),
    }),
    ...(items && { items: change(items) }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: change(additionalProperties) }),
  }
}
