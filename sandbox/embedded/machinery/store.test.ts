import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ClusterClock } from '../clock.ts'
import type { KubeObject } from './object.ts'
import { Store, type StoredChange } from './store.ts'

const clock = new ClusterClock({ start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 })
const fail = (error: unknown) => {
  throw error
}
const object = (name: string, data: Record<string, unknown> = {}): KubeObject & Record<string, unknown> => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'default' },
  ...data,
})

test('each write has the next revision, and an object carries the one that wrote it', () => {
  const store = new Store(clock, fail)
  expect(store.put('configmaps', 'default/a', object('a')).metadata.resourceVersion).toBe('1')
  expect(store.put('configmaps', 'default/b', object('b')).metadata.resourceVersion).toBe('2')
  expect(store.remove('configmaps', 'default/a')?.metadata.resourceVersion).toBe('3')
  expect(store.list('configmaps').map(({ metadata }) => metadata.name)).toEqual(['b'])
})

test('a version shares with the one before it what did not change', () => {
  const store = new Store(clock, fail)
  const first = store.put('configmaps', 'default/a', object('a', { data: { x: '1' }, more: { y: ['2'] } })) as KubeObject &
    Record<string, unknown>
  const second = store.put('configmaps', 'default/a', object('a', { data: { x: '9' }, more: { y: ['2'] } })) as KubeObject &
    Record<string, unknown>
  expect(second['more']).toBe(first['more'])
  expect(second['data']).toEqual({ x: '9' })
  expect(Object.isFrozen(second['data'])).toBe(true)
})

test('a list at an earlier revision is what it was then', () => {
  const store = new Store(clock, fail)
  store.put('configmaps', 'default/a', object('a'))
  store.put('configmaps', 'default/b', object('b', { data: { x: '1' } }))
  const then = store.revision
  const before = store.list('configmaps')
  store.put('configmaps', 'default/b', object('b', { data: { x: '2' } }))
  store.remove('configmaps', 'default/a')
  store.put('configmaps', 'default/c', object('c'))
  expect(store.listAt('configmaps', then)).toEqual(before)
})

test('a revision that the window has forgotten is expired', () => {
  const store = new Store(clock, fail)
  for (let n = 0; n < 6000; n++) store.put('configmaps', 'default/a', object('a', { n }))
  expect(() => store.changesSince('configmaps', 1)).toThrow('too old resource version')
  expect(store.changesSince('configmaps', 5990)).toHaveLength(10)
})

test('the past before the last compaction cannot be listed any more, yet watched', async () => {
  const now = new ClusterClock({ start: Date.parse('2030-01-01T00:00:00Z'), rate: 0 })
  const store = new Store(now, fail)
  store.put('configmaps', 'default/a', object('a'))
  const then = store.revision
  store.put('configmaps', 'default/b', object('b'))
  await now.advance(299_000)
  expect(store.listAt('configmaps', then)).toHaveLength(1)
  await now.advance(2_000)
  expect(() => store.listAt('configmaps', then)).toThrow('too old resource version')
  expect(store.changesSince('configmaps', then)).toHaveLength(1)
})

test('a listener that writes hears its own change after all others have heard the first', () => {
  const store = new Store(clock, fail)
  const heard: string[] = []
  const note = (who: string) => (change: StoredChange) => heard.push(`${who} ${change.revision}`)
  store.subscribe('configmaps', (change) => {
    note('one')(change)
    if (change.revision === 1) store.put('configmaps', 'default/b', object('b'))
  })
  store.subscribe('configmaps', note('two'))
  store.put('configmaps', 'default/a', object('a'))
  expect(heard).toEqual(['one 1', 'two 1', 'one 2', 'two 2'])
})

test('what is written together has one revision, and is heard of when all of it is there', () => {
  const store = new Store(clock, fail)
  store.put('configmaps', 'default/a', object('a'))
  const heard: unknown[] = []
  store.subscribe('configmaps', ({ type, key, revision }) => {
    heard.push([type, key, revision, store.list('configmaps').length])
    if (key === 'default/a' && type === 'DELETED') store.put('configmaps', 'default/d', object('d'))
  })
  const stored = store.together(() => {
    store.remove('configmaps', 'default/a')
    store.put('configmaps', 'default/b', object('b'))
    return store.together(() => store.put('configmaps', 'default/c', object('c')))
  })
  expect(stored.metadata.resourceVersion).toBe('2')
  expect(heard).toEqual([
    ['DELETED', 'default/a', 2, 2],
    ['ADDED', 'default/b', 2, 3],
    ['ADDED', 'default/c', 2, 3],
    ['ADDED', 'default/d', 3, 3],
  ])
  expect(store.listAt('configmaps', 1).map(({ metadata }) => metadata.name)).toEqual(['a'])
  expect(store.changesSince('*', 1)).toHaveLength(4)
  store.together(() => undefined)
  expect(store.revision).toBe(3)
})

test('neither a fork nor its original sees what the other writes', () => {
  const store = new Store(clock, fail)
  store.put('configmaps', 'default/a', object('a'))
  store.records.put('file', { content: 'x' })
  const fork = store.fork(clock, fail)
  fork.put('configmaps', 'default/b', object('b'))
  store.put('configmaps', 'default/c', object('c'))
  fork.records.put('file', { content: 'y' })
  expect(store.list('configmaps').map(({ metadata }) => metadata.name)).toEqual(['a', 'c'])
  expect(fork.list('configmaps').map(({ metadata }) => metadata.name)).toEqual(['a', 'b'])
  expect(store.records.get('file')).toEqual({ content: 'x' })
})

test('a store opened again has its objects, records, revision and history', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'labernetes-store-'))
  try {
    const store = await Store.open(directory, clock, fail)
    store.put('deployments.apps', 'default/a', object('a'))
    store.put('deployments.apps', 'default/a', object('a', { data: { x: '1' } }))
    store.put('namespaces', 'gone', object('gone'))
    store.remove('namespaces', 'gone')
    store.records.put('file', [1, 2])
    await store.durable()
    await store[Symbol.asyncDispose]()
    const again = await Store.open(directory, clock, fail)
    expect(again.revision).toBe(4)
    expect(again.get('deployments.apps', 'default/a')).toMatchObject({ data: { x: '1' }, metadata: { resourceVersion: '2' } })
    expect(again.count('namespaces')).toBe(0)
    expect(again.records.get('file')).toEqual([1, 2])
    expect((await again.history()).map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'ADDED', 'DELETED'])
    await again[Symbol.asyncDispose]()
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

test('an index finds objects by what they say, in the order of their keys, and follows every write', () => {
  const store = new Store(clock, fail)
  const byColor = (object: KubeObject) => [(object as unknown as { color: string }).color]
  const named = (of: Store, color: string) => of.indexed('configmaps', byColor, color).map(({ metadata }) => metadata.name)
  expect(named(store, 'red')).toEqual([])
  store.put('configmaps', 'default/b', object('b', { color: 'red' }))
  expect(named(store, 'red')).toEqual(['b'])
  store.put('configmaps', 'default/a', object('a', { color: 'red' }))
  store.put('configmaps', 'default/c', object('c', { color: 'blue' }))
  expect(named(store, 'red')).toEqual(['a', 'b'])
  const fork = store.fork(clock, fail)
  store.put('configmaps', 'default/b', object('b', { color: 'blue' }))
  store.remove('configmaps', 'default/a')
  expect(named(store, 'red')).toEqual([])
  expect(named(store, 'blue')).toEqual(['b', 'c'])
  expect(named(fork, 'red')).toEqual(['a', 'b'])
})
