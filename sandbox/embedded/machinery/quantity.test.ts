import { describe, expect, it } from 'vitest'
import { addQuantities, formatQuantity, parseQuantity } from './quantity.ts'

describe('quantities', () => {
  for (const [text, canonical] of [
    ['0', '0'],
    ['100m', '100m'],
    ['0.1', '100m'],
    ['1000m', '1'],
    ['1.5Gi', '1536Mi'],
    ['1024Mi', '1Gi'],
    ['512Ki', '512Ki'],
    ['1000k', '1M'],
    ['1e3', '1e3'],
    ['12e6', '12e6'],
    ['.5', '500m'],
    ['-2Gi', '-2Gi'],
    ['500Mi', '500Mi'],
    ['1023', '1023'],
  ] as const) {
    it(`prints ${text} as ${canonical}`, () => {
      expect(formatQuantity(parseQuantity(text))).toBe(canonical)
    })
  }

  it('adds in the notation of the first', () => {
    expect(formatQuantity(addQuantities(parseQuantity('1Gi'), parseQuantity('512Mi')))).toBe('1536Mi')
    expect(formatQuantity(addQuantities(parseQuantity('0'), parseQuantity('64Mi')))).toBe('64Mi')
    expect(formatQuantity(addQuantities(parseQuantity('900m'), parseQuantity('100m')))).toBe('1')
  })

  it('refuses what is none', () => {
    for (const text of ['', '1Zi', 'ten', '1 Gi', '.']) expect(() => parseQuantity(text)).toThrow(RangeError)
  })
})
