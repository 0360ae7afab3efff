import type { Schema } from '../schema/index.ts'

type Node = Record<string, unknown>

/** An OpenAPI v2 document with the content of v3 schemas and paths. */
export function toVersion2(schemas: Readonly<Record<string, Schema>>, paths: Node): Node {
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: '1.34' },
    paths: Object.fromEntries(Object.entries(paths).map(([path, item]) => [path, pathItem(item as Node)])),
    definitions: Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, downgrade(schema)])),
  }
}

function pathItem(item: Node): Node {
  return Object.fromEntries(
    Object.entries(item).map(([key, value]) =>
      key === 'parameters' ? [key, (value as Node[]).map(parameter)] : [key, operation(value as Node)],
    ),
  )
}

function operation(value: Node): Node {
  const { requestBody, responses, parameters, ...rest } = value
  const body = requestBody as { content: Record<string, { schema: Schema }> } | undefined
  const produces = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']
  return {
    ...rest,
    consumes: body ? Object.keys(body.content) : ['*/*'],
    produces,
    schemes: ['https'],
    parameters: [
      ...(body ? [{ name: 'body', in: 'body', required: true, schema: downgrade(Object.values(body.content)[0]?.schema ?? {}) }] : []),
      ...(parameters as Node[]).map(parameter),
    ],
    responses: Object.fromEntries(
      Object.entries(responses as Record<string, { description: string; content?: Record<string, { schema: Schema }> }>).map(
        ([code, answer]) => {
          const schema = Object.values(answer.content ?? {})[0]?.schema
          return [code, { description: answer.description, ...(schema && { schema: downgrade(schema) }) }]
        },
      ),
    ),
  }
}

function parameter(value: Node): Node {
  const { schema, ...rest } = value
  return { ...rest, ...(schema as Node) }
}

/** v2 knows neither allOf around one reference nor oneOf, and keeps its references under definitions. */
function downgrade(schema: Schema): Node {
  const { allOf, oneOf, anyOf, $ref, properties, items, additionalProperties, nullable, ...rest } = schema
  const target = $ref ?? (allOf?.length === 1 ? allOf[0]?.$ref : undefined)
  const node: Node = { ...rest }
  delete node['default']
  if (target) node['$ref'] = target.replace('#/components/schemas/', '#/definitions/')
  if (oneOf || anyOf || nullable) node['type'] ??= schema.format === 'int-or-string' || oneOf ? 'string' : undefined
  if (properties) node['properties'] = Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, downgrade(inner)]))
  if (items) node['items'] = downgrade(items)
  if (additionalProperties !== undefined) {
    node['additionalProperties'] = typeof additionalProperties === 'boolean' ? additionalProperties : downgrade(additionalProperties)
  }
  return node
}
