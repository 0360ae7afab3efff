import { describe, expect, test } from 'vitest'
import { ClusterClock } from '../clock.ts'
import { latestRun, type PodRecord, PodRecords, runsOf } from './pod-record.ts'
import { podCluster } from './testing/pod-cluster.ts'

/** Records that count how often each was written. */
function counted() {
  const clock = new ClusterClock({ start: 0, rate: 0 })
  const stored = new Map<string, string>()
  let written = 0
  const put = (key: string, value: unknown) => {
    stored.set(key, JSON.stringify(value))
    written++
  }
  const records = new PodRecords({
    clock,
    records: {
      put,
      get: <T>(key: string) => JSON.parse(stored.get(key) ?? 'null') as T,
      delete: (key) => void stored.delete(key),
      keys: () => [...stored.keys()],
    },
  })
  return { clock, records, written: () => written }
}

const recordOf = (uid: string): PodRecord => ({ uid, namespace: 'default', name: uid, node: 'n', startedAt: 0, runs: [], backOff: {} })

describe('the records of pods', () => {
  test('a record that changes often is written once, as it is then', async () => {
    const { clock, records, written } = counted()
    const record = recordOf('a')
    for (let many = 0; many < 100; many++) {
      record.startedAt = many
      records.save(record)
    }
    expect(written()).toBe(0)
    await clock.advance(1000)
    expect(written()).toBe(1)
    expect(records.all()).toEqual([{ ...recordOf('a'), startedAt: 99 }])
    await clock.advance(10_000)
    expect(written()).toBe(1)
  })

  test('who reads them all reads what has just changed', () => {
    const { records } = counted()
    records.save(recordOf('a'))
    expect(records.all()).toEqual([recordOf('a')])
  })

  test('what is deleted is not written afterwards', async () => {
    const { clock, records } = counted()
    records.save(recordOf('a'))
    records.delete('a')
    await clock.advance(1000)
    expect(records.all()).toEqual([])
  })

  test('the lives of a container are found by its name, whatever it is', () => {
    const run = (id: string, name: string) => ({ id, name, image: '', specImage: '', imageID: '', restartCount: 0, uid: 0, createdAt: 0 })
    const record = { ...recordOf('a'), runs: [run('3', 'app'), run('2', 'constructor'), run('1', 'app')] }
    expect(runsOf(record, 'app').map(({ id }) => id)).toEqual(['3', '1'])
    expect(latestRun(record, 'constructor')?.id).toBe('2')
    record.runs = record.runs.slice(1)
    expect(latestRun(record, 'app')?.id).toBe('1')
    expect(latestRun(record, 'toString')).toBeUndefined()
  })
})

test('a kubelet remembers what it has told of a pod, and writes the record of many containers a few times only', async () => {
  const { runtime, boot, clock, run, records, ctx, pod } = await podCluster()
  const told: number[] = []
  const { put } = ctx.records
  let written = 0
  ctx.records.put = (key, value) => {
    if (key.startsWith('kubelet/pod/')) written++
    put(key, value)
  }
  runtime.programs.set('app', { main: (container) => container.runtime.clock.setTimeout(() => container.end(1), 1500) })
  await boot()
  const containers = Array.from({ length: 200 }, (_, index) => ({ name: `c${index}`, image: 'app' }))
  run('web', { containers })
  const patch = ctx.client.patch.bind(ctx.client)
  ctx.client.patch = ((...all: Parameters<typeof patch>) => {
    const [record] = [...records].flatMap(([key, value]) => (key.startsWith('kubelet/pod/') ? [value as PodRecord] : []))
    const [, name, changes] = all as unknown as [unknown, string, { status?: { containerStatuses?: { containerID?: string }[] } }]
    const ids = changes.status?.containerStatuses?.flatMap(({ containerID }) => containerID ?? []) ?? []
    const known = new Set(record?.runs.map(({ id }) => `containerd://${id}`))
    if (name === 'web') told.push(ids.filter((id) => !known.has(id)).length)
    return patch(...all)
  }) as typeof patch
  await clock.advance(60_000)
  expect(pod('web')?.status?.containerStatuses?.every(({ restartCount }) => restartCount > 1)).toBe(true)
  expect(told.length).toBeGreaterThan(3)
  expect(told.every((unknown) => unknown === 0)).toBe(true)
  expect(written).toBeLessThan(60)
})
