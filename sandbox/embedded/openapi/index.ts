import { createHash } from 'node:crypto'
import { htmlSafe } from '../machinery/html-safe.ts'
import { builtInSchemas, type Schema } from '../schema/index.ts'
import { definitionsOf, withDefinitions } from './components.ts'
import { type CustomKind, customSchemas } from './custom.ts'
import { customPaths } from './custom-paths.ts'
import { additionOf, type RemoteVersion2, type Sections } from './merge.ts'
import { metricsDocuments, metricsVersion2 } from './metrics.ts'
import { builtInHashes, builtInPaths } from './paths.ts'
import { openApi3Bytes, openApiBytes } from './protobuf.ts'
import { definitionsOfVersion2, pathsOfVersion2, type SharedParameters } from './version2.ts'

export type { CustomKind } from './custom.ts'
export { metricsVersion2 } from './metrics.ts'

/** A document as it goes out. */
export interface Rendered {
  readonly bytes: Uint8Array
  readonly hash: string
}

const builtIn = new Map<string, Rendered>()
const inProtobuf = new WeakMap<Rendered, Rendered>()

/**
 * What /openapi/v3 answers: for each document its path with a hash of
 * its content, by which clients cache it. `others` are whole already.
 */
export function openApiIndex(
  custom: readonly CustomKind[] = [],
  others: ReadonlyMap<string, Rendered> = new Map(),
): { paths: Record<string, { serverRelativeURL: string }> } {
  const hashes = new Map(Object.entries(builtInHashes()))
  for (const path of new Set(custom.map(({ info }) => documentPath(info)))) hashes.set(path, openApiDocument(path, custom)?.hash ?? '')
  for (const [path, { hash }] of others) hashes.set(path, hash)
  const sorted = [...hashes].sort(([a], [b]) => (a < b ? -1 : 1))
  return { paths: Object.fromEntries(sorted.map(([path, hash]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }])) }
}

/**
 * The JSON of /openapi/v3/<path> ('api/v1', 'apis/apps/v1') and its hash; undefined when nothing is told of there. What is built in
 * has a real API server's bytes, is made once in a process and shared.
 */
export function openApiDocument(path: string, custom: readonly CustomKind[] = []): Rendered | undefined {
  const own = custom.filter(({ info }) => documentPath(info) === path)
  if (own.length > 0) return customDocument(own)
  const known = builtIn.get(path)
  if (known) return known
  const paths = builtInPaths(path)
  if (!paths) return undefined
  const schemas = definitionsOf(paths, builtInSchemas())
  const made = asDocument({
    openapi: '3.0.0',
    info,
    paths,
    components: { ...(Object.keys(schemas).length > 0 && { schemas }), securitySchemes: { BearerToken: inVersion3(bearerToken) } },
  })
  builtIn.set(path, made)
  return made
}

/** The documents of metrics.k8s.io, as another server's by their paths. Made once in a process and shared. */
export function metricsVersion3(): ReadonlyMap<string, Rendered> {
  return (metrics3 ??= new Map(Object.entries(metricsDocuments()).map(([path, document]) => [path, asDocument(document)])))
}

let metrics3: ReadonlyMap<string, Rendered> | undefined

/** A document of version 3 as gnostic's openapi.v3.Document; its hash is that of the JSON. */
export function openApiDocumentInProtobuf(document: Rendered): Rendered {
  const known = inProtobuf.get(document)
  if (known) return known
  const made = { bytes: openApi3Bytes(JSON.parse(Buffer.from(document.bytes).toString()) as Record<string, unknown>), hash: document.hash }
  inProtobuf.set(document, made)
  return made
}

const info = { title: 'Kubernetes', version: '1.34' }
const bearerToken = { description: 'Bearer Token authentication', type: 'apiKey', name: 'authorization', in: 'header' }

function inVersion3({ type, ...rest }: typeof bearerToken) {
  return { type, ...rest }
}

function customDocument(custom: readonly CustomKind[]): Rendered {
  const schemas = Object.assign({}, ...custom.map((kind) => customSchemas(kind, 3)))
  const paths = sortedByKey(Object.assign({}, ...custom.map((kind) => customPaths(kind.info))))
  return asDocument({
    openapi: '3.0.0',
    info: { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' },
    paths,
    components: { schemas: sortedByKey({ ...definitionsOf(paths, clientSchemas()), ...withDefinitions(schemas, clientSchemas()) }) },
  })
}

/** apiextensions-apiserver knows the groups that clients know, and not those of servers alone. */
function clientSchemas(): Readonly<Record<string, Schema>> {
  forClients ??= withoutServersKinds(builtInSchemas())
  return forClients
}

function withoutServersKinds(schemas: Readonly<Record<string, Schema>>): Record<string, Schema> {
  const entries = Object.entries(schemas).map(([name, schema]) => {
    const kinds = schema['x-kubernetes-group-version-kind'] ?? []
    const kept = kinds.filter(({ group }) => !serversAlone.includes(group))
    return [name, kept.length < kinds.length ? { ...schema, 'x-kubernetes-group-version-kind': kept } : schema]
  })
  return Object.fromEntries(entries)
}

const serversAlone = ['admission.k8s.io', 'apiextensions.k8s.io', 'apiregistration.k8s.io', 'imagepolicy.k8s.io']
let forClients: Readonly<Record<string, Schema>> | undefined

/**
 * The OpenAPI v2 document of /openapi/v2: every definition of built-in and custom kinds, and their paths, and what other servers say
 * of theirs. In JSON, or in protobuf as gnostic has it. What is built in is made once in a process; alone it has a real API
 * server's bytes.
 */
export function openApiVersion2(
  custom: readonly CustomKind[] = [],
  form: 'json' | 'protobuf' = 'json',
  others: readonly RemoteVersion2[] = [],
): Rendered {
  const alike = custom.length === 0 && others.every((other) => other === metricsVersion2())
  if (!alike) return version2(custom, form, others)
  // Most clusters have nothing of their own, and share it.
  const key = `${form} ${others.length}`
  const known = builtInVersions2.get(key) ?? version2([], form, others)
  builtInVersions2.set(key, known)
  return known
}

const builtInVersions2 = new Map<string, Rendered>()
const head = { swagger: '2.0', info }
const security = { securityDefinitions: { BearerToken: bearerToken }, security: [{ BearerToken: [] }] }

function version2(custom: readonly CustomKind[], form: 'json' | 'protobuf', others: readonly RemoteVersion2[]): Rendered {
  const added = additions(custom, others)
  if (form === 'protobuf') {
    builtInProtobuf ??= openApiBytes({ ...head, ...builtInSections(), ...security })
    // Messages one after the other are one message with the fields of both.
    return {
      bytes: Buffer.concat([builtInProtobuf, openApiBytes(withoutKnown(added))]),
      hash: openApiVersion2(custom, 'json', others).hash,
    }
  }
  const texts = textsOf(added)
  const sections = Object.entries(builtIns()).map(([name, known]) => {
    const entries = Object.entries({ ...known, ...texts[name as keyof Sections] }).sort(([a], [b]) => (a < b ? -1 : 1))
    return `"${name}":{${entries.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`
  })
  return rendered(Buffer.from(`{${[inner(head), ...sections, inner(security)].join(',')}}`))
}

/** The OpenAPI v2 document of a server that has these kinds alone. */
export function openApiVersion2Of(custom: readonly CustomKind[]): Rendered {
  const { paths, definitions, parameters } = additions(custom, [])
  const referred = definitionsOfVersion2(
    definitionsOf(
      custom.map((kind) => [customSchemas(kind, 3), customPaths(kind.info)]),
      clientSchemas(),
    ),
  )
  return asDocument({ ...head, paths, definitions: { ...referred, ...definitions }, parameters, ...security })
}

/** What a document has beside what is built in. */
function additions(custom: readonly CustomKind[], others: readonly RemoteVersion2[]): Sections {
  const parameters: SharedParameters = new Map()
  const added: Sections = {
    paths: pathsOfVersion2(Object.assign({}, ...custom.map((kind) => customPaths(kind.info))), parameters, true),
    definitions: definitionsOfVersion2(Object.assign({}, ...custom.map((kind) => customSchemas(kind, 2)))),
    parameters: {},
  }
  Object.assign(added.parameters, Object.fromEntries(parameters))
  for (const other of others) {
    const more = additionOf(other, (section, name) => {
      const text = builtIns()[section][name]
      return added[section][name] ?? (text === undefined ? undefined : JSON.parse(text))
    })
    for (const section of ['paths', 'definitions', 'parameters'] as const) Object.assign(added[section], more[section])
  }
  return added
}

function withoutKnown(added: Sections): Node {
  const fresh = (section: keyof Sections) => Object.entries(added[section]).filter(([name]) => !(name in builtIns()[section]))
  const sections = (['paths', 'definitions', 'parameters'] as const).map((section) => [section, fresh(section)] as const)
  return Object.fromEntries(sections.flatMap(([section, entries]) => (entries.length > 0 ? [[section, Object.fromEntries(entries)]] : [])))
}

/** The JSON of each entry by itself, so that only what is new needs to be written. */
let builtInTexts: Texts | undefined
let builtInProtobuf: Uint8Array | undefined

type Texts = Record<keyof Sections, Record<string, string>>
type Node = Record<string, unknown>

function builtIns(): Texts {
  builtInTexts ??= textsOf(builtInSections())
  return builtInTexts
}

function textsOf({ paths, definitions, parameters }: Sections): Texts {
  const texts = (entries: Node) => Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, JSON.stringify(value)]))
  return { paths: texts(paths), definitions: texts(definitions), parameters: texts(parameters) }
}

function builtInSections(): Sections {
  const shared: SharedParameters = new Map()
  const paths = Object.keys(builtInHashes()).map((path) => pathsOfVersion2(builtInPaths(path) ?? {}, shared))
  return {
    paths: sortedByKey(Object.assign({}, ...paths)),
    definitions: definitionsOfVersion2(builtInSchemas()),
    parameters: sortedByKey(Object.fromEntries(shared)),
  }
}

/** An object's JSON without its braces. */
function inner(value: unknown): string {
  return JSON.stringify(value).slice(1, -1)
}

function asDocument(value: unknown): Rendered {
  return rendered(Buffer.from(htmlSafe(JSON.stringify(value))))
}

/** A document that is whole already, with its hash. */
export function rendered(bytes: Uint8Array): Rendered {
  return { bytes, hash: createHash('sha512').update(bytes).digest('hex').toUpperCase() }
}

function sortedByKey<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function documentPath({ group, version }: { group: string; version: string }): string {
  return group === '' ? `api/${version}` : `apis/${group}/${version}`
}
