import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { percentile, percentileRows, ratio, round, sample, table } from './harness.ts'

const root = join(import.meta.dirname, '..')

describe('percentiles', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)

  test.each([
    [0.5, 50],
    [0.99, 99],
    [1, 100],
    [0, 1],
  ])('%d of one to a hundred, in any order, is %d', (share, expected) => {
    expect(percentile(hundred, share)).toBe(expected)
  })

  test('of few samples are samples', () => {
    expect(percentile([7], 0.5)).toBe(7)
    expect(percentile([3, 1, 2], 0.5)).toBe(2)
    expect(percentile([3, 1, 2], 0.99)).toBe(3)
  })

  test('of nothing are an error', () => {
    expect(() => percentile([], 0.5)).toThrow('no samples')
  })
})

test('a ratio is to the baseline at the same percentile, and there is none to nothing', () => {
  const rows = percentileRows('ready', 'ms', [20, 30, 100], { what: 'bare', samples: [5, 10, 200] }, 25)
  expect(rows.map(ratio)).toEqual([3, 0.5])
  expect(rows.map((row) => row.goal)).toEqual([25, undefined])
  expect(ratio({ value: 3, baseline: { what: 'nothing', value: 0 } })).toBeNull()
})

test('a sample is what the work says it took, or the time that passed', async () => {
  expect(await sample(3, (index) => index * 2)).toEqual([0, 2, 4])
  expect(await sample(2, () => undefined)).toHaveLength(2)
})

test('the table shows values, ratios and whether a goal is met', () => {
  const row = { what: 'echo', unit: 'ms' as const, value: 4, baseline: { what: 'pty', value: 2 }, n: 9 }
  const lines = table([
    { ...row, goal: 5 },
    { ...row, goal: 3 },
    { ...row, goal: 19465.099725749995 },
  ]).split('\n')
  expect(lines[1]).toMatch(/^echo\s+4\.00 ms\s+pty\s+2\.00 ms\s+2\.00 x\s+met: < 5 ms\s+9$/)
  expect(lines[2]).toContain('MISSED: < 3 ms')
  expect(lines[3]).toContain('met: < 19465 ms')
  expect([round(0), round(0.01234), round(12.345), round(12345)]).toEqual(['0', '0.012', '12.3', '12345'])
})

test('every benchmark has a file, and those that README and docs name exist', async () => {
  const files = (await readdir(import.meta.dirname))
    .filter((name) => name.endsWith('.bench.ts'))
    .map((name) => name.replace('.bench.ts', ''))
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'main.ts'), '--list'])
  const listed = stdout.split('\n').flatMap((line) => line.match(/^\S+/)?.[0] ?? [])
  expect(listed.toSorted()).toEqual(files.toSorted())
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  expect(scripts['bench']).toContain('bench/main.ts')
  for (const page of await pages()) {
    const named = [...(await readFile(page, 'utf8')).matchAll(/npm run bench -- ([a-z][a-z-]*)/g)].map((match) => match[1])
    for (const name of named) expect(listed, page).toContain(name)
  }
})

async function pages(): Promise<string[]> {
  const docs = join(root, 'docs')
  const inDocs = existsSync(docs) ? (await readdir(docs, { recursive: true })).filter((name) => name.endsWith('.md')) : []
  return [join(root, 'README.md'), ...inDocs.map((name) => join(docs, name))]
}
