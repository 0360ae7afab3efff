/**
 * `node app/lesson-bytes.ts http://127.0.0.1:3000/en/learn/probes/running-is-not-ready`: what the browser fetches as JavaScript
 * before it does anything, compressed (gzip, as the server sends it).
 */
import { gzipSync } from 'node:zlib'

/** Bytes of all scripts that a page's HTML names, compressed and as they are. Throws when one cannot be fetched. */
async function scriptBytes(page: string): Promise<{ scripts: number; compressed: number; raw: number }> {
  const html = await (await fetchOk(page)).text()
  const sources = new Set([...html.matchAll(/<script\b(?![^>]*\bnoModule\b)[^>]*\bsrc="([^"]+)"/gi)].map((match) => match[1]!))
  let compressed = 0
  let raw = 0
  for (const source of sources) {
    const bytes = new Uint8Array(await (await fetchOk(new URL(source, page))).arrayBuffer())
    raw += bytes.length
    compressed += gzipSync(bytes).length
  }
  return { scripts: sources.size, compressed, raw }
}

async function fetchOk(url: string | URL): Promise<Response> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return response
}

if (import.meta.main) console.log(await scriptBytes(process.argv[2]!))
