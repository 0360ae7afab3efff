import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { definitions } from './image-table.ts'

test('the page about images names every image of the table, and none besides', async () => {
  const page = await readFile(new URL('../../../docs/images.md', import.meta.url), 'utf8')
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const named = rows.map((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => name))
  const short = (repository: string) => repository.replace(/^docker\.io\/(?:library\/)?/, '')
  expect(named.flat().sort()).toEqual(definitions.flatMap(({ repositories }) => repositories.map(short)).sort())
})
