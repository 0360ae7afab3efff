import type { ResourceInfo } from '../registry/index.ts'
import { customResourceSchema, type Schema, schemaName } from '../schema/index.ts'

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
  const head = customResourceSchema(group, version, kind, undefined)
  const selectable = definition?.selectableFields?.map(({ jsonPath }) => ({ fieldPath: jsonPath.replace(/^\./, '') }))
  const more = {
    ...gvk(group, version, kind),
    ...(selectable?.length && openApi === 3 ? { 'x-kubernetes-selectable-fields': selectable } : {}),
  }
  return {
    // kubectl takes what a schema of version 2 names for all that there may be.
    [name]:
      !schema || (openApi === 2 && schema['x-kubernetes-preserve-unknown-fields'])
        ? { type: 'object', ...more }
        : { ...customResourceSchema(group, version, kind, withEmbedded(openApi === 2 ? simplified(schema) : schema, openApi)), ...more },
    [customName(group, version, listKind)]: {
      description: `${listKind} is a list of ${kind}`,
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion: head.properties?.['apiVersion'] ?? {},
        kind: head.properties?.['kind'] ?? {},
        metadata: { description: `Standard list metadata. More info: ${conventions}#types-kinds`, allOf: [{ $ref: listMeta }] },
        items: {
          description: `List of ${resource}. More info: ${conventions}`,
          type: 'array',
          items: { $ref: `#/components/schemas/${name}` },
        },
      },
      ...gvk(group, version, listKind),
    },
  }
}

/** com.example.stable.v1.CronTab for stable.example.com. */
export function customName(group: string, version: string, kind: string): string {
  return schemaName(group, version, kind) ?? `${group.split('.').reverse().join('.')}.${version}.${kind}`
}

const conventions = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md'
const listMeta = '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta'

function gvk(group: string, version: string, kind: string) {
  return { 'x-kubernetes-group-version-kind': [{ group, version, kind }] }
}

/** Whole objects within an object have what every object has. */
function withEmbedded(schema: Schema, openApi: 2 | 3): Schema {
  const inner = eachPart(schema, (part) => withEmbedded(part, openApi))
  if (!schema['x-kubernetes-embedded-resource'] || (openApi === 2 && schema['x-kubernetes-preserve-unknown-fields'])) return inner
  const { apiVersion = {}, kind = {}, metadata = {} } = customResourceSchema('', '', '', undefined).properties ?? {}
  return {
    ...inner,
    properties: { ...inner.properties, apiVersion, kind, metadata },
    required: [...new Set([...(inner.required ?? []), 'kind', 'apiVersion'])],
  }
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
