import { expect, test } from 'vitest'
import { ClusterClock } from './clock.ts'

test('hundreds have their turns one after the other, and others are heard in between', async () => {
  using clock = new ClusterClock({ start: 0, rate: 0 })
  const done: number[] = []
  let rounds = 0
  let counting = true
  const count = () => {
    rounds++
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  await Promise.all(Array.from({ length: 200 }, (_, index) => clock.turn().then(() => done.push(index))))
  counting = false
  expect(done).toEqual(Array.from({ length: 200 }, (_, index) => index))
  expect(rounds).toBeGreaterThanOrEqual(20)
})

test('at real time a few who have much to do let others in between', async () => {
  using clock = new ClusterClock()
  const order: string[] = []
  const work = (name: string) => {
    order.push(name)
    for (const began = performance.now(); performance.now() - began < 10; );
  }
  const turns = ['one', 'two', 'three'].map((name) => clock.turn().then(() => work(name)))
  const ask = () => {
    order.push('heard')
    if (order.length < 6) setImmediate(ask)
  }
  setImmediate(ask)
  await Promise.all(turns)
  expect(order.filter((each) => each !== 'heard')).toEqual(['one', 'two', 'three'])
  expect(order.slice(order.indexOf('one'), order.indexOf('two'))).toContain('heard')
  expect(order.slice(order.indexOf('two'), order.indexOf('three'))).toContain('heard')
})

test('time stands still while somebody waits for a turn that was announced', async () => {
  using clock = new ClusterClock({ start: 0, rate: 0 })
  const seen: number[] = []
  clock.setTimeout(() => {
    for (let index = 0; index < 100; index++) void clock.during(clock.turn().then(() => seen.push(clock.now())))
  }, 1000)
  clock.setTimeout(() => seen.push(clock.now()), 2000)
  await clock.advance(3000)
  expect(seen).toEqual([...Array.from({ length: 100 }, () => 1000), 2000])
})
