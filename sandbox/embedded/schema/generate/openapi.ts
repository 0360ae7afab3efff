/**
 * Merges the component schemas of a Kubernetes API server's OpenAPI v3 documents into ../openapi.json.gz, each once, and their
 * paths into ../paths.json.br. Run by `npm run generate:schema -- <folder of documents>`: what `/openapi/v3/api/v1` answers is the
 * file api_v1.json there. Without a folder the files stay as they are.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'

interface Document {
  paths: Record<string, unknown>
  components?: { schemas?: Record<string, unknown> }
}

const folder = process.argv[2]
if (folder) {
  const documents = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }))
  const write = (name: string, bytes: Uint8Array) => writeFileSync(join(import.meta.dirname, '..', name), bytes)
  write('openapi.json.gz', gzipSync(JSON.stringify(schemasIn(documents)), { level: 9 }))
  write('paths.json.br', brotliCompressSync(JSON.stringify(pathsIn(documents))))
}

interface Source {
  name: string
  bytes: Uint8Array
}

function schemasIn(documents: readonly Source[]): Record<string, unknown> {
  const found = new Map<string, string>()
  for (const { name: file, bytes } of documents) {
    for (const [name, schema] of Object.entries(parsed(bytes).components?.schemas ?? {})) {
      const text = JSON.stringify(schema)
      const before = found.get(name)
      if (before !== undefined && before !== text) throw new Error(`${file} describes ${name} differently from another document`)
      found.set(name, text)
    }
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => [name, JSON.parse(text) as unknown]))
}

/** Each parameter once, and of each document its hash and its paths, in which parameters are told by their place. */
function pathsIn(documents: readonly Source[]): object {
  const parameters: string[] = []
  const placeOf = (parameter: unknown) => {
    const text = JSON.stringify(parameter)
    const known = parameters.indexOf(text)
    return known < 0 ? parameters.push(text) - 1 : known
  }
  const found = documents.map(({ name, bytes }) => {
    const paths: unknown = JSON.parse(JSON.stringify(parsed(bytes).paths), (key, value) =>
      key === 'parameters' ? value.map(placeOf) : value,
    )
    const hash = createHash('sha512').update(bytes).digest('hex').toUpperCase()
    return [name.replace(/\.json$/, '').replaceAll('_', '/'), { hash, paths }] as const
  })
  const sorted = found.sort(([a], [b]) => (a < b ? -1 : 1))
  return { parameters: parameters.map((text) => JSON.parse(text) as unknown), documents: Object.fromEntries(sorted) }
}

function parsed(bytes: Uint8Array): Document {
  return JSON.parse(Buffer.from(bytes).toString()) as Document
}
