import { formatQuantity, parseQuantity, type Quantity } from '../schema/quantity.ts'

/** Adds; in the notation of the first unless that is nothing. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano + b.nano, format: a.nano === 0n ? b.format : a.format }
}

/** Subtracts; in the notation of the first unless that is nothing. */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano - b.nano, format: a.nano === 0n ? b.format : a.format }
}

/** Negative, zero or positive as a is less than, equal to or more than b. */
export function compareAmounts(a: Quantity, b: Quantity): number {
  return a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0
}

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
  for (const [name, quantity] of Object.entries(b)) if (!max[name] || compareAmounts(quantity, max[name]) > 0) max[name] = quantity
  return max
}
