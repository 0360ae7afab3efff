/**
 * Merges the component schemas of a Kubernetes API server's OpenAPI v3 documents into ../openapi.json.gz, each once.
 * Run by `npm run generate:schema -- <folder of documents>`; without a folder the file stays as it is.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

interface Document {
  components?: { schemas?: Record<string, unknown> }
}

const folder = process.argv[2]
if (folder) writeFileSync(join(import.meta.dirname, '..', 'openapi.json.gz'), gzipSync(JSON.stringify(schemasIn(folder)), { level: 9 }))

function schemasIn(path: string): Record<string, unknown> {
  const found = new Map<string, string>()
  for (const file of readdirSync(path).filter((name) => name.endsWith('.json'))) {
    const document = JSON.parse(readFileSync(join(path, file), 'utf8')) as Document
    for (const [name, schema] of Object.entries(document.components?.schemas ?? {})) {
      const text = JSON.stringify(schema)
      const before = found.get(name)
      if (before !== undefined && before !== text) throw new Error(`${file} describes ${name} differently from another document`)
      found.set(name, text)
    }
  }
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => [name, JSON.parse(text) as unknown]))
}
