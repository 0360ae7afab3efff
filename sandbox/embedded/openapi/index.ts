import { createHash } from 'node:crypto'
import { builtInResources } from '../registry/index.ts'
import { builtInSchemas, schemaName } from '../schema/index.ts'
import { definitionsOf, withDefinitions } from './components.ts'
import { type CustomKind, customName, customSchemas } from './custom.ts'

import { pathsOf } from './paths.ts'
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

/** The OpenAPI v2 document of /openapi/v2: every definition of built-in and custom kinds, and their paths. */
export function openApiVersion2(custom: readonly CustomKind[] = []): Record<string, unknown> {
  const schemas = { ...builtInSchemas(), ...Object.assign({}, ...custom.map((kind) => customSchemas(kind, 2))) }
  const paths = Object.assign(
    {},
    ...builtInResources.map((info) => pathsOf(info, nameOf)),
    ...custom.map(({ info }) => pathsOf(info, customName)),
  )
  return toVersion2(schemas, paths)
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

const info = { title: 'Kubernetes', version: 'v1.34.4' }
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
