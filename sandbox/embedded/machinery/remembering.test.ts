import { expect, test } from 'vitest'
import { remembering } from './remembering.ts'

test('an answer is made once, until there are too many, and of long texts each time', () => {
  const made: string[] = []
  const upper = remembering(
    (text) => {
      made.push(text)
      if (text === '') throw new Error('nothing')
      return text.toUpperCase()
    },
    { most: 2, longest: 3 },
  )
  expect(['a', 'a', 'b', 'a', 'long', 'long'].map(upper)).toEqual(['A', 'A', 'B', 'A', 'LONG', 'LONG'])
  expect(made.splice(0)).toEqual(['a', 'b', 'long', 'long'])
  expect(['c', 'a', 'c'].map(upper)).toEqual(['C', 'A', 'C'])
  expect(made.splice(0)).toEqual(['c', 'a'])
  for (let times = 0; times < 2; times++) expect(() => upper('')).toThrow('nothing')
  expect(made).toEqual(['', ''])
})
