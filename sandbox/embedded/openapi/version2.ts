import { htmlSafe } from '../machinery/html-safe.ts'
import type { Schema } from '../schema/index.ts'
import type { Operation, Parameter, PathItem, Paths } from './paths.ts'

type Node = Record<string, unknown>

/** Parameters that several paths have, by the names under which paths refer to them. */
export type SharedParameters = Map<string, Node>

/** OpenAPI v2 definitions with the content of v3 schemas. */
export function definitionsOfVersion2(schemas: Readonly<Record<string, Schema>>): Node {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, downgrade(schema)]))
}

/**
 * OpenAPI v2 paths with the content of v3 ones. What is no kind's own is put into `shared` and referred to (kube-openapi,
 * builder/parameters.go). Custom kinds say of every request what it may consume.
 */
export function pathsOfVersion2(paths: Paths, shared: SharedParameters, custom = false): Node {
  return Object.fromEntries(Object.entries(paths).map(([path, item]) => [path, pathItem(item)]))

  function pathItem({ parameters = [], ...operations }: PathItem): Node {
    const items = Object.entries(operations).map(([method, operation]) => [method, versionOf(operation)])
    return { ...Object.fromEntries(items), ...(parameters.length > 0 && { parameters: parameters.map(plain).map(share) }) }
  }

  function versionOf(operation: Operation): Node {
    const { tags, description, operationId, responses, ...rest } = operation
    const parameters = [...bodyOf(operation), ...(operation.parameters ?? []).map(plain)].map(share)
    const produces = sorted(Object.keys(responses['200']?.content ?? {}), answerTypes)
    const consumes = consumed(operation, produces)
    const kind = rest['x-kubernetes-group-version-kind']
    return {
      description,
      ...(consumes && { consumes }),
      produces,
      schemes: ['https'],
      tags,
      operationId,
      ...(parameters.length > 0 && { parameters }),
      responses: Object.fromEntries(Object.entries(responses).map(([code, answer]) => [code, response(answer)])),
      ...(rest['x-kubernetes-action'] && { 'x-kubernetes-action': rest['x-kubernetes-action'] }),
      ...(kind && {
        'x-kubernetes-group-version-kind': isOfAggregator(kind) ? kind : { group: kind.group, kind: kind.kind, version: kind.version },
      }),
    }
  }

  function consumed(operation: Operation, produces: string[]): string[] | undefined {
    if (!operation['x-kubernetes-action']) return isOpenId(operation) ? undefined : produces
    const types = Object.keys(operation.requestBody?.content ?? {})
    if (operation['x-kubernetes-action'] === 'patch' && types.length > 0) return sorted(types, patchTypes)
    return custom ? produces : ['*/*']
  }

  /** What every kind has is referred to; kubectl looks for two of them where they are used. */
  function share(parameter: Node): Node {
    const { name, schema } = parameter as { name: string; schema?: { $ref?: string } }
    if (name === 'name' || name === 'fieldValidation' || name === 'dryRun') return parameter
    if (schema && !schema.$ref?.startsWith('#/definitions/io.k8s.apimachinery')) return parameter
    const text = htmlSafe(JSON.stringify(parameter))
    const key = names.get(text) ?? `${name}-${hash(text)}`
    names.set(text, key)
    shared.set(key, parameter)
    return { $ref: `#/parameters/${key}` }
  }
}

/** By their JSON; every server has a few dozen. */
const names = new Map<string, string>()

/** In the order in which the real server lists them. */
const answerTypes = ['text/plain', 'application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']
const patchTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json']

function sorted(types: string[], order: readonly string[]): string[] {
  const place = (type: string) => (order.includes(type) ? order.indexOf(type) : order.length)
  return types.toSorted((a, b) => place(a) - place(b))
}

/** The aggregator's own kinds are not read from another document, which would sort this. */
function isOfAggregator({ group }: { group: string }): boolean {
  return group === 'apiregistration.k8s.io'
}

/** What tells of the keys of ServiceAccounts' tokens takes nothing. */
function isOpenId({ tags }: Operation): boolean {
  return tags?.some((tag) => tag === 'openid' || tag === 'WellKnown') ?? false
}

function bodyOf({ requestBody }: Operation): Node[] {
  if (!requestBody) return []
  const [content] = Object.values(requestBody.content)
  return [{ name: 'body', in: 'body', ...(requestBody.required && { required: true }), schema: downgrade(content?.schema ?? {}) }]
}

function plain({ schema: { type, uniqueItems }, description, name, in: place, required }: Parameter): Node {
  return { uniqueItems, type, description, name, in: place, ...(required && { required }) }
}

function response({ description, content }: Operation['responses'][string]): Node {
  const [first] = Object.values(content ?? {})
  return { description, ...(first && { schema: downgrade(first.schema) }) }
}

/** v2 has neither defaults, nor allOf around one reference, nor oneOf, and keeps its references under definitions. */
function downgrade(schema: Schema): Node {
  const node: Node = {}
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'allOf') {
      if (schema.allOf?.length === 1) node['$ref'] = definition(schema.allOf[0]?.$ref)
    } else if (key === '$ref') node['$ref'] = definition(schema.$ref)
    else if (key === 'properties') node[key] = definitionsOfVersion2(value as Record<string, Schema>)
    else if (key === 'items' || (key === 'additionalProperties' && typeof value === 'object')) node[key] = downgrade(value as Schema)
    else if (key === 'format' && value === 'int-or-string') Object.assign(node, { type: 'string', format: value })
    else if (key === 'oneOf' && !schema.type) node['type'] ??= 'string'
    else if (!['default', 'oneOf', 'anyOf', 'nullable'].includes(key)) node[key] = value
  }
  return node
}

function definition(reference = ''): string {
  return reference.replace('#/components/schemas/', '#/definitions/')
}

/** FNV-1 of 64 bits, the first six bytes of it. */
function hash(text: string): string {
  let value = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) value = BigInt.asUintN(64, value * 0x100000001b3n) ^ BigInt(byte)
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes.subarray(0, 6).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}
