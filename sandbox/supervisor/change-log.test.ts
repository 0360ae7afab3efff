import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Sandbox, WatchEvent } from '../engine.ts'
import { ChangeLog, readChanges } from './change-log.ts'

const folder = mkdtempSync(join(tmpdir(), 'change-log-test-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A log on a sandbox that tells of ConfigMaps when it is told to. */
async function open(file: string): Promise<{ log: ChangeLog; tell: (name: string, bytes?: number) => void }> {
  let listener: (event: WatchEvent) => void = () => undefined
  const sandbox: Pick<Sandbox, 'engine' | 'watch'> = {
    engine: 'embedded',
    watch: async ({ resource }, onEvent) => {
      if (resource === 'configmaps') listener = onEvent
    },
  }
  const log = await ChangeLog.start(sandbox as Sandbox, file, (error) => {
    throw error
  })
  const tell = (name: string, bytes = 1) => {
    const metadata = { name, namespace: 'default', uid: name, resourceVersion: '1' }
    listener({ type: 'ADDED', time: 1, object: { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text: 'x'.repeat(bytes) } } })
  }
  return { log, tell }
}

const namesIn = async (file: string) =>
  (await readChanges(file)).map((change) => (change.type === 'SKIPPED' ? `skipped to ${change.to}` : change.object.metadata.name))

test('a line that a crash tore off does not take the next one with it', async () => {
  const file = join(folder, 'torn.jsonl')
  const first = await open(file)
  first.tell('kept')
  await first.log[Symbol.asyncDispose]()
  appendFileSync(file, readFileSync(file, 'utf8').slice(0, 40))
  const second = await open(file)
  second.tell('later')
  await second.log[Symbol.asyncDispose]()
  expect(await namesIn(file)).toEqual(['kept', 'later'])
})

test('a full file stays full after a restart, and takes skips of time alone', async () => {
  const file = join(folder, 'full.jsonl')
  writeFileSync(file, '')
  const first = await open(file)
  for (const part of [1, 2, 3, 4, 5]) first.tell(`part-${part}`, 5 * 2 ** 20)
  first.tell('too-much')
  await first.log[Symbol.asyncDispose]()
  const size = statSync(file).size
  const second = await open(file)
  second.tell('too-late')
  second.log.note({ type: 'SKIPPED', time: 1, to: 60_001, began: 2, ended: 3 })
  await second.log[Symbol.asyncDispose]()
  expect(await namesIn(file)).toEqual(['part-1', 'part-2', 'part-3', 'part-4', 'part-5', 'skipped to 60001'])
  expect(statSync(file).size - size).toBeLessThan(200)
})
