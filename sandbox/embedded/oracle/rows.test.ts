import { expect, test } from 'vitest'
import { quietCluster } from './quiet-cluster.ts'
import { allRows, answersTo, differingSteps, knownRowDifferences, recordedRows } from './recorded-rows.ts'

/**
 * What a real 1.34 API server answered to updates, patches of all four types, applies by several managers and deletions of every
 * built-in kind, one after the other (record.ts asks it again): this cluster answers the same. Of the rows each
 * RECORDED_SHARE-th is asked (1: all).
 */
const share = Number(process.env['RECORDED_SHARE'] ?? 5)

test('rows of writes are answered as a real API server has', async () => {
  const errors: unknown[] = []
  const rows = allRows().filter((_, index) => index % share === 0)
  expect(rows.length).toBeGreaterThan(30)
  await using quiet = await quietCluster((where, error) => errors.push([where, error]))
  const known = knownRowDifferences()
  const differing = differingSteps(rows, recordedRows(), await answersTo(quiet.server, rows))
  expect(differing.filter(({ title }) => !known.has(title))).toEqual([])
  expect(errors).toEqual([])
}, 240_000)
