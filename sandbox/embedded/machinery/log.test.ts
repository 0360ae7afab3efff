import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Log, type LogEntry } from './log.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'labernetes-log-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const entry = (revision: number): LogEntry => ({
  key: `/registry/core/pods/default/p${revision % 7}`,
  time: revision * 10,
  revision,
  value: { n: revision },
})

/** As the store ends its snapshots. */
const end = (revision: number): LogEntry => ({ key: 'revision', time: revision * 10, revision })

async function read(from: string): Promise<number[]> {
  const revisions: number[] = []
  const log = await Log.open(from, ({ revision }) => revisions.push(revision))
  await log[Symbol.asyncDispose]()
  return revisions
}

test('a crash at any byte loses no acknowledged write and keeps no torn one', async () => {
  const acknowledged: { revision: number; size: number }[] = []
  const log = await Log.open(directory, () => {})
  for (let revision = 1; revision <= 40; revision++) {
    log.append(entry(revision))
    if (revision % 3 !== 0) continue
    await log.durable()
    acknowledged.push({ revision, size: (await readFile(join(directory, 'changes-000001.log'))).length })
  }
  await log.durable()
  await log[Symbol.asyncDispose]()
  const whole = (await readFile(join(directory, 'changes-000001.log'))).length

  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: whole }), async (size) => {
      const crashed = await mkdtemp(join(tmpdir(), 'labernetes-torn-'))
      try {
        await copyFile(join(directory, 'changes-000001.log'), join(crashed, 'changes-000001.log'))
        await truncate(join(crashed, 'changes-000001.log'), size)
        const kept = await read(crashed)
        expect(kept).toEqual(kept.map((_, index) => index + 1))
        const safe = acknowledged.filter((point) => point.size <= size).at(-1)?.revision ?? 0
        expect(kept.length).toBeGreaterThanOrEqual(safe)
        expect(await read(crashed)).toEqual(kept)
      } finally {
        await rm(crashed, { recursive: true, force: true })
      }
    }),
    { numRuns: 60 },
  )
})

test('a byte that went bad ends the log before its frame', async () => {
  const log = await Log.open(directory, () => {})
  for (let revision = 1; revision <= 5; revision++) log.append(entry(revision))
  await log.durable()
  await log[Symbol.asyncDispose]()
  const path = join(directory, 'changes-000001.log')
  const bytes = await readFile(path)
  bytes[bytes.length - 3] = (bytes[bytes.length - 3] as number) ^ 0xff
  await writeFile(path, bytes)
  expect(await read(directory)).toEqual([1, 2, 3, 4])
})

test('a compaction keeps the last entry of every key, and what is written during and after it', async () => {
  const log = await Log.open(directory, () => {})
  const strange = { ...entry(2), key: 'a "quoted" key, \\' }
  log.append(entry(1))
  log.append(strange)
  log.append({ ...entry(3), key: 'gone' })
  log.append({ key: 'gone', time: 40, revision: 4 })
  log.append({ ...entry(5), key: entry(1).key })
  const compaction = log.compact(end(5))
  log.append(entry(6))
  await compaction
  log.append({ ...entry(7), key: strange.key })
  await log.compact(end(7))
  log.append(entry(8))
  await log.durable()
  const history: number[] = []
  for await (const { revision } of log.history()) history.push(revision)
  await log[Symbol.asyncDispose]()
  expect(await read(directory)).toEqual([5, 7, 6, 7, 8])
  expect(history).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
})

test('a compaction waits for nothing that has still to be written', async () => {
  const log = await Log.open(directory, () => {})
  log.append(entry(1))
  await log.durable()
  await log.compact(end(1))
  await log[Symbol.asyncDispose]()
  expect(await readdir(directory)).toContain('snapshot-000002.log')
  expect(await read(directory)).toEqual([1, 1])
})

test.each(['snapshot.tmp', 'snapshot-000002.log'])('a crash while %s is written or renamed leaves a complete state', async (step) => {
  const log = await Log.open(directory, () => {})
  log.append(entry(1))
  const compaction = log.compact(end(1))
  log.append(entry(2))
  await compaction
  await log.durable()
  await log[Symbol.asyncDispose]()
  if (step === 'snapshot.tmp') {
    await copyFile(join(directory, 'snapshot-000002.log'), join(directory, 'snapshot.tmp'))
    await truncate(join(directory, 'snapshot.tmp'), 5)
    await rm(join(directory, 'snapshot-000002.log'))
  }
  expect(await readdir(directory)).toContain(step)
  expect(await read(directory)).toEqual(step === 'snapshot.tmp' ? [1, 2] : [1, 1, 2])
})
