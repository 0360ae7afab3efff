import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { routes } from '../platform/routes.ts'

const root = path.resolve(import.meta.dirname, '..')
const byServer = ['GET /metrics', 'WS /ws/terminal']

it('every route handler and socket has a row, and every row leads somewhere', async () => {
  const found = [...(await handlers()), ...byServer]
  expect(routes.map((route) => `${route.method} ${route.path}`).sort()).toEqual(found.sort())
})

it('the server answers for nothing else than what is listed here', async () => {
  const server = (await Promise.all((await sources('server')).map((file) => readFile(file, 'utf8')))).join('\n')
  const paths = [...server.matchAll(/[!=]== '(\/[a-z/-]+)'/g)].map((match) => match[1])
  expect([...new Set(paths)].sort()).toEqual(['/api/health', '/metrics', '/ws/terminal'])
})

/** "POST /api/attempts/[id]/reset" for every exported handler below app/. */
async function handlers(): Promise<string[]> {
  const files = (await sources('app')).filter((file) => /[/\\]route\.tsx?$/.test(file))
  const lists = await Promise.all(
    files.map(async (file) => {
      const folders = path.relative(path.join(root, 'app'), path.dirname(file)).split(path.sep)
      const url = `/${folders.filter((folder) => !folder.startsWith('(')).join('/')}`
      const module = await readFile(file, 'utf8')
      return [...module.matchAll(/^export (?:async function|function|const) ([A-Z]+)\b/gm)].map((match) => `${match[1]} ${url}`)
    }),
  )
  return lists.flat()
}

async function sources(folder: string): Promise<string[]> {
  const entries = await readdir(path.join(root, folder), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name) && !entry.name.includes('.test.'))
    .map((entry) => path.join(entry.parentPath, entry.name))
}
