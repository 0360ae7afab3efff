import { expect, test } from 'vitest'
import { goRegExp, PatternError } from './go-regexp.ts'
import { linearRegExp, PatternTimeout } from './linear-regexp.ts'

const long = `${'a'.repeat(50_000)}!`

test.each([
  ['(a+)+$', 'nested loops'],
  ['^(a|a?)+$', 'a choice in a loop'],
  ['^.*a.*b.*c$', 'several loops'],
  [`^${'a?'.repeat(30)}${'a'.repeat(50_001)}$`, 'many choices'],
])('%s finds its end: %s', (source) => {
  expect(linearRegExp(source).test(long)).toBe(false)
})

test('it finds what JavaScript finds, groups and places too, with every method', () => {
  const text = 'key=value; k2=v2; 😀=smile'.repeat(40)
  for (const [source, flags] of [
    ['(\\w+)=(?<value>\\w*)(;)?', ''],
    ['(\\w+)=(?<value>\\w*)(;)?', 'g'],
    ['(?:(\\w)+=)+v', 'gi'],
    ['^[^]*?=', 'u'],
    ['(\\s*;\\s*)+', 'g'],
  ] as const) {
    const [ours, plain] = [linearRegExp(source, flags), new RegExp(source, flags)]
    expect([ours.exec(text), ours.lastIndex]).toEqual([plain.exec(text), plain.lastIndex])
    ours.lastIndex = plain.lastIndex = 0
    expect(text.match(ours)).toEqual(text.match(plain))
    expect(text.replace(ours, '[$1]')).toBe(text.replace(plain, '[$1]'))
    expect(text.split(ours)).toEqual(text.split(plain))
  }
})

test('what refers back to what was found is given up', () => {
  expect(() => linearRegExp('^(a*)*\\1b$').test(long)).toThrow(PatternTimeout)
  expect(linearRegExp('^(a)\\1*$').test('aaaa')).toBe(true)
})

test.each([
  ['(', 'missing closing ): `(`'],
  ['a**', 'invalid nested repetition operator: `**`'],
  ['(?=a)', 'invalid or unsupported Perl syntax: `(?=`'],
  ['a{1001}', 'invalid repeat count: `{1001}`'],
])('Go refuses %s in its own words', (pattern, why) => {
  expect(() => goRegExp(pattern)).toThrow(new PatternError(`error parsing regexp: ${why}`))
})

test('Go’s expressions know its flags, classes and anchors, and take no longer than the text', () => {
  expect(goRegExp('(?i)^[[:alpha:]]+\\z').test('Abc')).toBe(true)
  expect(goRegExp('^(a+)+$').test(long)).toBe(false)
  expect(goRegExp('(?P<n>b+)').findAll('abbab', 1)).toEqual(['bb'])
})
