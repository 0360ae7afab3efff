import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { compile } from './compile.ts'
import { labMatter, lessonMatter } from './schema.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'content-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function page(text: string): Promise<string> {
  const file = path.join(folder, `${crypto.randomUUID()}.mdx`)
  await writeFile(file, text)
  return file
}

const front = '---\ntitle: T\nsummary: S\nminutes: 5\n---\n'

it('finds headings, tasks and the time to read', async () => {
  const file = await page(`${front}## One\n\ntext\n\n### One and a half\n\n<Task id="t1" />\n\n## Two \`code\`\n`)
  const { matter, headings, tasks, readingMinutes } = await compile(file, lessonMatter)
  expect(matter).toEqual({ title: 'T', summary: 'S', minutes: 5, labs: [] })
  expect(headings.map(({ text, depth }) => [text, depth])).toEqual([
    ['One', 2],
    ['One and a half', 3],
    ['Two code', 2],
  ])
  expect(tasks).toEqual(['t1'])
  expect(readingMinutes).toBe(1)
})

it('turns a fence marked run into a command, coloured at build', async () => {
  const { code } = await compile(await page(`${front}\`\`\`sh run\nkubectl get pods\n\`\`\`\n`), lessonMatter)
  expect(code).toContain('command:"kubectl get pods"')
  expect(code).toContain('var(--code-key)')
})

it('keeps the node that a command belongs on', async () => {
  const { code } = await compile(await page(`${front}\`\`\`sh run node=worker2\nip link\n\`\`\`\n`), lessonMatter)
  expect(code).toContain('node:"worker2"')
})

it.each([
  ['no front matter', 'text', ':1: front matter is missing'],
  ['a wrong value', '---\ntitle: T\nsummary: S\nminutes: soon\n---\n', ':4: minutes: '],
  ['an unknown key', '---\ntitle: T\nsummary: S\nminutes: 5\nlevel: 3\n---\n', 'level'],
  ['broken YAML', '---\ntitle: T\nsummary: "S\nminutes: 5\n---\n', /:[345]: /],
  ['broken MDX', `${front}\ntext <Callout>\n`, /\.mdx:[78]: /],
])('names file and line of %s', async (_what, text, expected) => {
  const file = await page(text)
  const fault = (await compile(file, lessonMatter).catch((error: Error) => error)) as Error
  expect(fault.message).toMatch(expected)
  expect(fault.message.startsWith(file)).toBe(true)
})

it('names the line of a hint that is empty', async () => {
  const file = await page('---\ntitle: T\nsummary: S\ntasks:\n  t1:\n    title: A\n    hints:\n      - ""\n---\n')
  await expect(compile(file, labMatter)).rejects.toThrow(`${file}:8: tasks.t1.hints.0: `)
})
