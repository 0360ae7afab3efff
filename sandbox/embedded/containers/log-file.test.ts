import { setTimeout } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { Log } from './log.ts'
import { LogRecords } from './log-records.ts'
import { contentOf, type FileNode } from './vfs/node.ts'

const encode = (text: string) => new TextEncoder().encode(text)
const text = (node: FileNode) => Buffer.from(contentOf(node)).toString()

function logAt(time: { now: number }): { log: Log; files: () => Record<string, FileNode>; say: (text: string) => void } {
  const log = new Log(() => time.now)
  const files = () => Object.fromEntries(log.shown('0.log')) as Record<string, FileNode>
  return { log, files, say: (text) => log.write('stdout', encode(text)) }
}

test('a log is a file of lines as the runtime writes them, with the times that Go prints', () => {
  const time = { now: Date.UTC(2026, 10, 22, 8, 3, 54) }
  const { log, files, say } = logAt(time)
  say('whole second\n')
  time.now += 120
  say('from a terminal\r\n')
  time.now += 0.5
  log.write('stderr', encode('größer\n'))
  say('x'.repeat(16384 + 2))
  log.end()
  const node = files()['0.log'] as FileNode
  expect(text(node).split('\n')).toEqual([
    '2026-11-22T08:03:54Z stdout F whole second',
    '2026-11-22T08:03:54.12Z stdout F from a terminal',
    '2026-11-22T08:03:54.1205Z stderr F größer',
    `2026-11-22T08:03:54.1205Z stdout P ${'x'.repeat(16384)}`,
    '2026-11-22T08:03:54.1205Z stdout P xx',
    '',
  ])
  expect(node.size).toBe(contentOf(node).length)
  expect(node.mtime).toBe(time.now)
})

test('any part of it is read, in any order, while it grows', () => {
  const time = { now: 1_790_000_000_123 }
  const { files, say } = logAt(time)
  for (let line = 0; line < 50; line++) say(`line ${line}\n`)
  const node = files()['0.log'] as FileNode
  const whole = contentOf(node)
  const read = node.live?.open() as (offset: number, max: number) => Uint8Array
  for (const [offset, max] of [
    [0, 10],
    [whole.length - 5, 100],
    [333, 77],
    [40, 1],
  ] as const) {
    expect(Buffer.from(read(offset, max))).toEqual(Buffer.from(whole.subarray(offset, offset + max)))
  }
  expect(read(whole.length, 10)).toHaveLength(0)
  say('later\n')
  expect(Buffer.from(read(whole.length, 1000)).toString()).toMatch(/^2026.*Z stdout F later\n$/)
})

test('one that is put aside keeps its file for who has it open, and the older ones are packed', async () => {
  const time = { now: Date.UTC(2026, 10, 22, 8, 6, 48) }
  const { log, files, say } = logAt(time)
  say('one\n')
  const first = files()['0.log'] as FileNode
  const read = first.live?.open() as (offset: number, max: number) => Uint8Array
  const whole = text(first)
  log.putAside(2)
  say('two\n')
  expect(Object.keys(files())).toEqual(['0.log', '0.log.20261122-080648'])
  expect(files()['0.log.20261122-080648']).toBe(first)
  time.now += 20_000
  log.putAside(2)
  const names = ['0.log', '0.log.20261122-080648.gz', '0.log.20261122-080708']
  expect(Object.keys(files())).toEqual(names)
  await setTimeout(20)
  const [, packed, plain] = names.map((name) => files()[name] as FileNode) as [FileNode, FileNode, FileNode]
  expect(gunzipSync(contentOf(packed)).toString()).toBe(whole)
  expect(text(plain)).toContain('stdout F two\n')
  expect(Buffer.from(read(0, 1000)).toString()).toBe(whole)
  expect(log.size).toBe(packed.size + plain.size)
  time.now += 20_000
  log.putAside(2)
  expect(Object.keys(files())).toEqual(['0.log', '0.log.20261122-080708.gz', '0.log.20261122-080728'])
  packed.live?.remove()
  files()['0.log.20261122-080708.gz']?.live?.remove()
  expect(Object.keys(files())).toEqual(['0.log', '0.log.20261122-080728'])
})

test('what is cut off or put aside does not come back with the records', () => {
  const stored = new Map<string, unknown>()
  const records = {
    get: <T>(key: string) => stored.get(key) as T | undefined,
    put: (key: string, value: unknown) => void stored.set(key, structuredClone(value)),
    delete: (key: string) => void stored.delete(key),
    keys: (prefix: string) => [...stored.keys()].filter((key) => key.startsWith(prefix)).sort(),
  }
  const { log, files, say } = logAt({ now: 1_790_000_000_000 })
  const logs = new LogRecords(records, 'log/')
  let news = 0
  log.onNewGeneration = () => news++
  say('before\n')
  logs.save('a', log)
  files()['0.log']?.live?.truncate()
  expect([news, log.fileBytes, log.lines()]).toEqual([1, 0, []])
  logs.save('a', log)
  expect(logs.read('a')).toEqual([])
  say('between\n')
  logs.save('a', log)
  log.putAside(1)
  say('after\n')
  logs.save('a', log)
  expect(logs.read('a').map((line) => line.text)).toEqual(['after\n'])
})

test('of a removed one nothing is shown until it is opened anew', () => {
  const { log, files, say } = logAt({ now: 1_790_000_000_000 })
  say('before\n')
  files()['0.log']?.live?.remove()
  say('lost\n')
  expect([log.removed, Object.keys(files())]).toEqual([true, []])
  log.reopen()
  say('after\n')
  expect(text(files()['0.log'] as FileNode)).toMatch(/ stdout F after\n$/)
  expect(log.lines().map((line) => line.text)).toEqual(['after\n'])
})

test('where there is no room for all lines the file has the last ones', () => {
  const { log, files, say } = logAt({ now: 1_790_000_000_000 })
  const kilobytes = `${'x'.repeat(10_000)}\n`
  for (let line = 0; line < 1100; line++) say(`${line} ${kilobytes}`)
  const node = files()['0.log'] as FileNode
  const read = node.live?.open() as (offset: number, max: number) => Uint8Array
  const lines = log.lines()
  expect(lines.length).toBeLessThan(1100)
  expect(Buffer.from(read(0, 60)).toString()).toContain(`stdout F ${1100 - lines.length} xxx`)
  expect(Buffer.from(read(node.size - 10_036, 20_000)).toString()).toMatch(/^20\S+Z stdout F 1099 x+\n$/)
})
