import { expect, test } from 'vitest'
import type { Clock } from '../../clock.ts'
import { Cpu, type Meter, nodeCores } from './cpu.ts'

let now = 1_000_000
const step = 1e7
const seconds = 60

/** A clock that the test moves. */
function clockOf(): Clock {
  now = 1_000_000
  return { now: () => now } as unknown as Clock
}

/** Cores that each of so many endless loops gets over a minute, one a container. */
function loops(clock: Clock, count: number, limit?: number): number[] {
  const all = Array.from({ length: count }, () => ({
    cpu: new Cpu(clock, limit),
    meter: { until: 0, busySince: 0 } satisfies Meter,
    at: now,
  }))
  const end = now + seconds * 1000
  while (now < end) {
    for (const one of all) if (one.at <= now) one.at = now + Math.max(1, one.cpu.charge(one.meter, step))
    now = Math.min(...all.map(({ at }) => at))
  }
  return all.map(({ cpu }) => cpu.total / 1e9 / seconds)
}

test('a loop alone has a core, and with a limit no more than that', () => {
  expect(loops(clockOf(), 1)[0]).toBeCloseTo(1, 0)
  expect(loops(clockOf(), 1, 0.2)[0]).toBeCloseTo(0.2, 1)
})

test('as many loops as the machine has cores do not slow each other', () => {
  for (const cores of loops(clockOf(), nodeCores)) expect(cores).toBeGreaterThan(0.9)
})

test('a hundred loops share the machine’s cores, all of them alike', () => {
  const cores = loops(clockOf(), 100)
  const sum = cores.reduce((total, one) => total + one, 0)
  expect(sum).toBeGreaterThan(nodeCores * 0.9)
  expect(sum).toBeLessThan(nodeCores * 1.6)
  expect(Math.max(...cores) / Math.min(...cores)).toBeLessThan(2)
})

test('who has hardly run does not wait for them', () => {
  const clock = clockOf()
  loops(clock, 100)
  expect(new Cpu(clock, undefined).charge({ until: 0, busySince: 0 }, 1e6)).toBe(0)
})
