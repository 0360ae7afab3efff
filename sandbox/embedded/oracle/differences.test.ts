import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { readDifferences, writeDifferences } from './differences.ts'
import { knownDifferences, type Suite, suites } from './fixtures.ts'
import { knownRowDifferences } from './recorded-rows.ts'

test('whatever is known to differ from a real server has its reason', () => {
  for (const suite of Object.keys(suites) as Suite[]) {
    for (const reason of knownDifferences(suite).values()) expect(reason.length).toBeGreaterThan(20)
  }
  for (const reason of knownRowDifferences().values()) expect(reason.length).toBeGreaterThan(20)
})

test('reasons stay with what goes on to differ, and what has none comes first', () => {
  const folder = mkdtempSync(join(tmpdir(), 'differences-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = pathToFileURL(join(folder, 'known.txt'))
  writeFileSync(file, '# since it is so\nfirst\nsecond\n# for another reason\nthird\n')
  expect([...readDifferences(file)]).toEqual([
    ['first', 'since it is so'],
    ['second', 'since it is so'],
    ['third', 'for another reason'],
  ])
  writeDifferences(file, ['third', 'second'])
  expect(readFileSync(file, 'utf8')).toBe('# for another reason\nthird\n# since it is so\nsecond\n')
  writeDifferences(file, ['fourth', 'second'])
  expect(readFileSync(file, 'utf8')).toBe('fourth\n# since it is so\nsecond\n')
  expect(readDifferences(file).get('fourth')).toBe('')
})
