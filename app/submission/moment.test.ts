import { expect, it } from 'vitest'
import { findMoment, momentHash, momentOf } from './moment.ts'

const recording = (timestamp: number, ...events: [number, string, string][]) =>
  [{ version: 2, width: 80, height: 24, timestamp }, ...events].map((line) => JSON.stringify(line)).join('\n')

it('finds the terminal that showed something when it was, and the second in it', () => {
  const first = recording(1_000, [1, 'o', '$ '], [60, 'o', 'created'], [61, 'm', 'a mark'])
  const second = recording(1_030, [2, 'o', '$ '], [90, 'o', 'deleted'])
  expect(findMoment([first, second], 1_060_200)).toEqual({ index: 0, second: 60.2 })
  expect(findMoment([first, second], 1_121_000)).toEqual({ index: 1, second: 91 })
  expect(findMoment([first, second], 1_031_000)).toEqual({ index: 1, second: 1 })
})

it('finds nothing where nothing was shown, and never a second before the beginning', () => {
  expect(findMoment([], 5)).toBeNull()
  expect(findMoment([recording(1_000), ''], 1_000_000)).toBeNull()
  expect(findMoment([recording(1_000, [1, 'o', '$ '])], 990_000)).toEqual({ index: 0, second: 0 })
})

it('passes over what cannot be read', () => {
  const torn = `${recording(1_000, [1, 'o', '$ '], [60, 'o', 'created'])}\n[61.5,"o","dele`
  expect(findMoment(['', 'no recording', torn], 1_061_000)).toEqual({ index: 2, second: 61 })
})

it('stands in the address', () => {
  expect(momentOf(momentHash(1_763_744_000_123))).toBe(1_763_744_000_123)
  expect(momentOf('#tasks')).toBeNull()
  expect(momentOf('')).toBeNull()
})
