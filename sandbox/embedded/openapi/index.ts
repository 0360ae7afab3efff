import { createHash } from 'node:crypto'
import { builtInResources } from '../registry/index.ts'
import { builtInSchemas, schemaName } from '../schema/index.ts'
import { definitionsOf, withDefinitions } from './components.ts'
import { type CustomKind, customName, customSchemas } from './custom.ts'

import { pathsOf } from './paths.ts'
import { openApiBytes } from './protobuf.ts'
import { toVersion2 } from './version2.ts'

export type { CustomKind } from './custom.ts'

/** A document as it goes out. */
export interface Rendered {
  readonly bytes: Uint8Array
  readonly hash: string
}

const builtIn = new Map<string, Rendered>()

/** What /openapi/v3 answers: for each document its path with a hash of its content, by which clients cache it. `others` are whole already. */
export function openApiIndex(
  custom: readonly CustomKind[] = [],
  others: ReadonlyMap<string, Rendered> = new Map(),
): { paths: Record<string, { serverRelativeURL: string }> } {
  const own = [...builtInResources, ...custom.map(({ info }) => info)].map(documentPath)
  const paths = [...new Set([...own, ...others.keys()])].sort()
  const hashOf = (path: string) => (others.get(path) ?? document(path, custom))?.hash ?? ''
  return { paths: Object.fromEntries(paths.map((path) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(path)}` }])) }
}

/** The JSON of /openapi/v3/<path> ('api/v1', 'apis/apps/v1') and its hash; undefined when no kind is served there. */
export function openApiDocument(path: string, custom: readonly CustomKind[] = []): Rendered | undefined {
  return document(path, custom)
}

/**
 * The OpenAPI v2 document of /openapi/v2: every definition of built-in and custom kinds, and their paths. In JSON, or in
 * protobuf as gnostic has it. What is built in is made once in a process.
 */
export function openApiVersion2(custom: readonly CustomKind[] = [], form: 'json' | 'protobuf' = 'json'): Rendered {
  if (custom.length > 0) return version2(custom, form)
  // Most clusters have nothing of their own, and share it.
  const known = builtInVersions2.get(form) ?? version2([], form)
  builtInVersions2.set(form, known)
  return known
}

const builtInVersions2 = new Map<string, Rendered>()

function version2(custom: readonly CustomKind[], form: 'json' | 'protobuf'): Rendered {
  const more = toVersion2(
    Object.assign({}, ...custom.map((kind) => customSchemas(kind, 2))),
    Object.assign({}, ...custom.map(({ info }) => pathsOf(info, customName))),
  )
  if (form === 'protobuf') {
    builtInProtobuf ??= openApiBytes(builtInVersion2())
    // Messages one after the other are one message with the fields of both.
    return rendered(custom.length > 0 ? Buffer.concat([builtInProtobuf, openApiBytes(more)]) : builtInProtobuf)
  }
  builtInJson ??= (({ paths, definitions, ...head }) => ({ head: inner(head), paths: inner(paths), definitions: inner(definitions) }))(
    builtInVersion2(),
  )
  const { head, paths, definitions } = builtInJson
  const and = (known: string, added: unknown) => [known, inner(added)].filter(Boolean).join(',')
  return rendered(Buffer.from(`{${head},"paths":{${and(paths, more['paths'])}},"definitions":{${and(definitions, more['definitions'])}}}`))
}

let builtInJson: { head: string; paths: string; definitions: string } | undefined
let builtInProtobuf: Uint8Array | undefined

function builtInVersion2(): Record<string, unknown> {
  return toVersion2(builtInSchemas(), Object.assign({}, ...builtInResources.map((info) => pathsOf(info, nameOf))))
}

/** An object's JSON without its braces. */
function inner(value: unknown): string {
  return JSON.stringify(value).slice(1, -1)
}

function document(path: string, custom: readonly CustomKind[]): Rendered | undefined {
  const own = custom.filter(({ info }) => documentPath(info) === path)
  if (own.length > 0) return render(own)
  const known = builtIn.get(path)
  if (known) return known
  const infos = builtInResources.filter((info) => documentPath(info) === path)
  if (infos.length === 0) return undefined
  const paths = Object.assign({}, ...infos.map((info) => pathsOf(info, nameOf)))
  const made = asDocument({
    openapi: '3.0.0',
    info,
    paths,
    components: { schemas: definitionsOf(paths, builtInSchemas()), securitySchemes },
  })
  builtIn.set(path, made)
  return made
}

const info = { title: 'Kubernetes', version: '1.34' }
const securitySchemes = {
  BearerToken: { type: 'apiKey', description: 'Bearer Token authentication', name: 'authorization', in: 'header' },
}

function render(custom: readonly CustomKind[]): Rendered {
  const schemas = Object.assign({}, ...custom.map((kind) => customSchemas(kind, 3)))
  const paths = Object.assign({}, ...custom.map((kind) => pathsOf(kind.info, customName)))
  return asDocument({
    openapi: '3.0.0',
    info: { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' },
    paths,
    components: { schemas: withDefinitions(schemas, builtInSchemas()) },
  })
}

function asDocument(value: unknown): Rendered {
  return rendered(Buffer.from(JSON.stringify(value)))
}

/** A document that is whole already, with its hash. */
export function rendered(bytes: Uint8Array): Rendered {
  return { bytes, hash: createHash('sha512').update(bytes).digest('hex').toUpperCase() }
}

function nameOf(group: string, version: string, kind: string): string | undefined {
  return schemaName(group, version, kind)
}

function documentPath({ group, version }: { group: string; version: string }): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`
}
