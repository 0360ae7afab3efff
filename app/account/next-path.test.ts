import { expect, it } from 'vitest'
import { nextPath } from './next-path.ts'

it.each([
  ['/en/labs/readiness-gate', '/en/labs/readiness-gate'],
  ['/en/me?tab=1', '/en/me?tab=1'],
  ['//evil.example', '/en'],
  ['/\\evil.example', '/en'],
  ['https://evil.example/en', '/en'],
  ['javascript:alert(1)', '/en'],
  ['en/me', '/en'],
  [undefined, '/en'],
  [['/a', '/b'], '/en'],
])('%j leads to %s', (asked, path) => {
  expect(nextPath(asked, '/en')).toBe(path)
})
