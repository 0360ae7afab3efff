/**
 * `npm run content:build`: compiles every lesson and lab page into .cache/content, one file a page named by the hash of its
 * source and of this compiler, and writes index.json. What has not changed is not compiled again.
 */
import { createHash } from 'node:crypto'
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { z } from 'zod'
import { catalog } from '../../content/catalog.ts'
import { type Compiled, ContentError, compile } from './compile.ts'
import { type ContentIndex, type LabPage, type LessonPage, labMatter, lessonMatter } from './schema.ts'

const root = path.resolve(import.meta.dirname, '../..')
const cache = path.join(root, '.cache/content')

/** `source`: the folder with content/ and labs/ in it. */
async function buildContent(log: (line: string) => void, source = root): Promise<ContentIndex> {
  await mkdir(cache, { recursive: true })
  const salt = await compilerSalt()
  const index: ContentIndex = { lessons: {}, labs: {} }
  let compiled = 0
  const page = async <M>(file: string, schema: z.ZodType<M>) => {
    const hash = createHash('sha256')
      .update(salt)
      .update(await readFile(file))
      .digest('hex')
      .slice(0, 20)
    const stored = path.join(cache, `${hash}.json`)
    if (await exists(stored)) return { hash, page: JSON.parse(await readFile(stored, 'utf8')) as Compiled<M> }
    const fresh = await compile(path.relative(root, file), schema)
    await writeFile(stored, JSON.stringify(fresh))
    compiled++
    return { hash, page: fresh }
  }

  const lesson = async (file: string): Promise<LessonPage> => {
    const { hash, page: one } = await page(file, lessonMatter)
    return { hash, ...one.matter, headings: one.headings, readingMinutes: one.readingMinutes }
  }
  const lab = async (file: string): Promise<LabPage> => {
    const { hash, page: one } = await page(file, labMatter)
    const unmarked = one.tasks.find((task) => !(task in one.matter.tasks))
    if (unmarked)
      throw new ContentError(path.relative(root, file), 1, `<Task id="${unmarked}" /> is not among the tasks of the front matter`)
    return { hash, ...one.matter, headings: one.headings, readingMinutes: one.readingMinutes }
  }

  for (const slug of await folders(path.join(source, 'labs'))) {
    const folder = path.join(source, 'labs', slug)
    if (!(await complete(folder))) continue
    const [en, zh] = await Promise.all([lab(path.join(folder, 'en.mdx')), lab(path.join(folder, 'zh.mdx'))])
    index.labs[slug] = { en, zh }
  }
  for (const module of catalog) {
    for (const slug of module.lessons) {
      const folder = path.join(source, 'content', module.slug, slug)
      if (!(await complete(folder))) continue
      const [en, zh] = await Promise.all([lesson(path.join(folder, 'en.mdx')), lesson(path.join(folder, 'zh.mdx'))])
      const unknown = en.labs.find((name) => !index.labs[name])
      if (unknown) log(`content/${module.slug}/${slug}: lab ${unknown} has no page yet`)
      index.lessons[`${module.slug}/${slug}`] = { en, zh }
    }
  }
  await writeFile(path.join(cache, 'index.json'), JSON.stringify(index))
  log(`content: ${Object.keys(index.lessons).length} lessons, ${Object.keys(index.labs).length} labs, ${compiled} pages compiled`)
  return index
}

/** A page must exist in both languages or in none. */
async function complete(folder: string): Promise<boolean> {
  const [en, zh] = await Promise.all([exists(path.join(folder, 'en.mdx')), exists(path.join(folder, 'zh.mdx'))])
  if (en !== zh) throw new ContentError(path.relative(root, path.join(folder, en ? 'zh.mdx' : 'en.mdx')), 1, 'this language is missing')
  return en
}

/** The compiler's own sources: a change of them compiles everything anew. */
async function compilerSalt(): Promise<Buffer> {
  const hash = createHash('sha256')
  for (const name of ['compile.ts', 'highlight.ts', 'highlight-theme.ts', 'schema.ts'])
    hash.update(await readFile(path.join(import.meta.dirname, name)))
  return hash.digest()
}

async function folders(parent: string): Promise<string[]> {
  if (!(await exists(parent))) return []
  const entries = await readdir(parent, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}

if (import.meta.main) {
  try {
    await buildContent((line) => console.log(line))
  } catch (error) {
    if (!(error instanceof ContentError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
