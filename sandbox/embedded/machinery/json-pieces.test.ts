import { expect, test } from 'vitest'
import { jsonPieces } from './json-pieces.ts'

const many = Array.from({ length: 2_500 }, (_, index) => ({ reason: 'FieldValueInvalid', message: `"${index}"\n`, field: [index, {}] }))
const values: Record<string, unknown> = {
  nothing: null,
  'a text': 'a "text"\n',
  'a long text': 'né"\n'.repeat(200_000),
  // one character before, so that every cut falls between the halves
  'a long text of pairs': `a${'😀'.repeat(300_000)}`,
  'a lone half': `${'a'.repeat(256 * 2 ** 10 - 1)}\ud83d`,
  'an empty object': {},
  'a short list': [1, [], {}, [{ a: undefined }]],
  'a long list': many,
  'gaps in a long list': Array.from({ length: 1_001 }, (_, index) => (index % 2 ? undefined : index)),
  'objects that are left out': { a: undefined, b: { c: undefined }, d: many, e: { f: { g: many } }, h: '' },
}

test.for(Object.entries(values))('%s is what JSON makes of it', ([, value]) => {
  for (const indent of [0, 2]) expect([...jsonPieces(value, indent)].join('')).toBe(JSON.stringify(value, null, indent))
})

test('what is long comes in many pieces', () => {
  const lengths = [...jsonPieces({ text: 'x'.repeat(2_000_000), many })].map(({ length }) => length)
  expect(lengths.length).toBeGreaterThan(10)
  expect(Math.max(...lengths)).toBeLessThan(300_000)
})
