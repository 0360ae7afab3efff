import { remembering } from '../machinery/remembering.ts'

/**
 * Resource quantities ("500m", "1Gi", "1e3") as k8s.io/apimachinery/pkg/api/resource reads and writes them.
 * Amounts are whole nano units, so that every legal quantity is exact.
 */
export interface Quantity {
  readonly nano: bigint
  readonly format: 'binary' | 'decimal' | 'exponent'
}

export class QuantityError extends Error {}

const nanoPerUnit = 1_000_000_000n
/** More than an int64 of units is cut down to it. */
const largest = (2n ** 63n - 1n) * nanoPerUnit
const decimal = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'] as const
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const
const pattern = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:([eE])([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)$/

/** Throws QuantityError with the server's words. Finer than a nano unit rounds up. */
export function parseQuantity(value: string | number): Quantity {
  return parsed(String(value))
}

/** Objects of one kind ask for the same few. */
const parsed = remembering(parse, { most: 1024, longest: 32 })

function parse(text: string): Quantity {
  const match = pattern.exec(text)
  const [, sign, whole = '', fraction = '', exponentMark, exponentText, suffix = ''] = match ?? []
  if (!match || (whole === '' && fraction === '')) {
    throw new QuantityError(
      /^[+-]?[0-9.]+[eEinumkKMGTP]*[-+]?[0-9]*$/.test(text)
        ? "unable to parse quantity's suffix"
        : "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    )
  }
  const digits = BigInt(whole + fraction)
  const format = exponentMark ? 'exponent' : suffix.endsWith('i') ? 'binary' : 'decimal'
  const exponent = exponentMark ? Number(exponentText) : format === 'decimal' ? 3 * (decimal.indexOf(suffix as '') - 3) : 0
  const factor = format === 'binary' ? 1024n ** BigInt(binary.indexOf(suffix as '')) : 1n
  const power = 9 + exponent - fraction.length
  // Past these powers the outcome is the largest amount or the smallest whatever the digits: their squares need not be reckoned.
  const scaled = digits * factor * 10n ** BigInt(Math.min(Math.max(power, 0), 64))
  const divisor = 10n ** BigInt(Math.min(Math.max(-power, 0), 64 + whole.length + fraction.length))
  const exact = (scaled + divisor - 1n) / divisor
  const nano = exact > largest ? largest : exact
  return { nano: sign === '-' ? -nano : nano, format }
}

/** The canonical text: the largest suffix that leaves a whole number. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0'
  const amount = nano < 0n ? -nano : nano
  const sign = nano < 0n ? '-' : ''
  if (format === 'binary' && amount >= 1024n * nanoPerUnit && amount % nanoPerUnit === 0n) {
    let units = amount / nanoPerUnit
    let step = 0
    while (units % 1024n === 0n && step < binary.length - 1) {
      units /= 1024n
      step += 1
    }
    return `${sign}${units}${binary[step]}`
  }
  let rest = amount
  let step = 0
  while (rest % 1000n === 0n && step < decimal.length - 1) {
    rest /= 1000n
    step += 1
  }
  if (format !== 'exponent') return `${sign}${rest}${decimal[step]}`
  const exponent = 3 * (step - 3)
  return exponent === 0 ? `${sign}${rest}` : `${sign}${rest}e${exponent}`
}

export function canonicalQuantity(value: string | number): string {
  return formatQuantity(parseQuantity(value))
}

/** Negative, zero or positive as a is less than, equal to or more than b. */
export function compareQuantities(a: string | number, b: string | number): number {
  const difference = parseQuantity(a).nano - parseQuantity(b).nano
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}
