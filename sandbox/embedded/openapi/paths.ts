import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'

export interface Parameter {
  name: string
  in: string
  description?: string
  required?: boolean
  schema: { type: string; uniqueItems?: boolean }
}

interface Content {
  schema: { $ref?: string; type?: string }
}

export interface Operation {
  tags?: string[]
  description: string
  operationId: string
  parameters?: Parameter[]
  requestBody?: { content: Record<string, Content>; required?: boolean }
  responses: Record<string, { description: string; content?: Record<string, Content> }>
  'x-kubernetes-action'?: string
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }
}

/** What OpenAPI v3 says of a path: its operations by method, and the parameters that all of them have. */
export type PathItem = { [method in 'get' | 'put' | 'post' | 'delete' | 'options' | 'head' | 'patch']?: Operation } & {
  parameters?: Parameter[]
}

/** The paths of a document by themselves. */
export type Paths = Readonly<Record<string, PathItem>>

/** In the file every parameter stands once, and paths tell of it by its place. */
interface Recorded {
  parameters: Parameter[]
  documents: Record<string, { hash: string; paths: unknown }>
}

let recorded: Recorded | undefined

/** The documents of what is built in by their paths ('api/v1', 'apis/apps', 'version'), sorted, with their hashes. */
export function builtInHashes(): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(read().documents).map(([path, { hash }]) => [path, hash]))
}

/** The paths of one of these; undefined for what is none. Their parameters are shared: do not change them. */
export function builtInPaths(path: string): Paths | undefined {
  const { parameters, documents } = read()
  const found = Object.hasOwn(documents, path) ? documents[path] : undefined
  return found && (expanded(found.paths, parameters) as Paths)
}

/** Read once in a process. */
function read(): Recorded {
  recorded ??= JSON.parse(brotliDecompressSync(readFileSync(new URL('../schema/paths.json.br', import.meta.url))).toString()) as Recorded
  return recorded
}

function expanded(value: unknown, parameters: readonly Parameter[]): unknown {
  if (Array.isArray(value)) return value.map((item) => expanded(item, parameters))
  if (typeof value !== 'object' || value === null) return value
  const part = (key: string, item: unknown) =>
    key === 'parameters' ? (item as number[]).map((place) => parameters[place]) : expanded(item, parameters)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, part(key, item)]))
}
