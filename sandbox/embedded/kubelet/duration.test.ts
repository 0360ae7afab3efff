import { expect, test } from 'vitest'
import { goDuration } from './duration.ts'

test.each([
  [0, '0s'],
  [345, '345ms'],
  [1234, '1.234s'],
  [10_000, '10s'],
  [80_000, '1m20s'],
  [300_000, '5m0s'],
  [3_600_000, '1h0m0s'],
])('%i ms is %s', (ms, text) => {
  expect(goDuration(ms)).toBe(text)
})
