import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { KubeObject } from '../machinery/object.ts'
import { humanDuration, toTable } from './index.ts'

interface Recorded {
  info: { group: string; version: string; resource: string }
  now: number
  object: KubeObject
  cells: unknown[]
}

const recorded = JSON.parse(readFileSync(new URL('./fixtures/rows.json', import.meta.url), 'utf8')) as Recorded[]

test.each(recorded.map((row) => [`${row.info.group}/${row.info.resource}`, row] as const))(
  'prints a row of %s as a real API server does',
  (_, { info, now, object, cells }) => {
    const table = toTable(info, [object], { now, includeObject: 'None' })
    expect(table.rows[0]?.cells).toEqual(cells)
  },
)

test.each([
  [1_000, '1s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [200_000, '3m20s'],
  [11 * 60_000, '11m'],
  [3 * 3_600_000, '3h'],
  [3 * 3_600_000 + 60_000, '3h1m'],
  [47 * 3_600_000, '47h'],
  [50 * 3_600_000, '2d2h'],
  [400 * 24 * 3_600_000, '400d'],
  [800 * 24 * 3_600_000, '2y70d'],
])('writes %d ms as %s', (milliseconds, text) => {
  expect(humanDuration(milliseconds)).toBe(text)
})

test('counts a crashing pod by its last restart, and shows why it waits', () => {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { containers: [{ name: 'c' }] },
    status: {
      phase: 'Running',
      containerStatuses: [
        {
          name: 'c',
          ready: false,
          restartCount: 3,
          state: { waiting: { reason: 'CrashLoopBackOff' } },
          lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:05:00Z' } },
        },
      ],
    },
  } as unknown as KubeObject
  const table = toTable({ group: '', version: 'v1', resource: 'pods' }, [pod], { now: Date.parse('2026-01-01T00:10:00Z') })
  expect(table.rows[0]?.cells.slice(0, 5)).toEqual(['p', '0/1', 'CrashLoopBackOff', '3 (5m ago)', '10m'])
})
