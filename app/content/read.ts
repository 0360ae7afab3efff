/** Compiled content, read from .cache/content: the index when it changed, a body when it is first asked for. */
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import * as React from 'react'
import * as runtime from 'react/jsx-runtime'
import type { ContentIndex } from './schema.ts'

export type Body = React.ComponentType<{ components?: Record<string, unknown> }>

const folder = path.join(/* turbopackIgnore: true */ process.cwd(), '.cache/content')
const bodies = new Map<string, Promise<Body>>()
let index: { changed: number; value: Promise<ContentIndex> } | undefined

/** Throws when `npm run content:build` has not run. */
export async function contentIndex(): Promise<ContentIndex> {
  const file = path.join(folder, 'index.json')
  const { mtimeMs } = await stat(file)
  if (index?.changed !== mtimeMs)
    index = { changed: mtimeMs, value: readFile(file, 'utf8').then((text) => JSON.parse(text) as ContentIndex) }
  return index.value
}

/** The component that mdx-bundler made of a page at build time. The code is our own, from the cache that this installation built. */
export function pageBody(hash: string): Promise<Body> {
  let body = bodies.get(hash)
  if (!body) {
    body = loadBody(hash)
    bodies.set(hash, body)
  }
  return body
}

async function loadBody(hash: string): Promise<Body> {
  const { code } = JSON.parse(await readFile(path.join(folder, `${hash}.json`), 'utf8')) as { code: string }
  const evaluate = new Function('React', 'ReactDOM', '_jsx_runtime', code) as (...scope: unknown[]) => { default: Body }
  return evaluate(React, {}, runtime).default
}
