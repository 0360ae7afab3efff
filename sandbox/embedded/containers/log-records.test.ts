import { expect, test } from 'vitest'
import type { Records } from '../machinery/context.ts'
import { Log } from './log.ts'
import { LogRecords } from './log-records.ts'

function memory(): { records: Records; stored: Map<string, string>; written: () => number } {
  const stored = new Map<string, string>()
  let bytes = 0
  const records: Records = {
    get: <T>(key: string) => (stored.has(key) ? (JSON.parse(stored.get(key) as string) as T) : undefined),
    put: (key, value) => {
      const text = JSON.stringify(value)
      bytes += text.length
      stored.set(key, text)
    },
    delete: (key) => void stored.delete(key),
    keys: (prefix) => [...stored.keys()].filter((key) => key.startsWith(prefix)).sort(),
  }
  return { records, stored, written: () => bytes }
}

const encode = (text: string) => new TextEncoder().encode(text)

test('what a container wrote comes back, whatever was recorded when', () => {
  const { records } = memory()
  const log = new Log(() => 1000)
  const logs = new LogRecords(records, 'log/')
  for (let line = 0; line < 100; line++) {
    log.write('stdout', encode(`line ${line}\n`))
    if (line % 7 === 0) logs.save('a', log)
  }
  logs.save('a', log)
  const later = new LogRecords(records, 'log/')
  expect(later.read('a')).toEqual(log.lines())
  const resumed = new Log(() => 2000, later.read('a'))
  resumed.write('stderr', encode('again\n'))
  later.save('a', resumed)
  expect(new LogRecords(records, 'log/').read('a')).toEqual(resumed.lines())
  later.delete('a')
  expect(later.read('a')).toEqual([])
})

test('a line costs the record of a few, and the oldest go when there is more than is kept', () => {
  const { records, stored, written } = memory()
  const log = new Log(() => 1000)
  const logs = new LogRecords(records, 'log/')
  const add = () => {
    log.write('stdout', encode(`${'x'.repeat(100)}\n`))
    logs.save('a', log)
  }
  for (let line = 0; line < 2_000; line++) add()
  const before = written()
  add()
  expect(written() - before).toBeLessThan(2_000)
  const kept = [...stored.values()].reduce((sum, text) => sum + text.length, 0)
  expect(kept).toBeGreaterThan(50_000)
  expect(kept).toBeLessThan(100_000)
  expect(logs.read('a')).toEqual(log.lines().slice(-logs.read('a').length))
})

test('of very much at once the end is recorded', () => {
  const { records } = memory()
  const log = new Log(() => 1000)
  const logs = new LogRecords(records, 'log/')
  logs.save('a', log)
  log.write('stdout', encode(`${'y'.repeat(1000)}\n`.repeat(500)))
  log.write('stdout', encode('the end\n'))
  logs.save('a', log)
  expect(logs.read('a').at(-1)?.text).toBe('the end\n')
  expect(logs.read('a').length).toBeLessThan(100)
})
