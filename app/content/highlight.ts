/**
 * A rehype step that colours fenced code while content is built, for both themes at once (CSS variables), and turns a
 * fence marked `run` into <Run command="…">. No highlighter reaches the browser.
 */
import type { Element, ElementContent, Root, RootContent } from 'hast'
import { bundledLanguages, createHighlighter, type Highlighter } from 'shiki'
import { inkTheme } from './highlight-theme.ts'

type Node = Root | RootContent
interface JsxElement {
  type: 'mdxJsxFlowElement'
  name: string
  attributes: { type: 'mdxJsxAttribute'; name: string; value: string }[]
  children: ElementContent[]
}

let highlighter: Promise<Highlighter> | undefined

export function rehypeHighlight(): (tree: Root) => Promise<void> {
  return async (tree) => {
    highlighter ??= createHighlighter({ themes: [inkTheme], langs: [] })
    const shiki = await highlighter
    await eachPre(tree, async (pre, code) => {
      const language = languageOf(code)
      const meta = metaOf(code)
      const text = textOf(code).replace(/\n$/, '')
      if (language !== 'text') await shiki.loadLanguage(bundledLanguages[language as keyof typeof bundledLanguages])
      const lit = shiki.codeToHast(text, { lang: language, theme: inkTheme.name })
      const lines = lit.children.find((child): child is Element => child.type === 'element')?.children[0] as Element
      markLines(lines, meta)
      const figure: Element = {
        type: 'element',
        tagName: 'pre',
        properties: { 'data-language': languageName(code), tabIndex: 0 },
        children: [{ ...lines, properties: {} }],
      }
      const title = /title="([^"]*)"/.exec(meta)?.[1]
      const node = /\bnode=([\w-]+)/.exec(meta)?.[1]
      if (/\brun\b/.test(meta)) return jsx('Run', { command: text, ...(node ? { node } : {}) }, [figure])
      if (title) return jsx('Listing', { title }, [figure])
      return Object.assign(pre, figure)
    })
  }
}

async function eachPre(node: Node, change: (pre: Element, code: Element) => Promise<Element | JsxElement>): Promise<void> {
  if (!('children' in node)) return
  for (const [index, child] of node.children.entries()) {
    const code = child.type === 'element' && child.tagName === 'pre' ? child.children[0] : undefined
    if (code?.type === 'element' && code.tagName === 'code') {
      node.children[index] = (await change(child as Element, code)) as Element
    } else {
      await eachPre(child, change)
    }
  }
}

function languageName(code: Element): string {
  const classes = code.properties.className
  const found = Array.isArray(classes) ? classes.find((name) => String(name).startsWith('language-')) : undefined
  return found ? String(found).slice('language-'.length) : 'text'
}

function languageOf(code: Element): string {
  const name = languageName(code)
  if (name === 'console' || name === 'text' || name === 'txt') return 'text'
  return name in bundledLanguages ? name : 'text'
}

/** What stands after the language in a fence; remark-rehype leaves it in the element's data. */
function metaOf(code: Element): string {
  const data = code.data as { meta?: unknown } | undefined
  return typeof data?.meta === 'string' ? data.meta : ''
}

function textOf(node: ElementContent): string {
  if (node.type === 'text') return node.value
  return 'children' in node ? node.children.map((child) => textOf(child as ElementContent)).join('') : ''
}

/** `{2,4-6}` in a fence's meta marks those lines. */
function markLines(code: Element, meta: string): void {
  const ranges = /\{([\d,\s-]+)\}/.exec(meta)?.[1]
  if (!ranges) return
  const marked = new Set<number>()
  for (const range of ranges.split(',')) {
    const [from, to] = range.split('-').map(Number)
    for (let line = from!; line <= (to ?? from!); line++) marked.add(line)
  }
  code.children
    .filter((child): child is Element => child.type === 'element')
    .forEach((line, index) => {
      if (marked.has(index + 1)) line.properties['data-marked'] = ''
    })
}

function jsx(name: string, attributes: Record<string, string>, children: ElementContent[]): JsxElement {
  return {
    type: 'mdxJsxFlowElement',
    name,
    attributes: Object.entries(attributes).map(([key, value]) => ({ type: 'mdxJsxAttribute', name: key, value })),
    children,
  }
}
