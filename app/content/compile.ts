/** One .mdx file to its front matter, headings and code. Errors name the file and the line. */
import { readFile } from 'node:fs/promises'
import matter from 'gray-matter'
import type { Element, Root, RootContent } from 'hast'
import { bundleMDX } from 'mdx-bundler'
import rehypeSlug from 'rehype-slug'
import remarkGfm from 'remark-gfm'
import { parseDocument } from 'yaml'
import type { z } from 'zod'
import { rehypeHighlight } from './highlight.ts'
import type { Heading } from './schema.ts'

export interface Compiled<M> {
  matter: M
  code: string
  headings: Heading[]
  readingMinutes: number
  /** Names of the tasks that the body marks with <Task id="…">. */
  tasks: string[]
}

export async function compile<M>(file: string, schema: z.ZodType<M>): Promise<Compiled<M>> {
  const source = await readFile(file, 'utf8')
  const front = parseMatter(file, source, schema)
  const { content } = matter(source)
  const headings: Heading[] = []
  const result = await bundleMDX({
    source,
    mdxOptions: (options) => ({
      ...options,
      remarkPlugins: [...(options.remarkPlugins ?? []), remarkGfm],
      rehypePlugins: [...(options.rehypePlugins ?? []), rehypeSlug, () => collectHeadings(headings), rehypeHighlight],
    }),
    esbuildOptions: (options) => ({ ...options, minify: true, logLevel: 'silent' }),
  }).catch((error: unknown) => {
    throw new ContentError(file, lineOf(error), message(error), { cause: error })
  })
  const tasks = [...content.matchAll(/<Task\s+id="([^"]+)"/g)].map((match) => match[1]!)
  return { matter: front, code: result.code, headings, readingMinutes: readingMinutes(content), tasks }
}

export class ContentError extends Error {
  constructor(file: string, line: number, text: string, options?: ErrorOptions) {
    super(`${file}:${line}: ${text}`, options)
    this.name = 'ContentError'
  }
}

function parseMatter<M>(file: string, source: string, schema: z.ZodType<M>): M {
  const block = /^---\r?\n([\s\S]*?)\r?\n---/.exec(source)?.[1]
  if (block === undefined) throw new ContentError(file, 1, 'front matter is missing')
  const document = parseDocument(block)
  const fault = document.errors[0]
  if (fault) throw new ContentError(file, (fault.linePos?.[0].line ?? 1) + 1, fault.message.split('\n')[0]!, { cause: fault })
  const parsed = schema.safeParse(document.toJS())
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw new ContentError(file, lineOfPath(block, document, issue.path), `${issue.path.join('.') || 'front matter'}: ${issue.message}`)
}

/** The line on which the deepest part of a path that exists begins (2 is the first after `---`). */
function lineOfPath(block: string, document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth > 0; depth--) {
    const node = document.getIn(path.slice(0, depth) as (string | number)[], true) as { range?: [number, number, number] } | undefined
    if (node?.range) return block.slice(0, node.range[0]).split('\n').length + 1
  }
  return 2
}

function collectHeadings(into: Heading[]): (tree: Root) => void {
  return (tree) => {
    for (const node of tree.children) {
      if (node.type !== 'element' || (node.tagName !== 'h2' && node.tagName !== 'h3')) continue
      into.push({ id: String(node.properties.id), text: plain(node), depth: node.tagName === 'h2' ? 2 : 3 })
    }
  }
}

function plain(node: RootContent | Element): string {
  if (node.type === 'text') return node.value
  return 'children' in node ? node.children.map(plain).join('') : ''
}

/** 220 English words or 400 Chinese characters a minute. */
function readingMinutes(text: string): number {
  const characters = text.match(/\p{Script=Han}/gu)?.length ?? 0
  const words = text.replace(/\p{Script=Han}/gu, ' ').match(/[\p{L}\p{N}]+/gu)?.length ?? 0
  return Math.max(1, Math.round(words / 220 + characters / 400))
}

function lineOf(error: unknown): number {
  const first = (error as { errors?: { location?: { line?: number } }[] }).errors?.[0]
  return first?.location?.line ?? (error as { line?: number }).line ?? 1
}

function message(error: unknown): string {
  const first = (error as { errors?: { text?: string }[] }).errors?.[0]
  return first?.text ?? (error instanceof Error ? error.message : String(error))
}
