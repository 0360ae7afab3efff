import { expect, it } from 'vitest'
import { SortedKeys } from './sorted-keys.ts'

it('has thousands of keys in order, whichever come and go', () => {
  const keys = new SortedKeys()
  const there = new Set<string>()
  let seed = 1
  for (let step = 0; step < 6000; step++) {
    seed = (seed * 48_271) % 2_147_483_647
    const key = `${seed % 7 < 3 ? 'default' : 'kube-system'}/${seed % 1999}`
    if (there.delete(key)) keys.delete(key)
    else {
      there.add(key)
      keys.add(key)
    }
  }
  const all = [...there].sort()
  expect(all.length).toBeGreaterThan(1000)
  expect(keys.startingWith('')).toEqual(all)
  for (const prefix of ['default/', 'default/19', 'kube-system/', 'a', 'kube', 'z']) {
    expect(keys.startingWith(prefix)).toEqual(all.filter((key) => key.startsWith(prefix)))
  }
  const copy = keys.copy()
  for (const key of all) keys.delete(key)
  expect(keys.startingWith('')).toEqual([])
  expect(keys.startingWith('default/')).toEqual([])
  expect(copy.startingWith('')).toEqual(all)
})
