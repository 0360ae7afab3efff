/** A resource.Quantity: an exact amount and the notation that it is printed in. */
export interface Quantity {
  /** Billionths, so that every amount is a whole number. */
  readonly nano: bigint
  readonly format: 'DecimalSI' | 'BinarySI' | 'DecimalExponent'
}

/** Reads "100m", "1.5Gi", "2e3", 4. Throws a RangeError for anything that is not a quantity. Finer than a billionth is rounded up. */
export function parseQuantity(text: string | number): Quantity {
  const match = String(text).match(pattern)
  if (!match) throw new RangeError(`quantities must match the regular expression '${grammar}'`)
  const [, sign, whole = '', fraction = '', suffix = ''] = match
  if (whole === '' && fraction === '') throw new RangeError(`quantities must match the regular expression '${grammar}'`)
  const digits = BigInt(`${whole}${fraction}`)
  const exponent = suffix.match(/^[eE]([+-]?\d+)$/)
  const binary = binarySuffixes.indexOf(suffix)
  let scaled: bigint
  if (binary > 0) scaled = divideUp(digits * 1024n ** BigInt(binary) * billion, 10n ** BigInt(fraction.length))
  else {
    const power = (exponent ? Number(exponent[1]) : (decimalPowers[suffix] as number)) + 9 - fraction.length
    scaled = power >= 0 ? digits * 10n ** BigInt(power) : divideUp(digits, 10n ** BigInt(-power))
  }
  const format = binary > 0 ? 'BinarySI' : exponent ? 'DecimalExponent' : 'DecimalSI'
  return { nano: sign === '-' ? -scaled : scaled, format }
}

/** Canonical text as Go prints it: no fraction, the largest suffix that leaves a whole number. */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0'
  const sign = nano < 0n ? '-' : ''
  const size = nano < 0n ? -nano : nano
  if (format === 'BinarySI' && size % billion === 0n && size / billion >= 1024n) {
    let amount = size / billion
    let index = 0
    while (index < 6 && amount % 1024n === 0n) {
      amount /= 1024n
      index++
    }
    return `${sign}${amount}${binarySuffixes[index]}`
  }
  let amount = size
  let power = -9
  while (power < 18 && amount % 1000n === 0n) {
    amount /= 1000n
    power += 3
  }
  if (format === 'DecimalExponent') return power === 0 ? `${sign}${amount}` : `${sign}${amount}e${power}`
  return `${sign}${amount}${Object.keys(decimalPowers).find((suffix) => decimalPowers[suffix] === power)}`
}

export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano + b.nano, format: a.nano === 0n ? b.format : a.format }
}

export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano - b.nano, format: a.nano === 0n ? b.format : a.format }
}

export function compareQuantities(a: Quantity, b: Quantity): number {
  return a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0
}

export const zeroQuantity: Quantity = { nano: 0n, format: 'DecimalSI' }

/** A list of resources ("cpu": "100m") by name. */
export type Quantities = Record<string, Quantity>

export function parseQuantities(list: Readonly<Record<string, string | number>> | undefined): Quantities {
  return Object.fromEntries(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]))
}

export function formatQuantities(list: Quantities): Record<string, string> {
  return Object.fromEntries(Object.entries(list).map(([name, quantity]) => [name, formatQuantity(quantity)]))
}

/** Adds name by name. */
export function sumQuantities(a: Quantities, b: Quantities): Quantities {
  const sum = { ...a }
  for (const [name, quantity] of Object.entries(b)) sum[name] = sum[name] ? addQuantities(sum[name], quantity) : quantity
  return sum
}

/** The larger of each name. */
export function maxQuantities(a: Quantities, b: Quantities): Quantities {
  const max = { ...a }
  for (const [name, quantity] of Object.entries(b)) if (!max[name] || compareQuantities(quantity, max[name]) > 0) max[name] = quantity
  return max
}

const billion = 1_000_000_000n
const grammar = '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'
const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(|[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)$/
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const decimalPowers: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }

function divideUp(amount: bigint, by: bigint): bigint {
  return (amount + by - 1n) / by
}
