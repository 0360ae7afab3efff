import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib'
import { customDefinition, definitionsPath } from './custom-definition.ts'
import type { Server } from './server.ts'

const file = new URL('./fixtures/documents.json.br', import.meta.url)

/** OpenAPI documents of a server: the index of version 3 before and after definitions were made, and what is said of these. */
export interface Documents {
  /** Of each built-in document its address, which holds a hash of its bytes. */
  builtIn: Record<string, string>
  /** The hash of the old document's bytes. */
  version2: string
  /** How requests for them are answered, by what was asked for: status, headers that matter, and a hash of the body. */
  answers: Record<string, unknown>
  /** Of the definitions, in version 3 and 2. */
  custom: Record<string, unknown>
  custom2: Record<string, unknown>
}

const string = { type: 'string' }

/** Kinds with all that a schema may say, one without a word, several in a group, and one at each scope. */
const definitions = [
  definition('draw.example.com', 'Namespaced', 'shapes', 'Shape', [
    {
      name: 'v1',
      subresources: {
        status: {},
        scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' },
      },
      selectableFields: [{ jsonPath: '.spec.colour' }],
      additionalPrinterColumns: [{ name: 'Colour', type: 'string', jsonPath: '.spec.colour' }],
      schema: {
        description: 'A shape & its <colour>.',
        required: ['spec'],
        properties: {
          spec: {
            type: 'object',
            required: ['colour', 'size'],
            'x-kubernetes-validations': [{ rule: 'self.size > 0', message: 'a shape has a size' }],
            properties: {
              colour: { ...string, description: 'Its colour.', enum: ['red', 'green'], default: 'red', maxLength: 20 },
              size: { type: 'integer', format: 'int32', minimum: 1, maximum: 100 },
              port: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, string] },
              maybe: { ...string, nullable: true },
              perhaps: { type: 'object', nullable: true, properties: { a: string } },
              tags: { type: 'array', items: string, 'x-kubernetes-list-type': 'set' },
              atoms: { type: 'array', items: string, 'x-kubernetes-list-type': 'atomic', minItems: 1 },
              parts: {
                type: 'array',
                'x-kubernetes-list-type': 'map',
                'x-kubernetes-list-map-keys': ['name'],
                items: { type: 'object', required: ['name'], properties: { name: string, weight: { type: 'number' } } },
              },
              free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
              labels: { type: 'object', additionalProperties: string, 'x-kubernetes-map-type': 'granular' },
              template: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
              inner: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } },
              one: { type: 'object', oneOf: [{ required: ['a'] }, { required: ['b'] }], properties: { a: string, b: string } },
              pattern: { ...string, pattern: '^[a-z]+$', format: 'hostname', not: { enum: ['x'] } },
              flag: { type: 'boolean', default: false },
            },
          },
          status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: string } },
        },
      },
    },
    { name: 'v1alpha1', storage: false, deprecated: true, schema: { 'x-kubernetes-preserve-unknown-fields': true } },
  ]),
  definition('draw.example.com', 'Cluster', 'easels', 'Easel', [{ name: 'v1', schema: { properties: { legs: { type: 'integer' } } } }]),
  definition('paint.example.com', 'Cluster', 'oils', 'Oil', [{ name: 'v1beta1', schema: {}, subresources: { status: {} } }]),
]

/** Asks a server for its documents, with these definitions there for as long as it takes. */
export async function documentsOf(server: Server): Promise<Documents> {
  const get = async (path: string) => (await server.send('GET', path)).body
  const builtIn = addressesIn(await get('/openapi/v3'))
  const version2 = digest((await server.fetch('/openapi/v2')).body)
  const answers: Documents['answers'] = {}
  for (const { title, path, headers } of questions(builtIn)) answers[title] = answerOf(await server.fetch(path, headers))
  try {
    for (const body of definitions) await server.send('POST', definitionsPath, body)
    const old = await published(async () => (await get('/openapi/v2')) as Old)
    const custom: Record<string, unknown> = {}
    for (const path of Object.keys(addressesIn(await get('/openapi/v3')))) if (isOurs(path)) custom[path] = await get(`/openapi/v3/${path}`)
    return { builtIn, version2, answers, custom, custom2: { ...ours(old.paths), ...ours(old.definitions) } }
  } finally {
    for (const { metadata } of definitions) await server.send('DELETE', `${definitionsPath}/${metadata.name}`)
  }
}

interface Old {
  paths: Record<string, unknown>
  definitions: Record<string, unknown>
}

interface Question {
  title: string
  path: string
  headers: Record<string, string>
}

function questions(builtIn: Readonly<Record<string, string>>): Question[] {
  const apps = builtIn['apis/apps'] ?? ''
  const hash = apps.split('=')[1]
  const places = {
    index: '/openapi/v3',
    v2: '/openapi/v2',
    document: '/openapi/v3/apis/apps',
    'document by its hash': apps,
    'document by another hash': '/openapi/v3/apis/apps?hash=AA',
    nothing: '/openapi/v3/apis/none/v1',
  }
  const wishes = {
    anything: {},
    json: { accept: 'application/json' },
    'protobuf of version 2': { accept: protobuf(2) },
    'protobuf of version 3': { accept: protobuf(3) },
    'protobuf rather than json': { accept: `application/json;q=0.5, ${protobuf(3)}, ${protobuf(2)}` },
    html: { accept: 'text/html' },
    'what has changed': { 'if-none-match': `"${hash}"` },
  }
  const all = Object.entries(places).flatMap(([place, path]) =>
    Object.entries(wishes).map(([wish, headers]) => ({ title: `${place}, ${wish}`, path, headers })),
  )
  const whole = Object.keys(builtIn).map((path) => ({
    title: `${path} as protobuf`,
    path: `/openapi/v3/${path}`,
    headers: { accept: protobuf(3) },
  }))
  return [...all, ...whole]
}

function protobuf(version: 2 | 3): string {
  return `application/com.github.proto-openapi.spec.v${version}@v1.0+protobuf`
}

const telling = ['content-type', 'etag', 'cache-control', 'vary', 'location']

function answerOf({ status, headers, body }: Awaited<ReturnType<Server['fetch']>>): unknown {
  return {
    status,
    headers: Object.fromEntries(telling.flatMap((name) => (headers[name] ? [[name, headers[name]]] : []))),
    body: digest(body),
  }
}

function digest(bytes: Uint8Array): string {
  return createHash('sha512').update(bytes).digest('hex').toUpperCase()
}

function ours(all: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => isOurs(name)))
}

export function recordedDocuments(): Documents {
  return JSON.parse(brotliDecompressSync(readFileSync(file)).toString()) as Documents
}

export function recordDocuments(found: Documents): void {
  writeFileSync(file, brotliCompressSync(JSON.stringify(found)))
}

function addressesIn(index: unknown): Record<string, string> {
  const { paths } = index as { paths: Record<string, { serverRelativeURL: string }> }
  return Object.fromEntries(Object.entries(paths).map(([path, { serverRelativeURL }]) => [path, serverRelativeURL]))
}

function isOurs(name: string): boolean {
  return /(?:draw|paint)\.example\.com|com\.example\.(?:draw|paint)/.test(name)
}

/** The old document once it tells of all definitions; a real server takes a second or two. */
async function published(look: () => Promise<Old>): Promise<Old> {
  for (let tries = 0; tries < 40; tries++) {
    const found = await look()
    if (Object.keys(found.definitions).filter(isOurs).length === 8) return found
    await setTimeout(500)
  }
  throw new Error('the definitions were not published in time')
}

interface Version {
  name: string
  storage?: boolean
  schema: Record<string, unknown>
  [more: string]: unknown
}

function definition(group: string, scope: string, plural: string, kind: string, versions: Version[]) {
  const whole = versions.map(({ schema, ...version }) => ({
    served: true,
    storage: true,
    ...version,
    schema: { openAPIV3Schema: { type: 'object', ...schema } },
  }))
  return customDefinition(group, { plural, kind }, whole, scope)
}
