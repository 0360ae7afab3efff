import { expect, test } from 'vitest'
import { compareKeys, goYaml } from './go-yaml.ts'

test('keys come in the order in which a real API server was seen to write them', () => {
  const seen = ['1', '2', '02', 'Ab', 'B', 'a-c', 'a.b', 'a_b', 'a9', 'a10', 'a1b', 'aB', 'ab', 'y']
  expect(seen.toReversed().toSorted(compareKeys)).toEqual(seen)
  expect(goYaml({ kind: 'A', apiVersion: 'v1', items: [{ metadata: {}, data: {} }] })).toBe(
    'apiVersion: v1\nitems:\n- data: {}\n  metadata: {}\nkind: A\n',
  )
})
