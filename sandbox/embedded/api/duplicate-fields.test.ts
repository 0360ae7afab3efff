import { expect, it } from 'vitest'
import { LineCounter, parseDocument } from 'yaml'
import { duplicatesInJson, duplicatesInYaml } from './duplicate-fields.ts'

it.each([
  ['{"spec":{"replicas":2,"replicas":3}}', ['duplicate field "spec.replicas"']],
  ['{"a":[{"b":1},{"b":1,"b":2}]}', ['duplicate field "a[1].b"']],
  ['{"a":"b\\"a\\":","c":{"a":1},"c" : 2}', ['duplicate field "c"']],
  ['{"a":1,"\\u0061":2}', ['duplicate field "a"']],
  ['{"a":["b","b"],"b":"b"}', []],
])('finds what stands twice in %s', (text, expected) => {
  expect(duplicatesInJson(text)).toEqual(expected)
})

it('tells the line of a key that stands twice in YAML', () => {
  const lineCounter = new LineCounter()
  const document = parseDocument('\nspec:\n  foo: 1\n  list:\n  - a: 1\n    a: 2\n  foo: 2\n', { uniqueKeys: false, lineCounter })
  expect(duplicatesInYaml(document, lineCounter)).toEqual([
    'yaml: unmarshal errors:\n  line 6: key "a" already set in map\n  line 7: key "foo" already set in map',
  ])
})
