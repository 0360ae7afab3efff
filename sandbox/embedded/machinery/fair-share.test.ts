import { expect, test } from 'vitest'
import { FairShare } from './fair-share.ts'

let time = 0

/** Takes ms of the thread. */
function busy(ms: number): void {
  time += ms
}

test('work in an idle process begins at once and gives what it gives', async () => {
  using share = new FairShare(() => time).join()
  let began = false
  const result = share.run(async () => {
    began = true
    return 7
  })
  expect(began).toBe(true)
  expect(await result).toBe(7)
  await expect(share.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
})

test('one who comes late with little to do is served before the pile of another', async () => {
  const shares = new FairShare(() => time)
  using noisy = shares.join()
  using quiet = shares.join()
  const order: string[] = []
  const work = (name: string) => async () => {
    busy(2)
    order.push(name)
  }
  const pile = Array.from({ length: 50 }, () => noisy.run(work('noisy')))
  await new Promise((resolve) => setImmediate(resolve))
  const before = order.length
  await quiet.run(work('quiet'))
  // at most what was under way, and a slice
  expect(order.indexOf('quiet') - before).toBeLessThanOrEqual(4)
  await Promise.all(pile)
  expect(order).toHaveLength(51)
})

test('two who both want all of it get as much each, however many pieces one cuts it into', async () => {
  const shares = new FairShare(() => time)
  using fine = shares.join()
  using coarse = shares.join()
  const had = { fine: 0, coarse: 0 }
  let over = false
  const work = (whose: 'fine' | 'coarse', ms: number) => async () => {
    if (over) return
    busy(ms)
    had[whose] += ms
  }
  const piles = [
    ...Array.from({ length: 400 }, () => fine.run(work('fine', 1))),
    ...Array.from({ length: 100 }, () => coarse.run(work('coarse', 4))),
  ]
  while (had.fine + had.coarse < 200) await new Promise((resolve) => setImmediate(resolve))
  over = true
  await Promise.all(piles)
  expect(had.fine / (had.fine + had.coarse)).toBeGreaterThan(0.3)
  expect(had.fine / (had.fine + had.coarse)).toBeLessThan(0.7)
})
