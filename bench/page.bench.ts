import { existsSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { catalog } from '../content/catalog.ts'
import type { Benchmark, Row } from './harness.ts'
import { startProduct } from './product.ts'

const root = join(import.meta.dirname, '..')

export const benchmark: Benchmark = {
  name: 'page',
  about: 'bytes of JavaScript that a lesson loads before a terminal opens',
  async run({ folder, cleanup, say }) {
    const product = cleanup.use(await startProduct(folder))
    const lesson = catalog
      .flatMap((module) => module.lessons.map((slug) => `${module.slug}/${slug}`))
      .find((path) => existsSync(join(root, 'content', path, 'en.mdx')))
    if (!lesson) throw new Error('There is no lesson')
    say(lesson)
    const page = await scriptsOf(`${product.url}/en/learn/${lesson}`)
    const bare = await scriptsOf(`${product.url}/en/sign-in`)
    const nothing = await scriptsOf(`${product.url}/en/there-is-no-such-page`)
    const row = (what: string, value: number, baseline: { what: string; value: number }, n: number, goal?: number): Row => ({
      what,
      unit: 'kB',
      value: value / 1000,
      baseline: { what: baseline.what, value: baseline.value / 1000 },
      n,
      ...(goal ? { goal } : {}),
    })
    return [
      row('lesson’s JavaScript, as sent (gzip)', page.sent, { what: 'sign-in page', value: bare.sent }, page.scripts, 150),
      row('lesson’s JavaScript, as sent (gzip)', page.sent, { what: 'page not found', value: nothing.sent }, page.scripts),
      row('lesson’s JavaScript, brotli', page.brotli, { what: 'sign-in page', value: bare.brotli }, page.scripts),
      row('lesson’s JavaScript, not compressed', page.raw, { what: 'sign-in page', value: bare.raw }, page.scripts),
      row('lesson’s HTML, as sent (gzip)', page.html, { what: 'sign-in page', value: bare.html }, 1),
    ]
  },
}

interface Bytes {
  scripts: number
  sent: number
  brotli: number
  raw: number
  html: number
}

/** What a browser loads for a page at once: every script its HTML names and every one that those preload. */
async function scriptsOf(page: string): Promise<Bytes> {
  const html = await fetchBytes(page, 'gzip')
  const text = (await fetchBytes(page, 'identity')).body.toString('utf8')
  const named = [...text.matchAll(/<script\b(?![^>]*\bnoModule\b)[^>]*\bsrc="([^"]+)"/gi)].map((match) => match[1] as string)
  const preloaded = [...text.matchAll(/<link\b[^>]*\bas="script"[^>]*\bhref="([^"]+)"/gi)].map((match) => match[1] as string)
  const bytes: Bytes = { scripts: 0, sent: 0, brotli: 0, raw: 0, html: html.body.length }
  for (const source of new Set([...named, ...preloaded])) {
    const url = new URL(source, page).href
    const plain = (await fetchBytes(url, 'identity')).body
    bytes.scripts++
    bytes.sent += (await fetchBytes(url, 'gzip')).body.length
    bytes.brotli += brotliCompressSync(plain).length
    bytes.raw += plain.length
  }
  if (bytes.scripts === 0) throw new Error(`${page} names no scripts`)
  return bytes
}

/** The bytes as they come over the wire: fetch would have unpacked them. */
function fetchBytes(url: string, encoding: string): Promise<{ body: Buffer }> {
  return new Promise((resolve, reject) => {
    get(url, { headers: { 'accept-encoding': encoding, accept: 'text/html,*/*' } }, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      const body = Buffer.concat(chunks)
      if (response.statusCode === 200 || response.statusCode === 404) resolve({ body })
      else reject(new Error(`${url} answered ${response.statusCode}`))
    }).on('error', reject)
  })
}
