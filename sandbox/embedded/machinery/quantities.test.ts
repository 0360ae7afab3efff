import { describe, expect, it } from 'vitest'
import { formatQuantity, parseQuantity, QuantityError } from '../schema/quantity.ts'
import { addQuantities } from './quantities.ts'

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

  it('reads no more than the largest amount, however large the exponent', () => {
    expect(parseQuantity('1e999999999')).toEqual(parseQuantity('9223372036854775807e0'))
    expect(parseQuantity('-1e999999999').nano).toBe(-parseQuantity('1e999999999').nano)
    expect(formatQuantity(parseQuantity('1e-999999999'))).toBe('1e-9')
  })

  it('refuses what is none', () => {
    for (const text of ['', '1Zi', 'ten', '1 Gi', '.']) expect(() => parseQuantity(text)).toThrow(QuantityError)
  })
})
