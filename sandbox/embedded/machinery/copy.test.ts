import { expect, test } from 'vitest'
import { copyOf } from './copy.ts'

test('a copy is equal, shares nothing that can change, and can be changed though the original is frozen', () => {
  const original = Object.freeze({ name: 'a', list: Object.freeze([Object.freeze({ deep: [1, null, undefined] })]), none: undefined })
  const copy = copyOf(original)
  expect(copy).toStrictEqual(original)
  const [first] = copy.list as unknown as [{ deep: unknown[] }]
  first.deep.push('more')
  expect(original.list[0]?.deep).toHaveLength(3)
})

test('a key that names the prototype is a key like others', () => {
  const hostile = JSON.parse('{"__proto__": {"admin": true}}')
  const copy = copyOf(hostile)
  expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
  expect(JSON.stringify(copy)).toBe('{"__proto__":{"admin":true}}')
})
