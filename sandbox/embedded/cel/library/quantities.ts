import { formatQuantity, parseQuantity, type Quantity, QuantityError } from '../../schema/quantity.ts'
import { kubernetesTypes, Library } from '../declarations.ts'
import { Failure, maxInt, minInt, OpaqueValue, type Value } from '../values.ts'

/** A number and its power of ten, as Go keeps a quantity as long as 64 bits are enough. */
interface Scaled {
  readonly value: bigint
  readonly scale: number
}

class QuantityValue extends OpaqueValue {
  readonly type = kubernetesTypes.Quantity
  readonly quantity: Quantity
  /** Undefined of those that Go keeps otherwise, which it takes for no integers whatever they are. */
  readonly scaled: Scaled | undefined
  constructor(quantity: Quantity, scaled: Scaled | undefined) {
    super()
    this.quantity = quantity
    this.scaled = scaled
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof QuantityValue && other.quantity.nano === this.quantity.nano
  }
  override toString(): string {
    return formatQuantity(this.quantity)
  }
}

const unit = 1_000_000_000n
const fits = (value: bigint) => value <= maxInt && value >= minInt
const way = (a: Value | undefined, b: Value | undefined) => {
  const difference = nanos(a) - nanos(b)
  return difference < 0n ? -1n : difference > 0n ? 1n : 0n
}

/** Kubernetes' Quantity library. */
export const quantities = new Library()
  .declare('string_to_quantity', 'quantity(string): Quantity', ([text]) => parsed(text as string))
  .declare('is_quantity', 'isQuantity(string): bool', ([text]) => parsed(text as string) instanceof QuantityValue)
  .declare('quantity_sign', 'sign(Quantity): int', ([value]) => (nanos(value) < 0n ? -1n : nanos(value) > 0n ? 1n : 0n))
  .declare('quantity_is_integer', 'Quantity::isInteger(): bool', ([value]) => integer(value) !== undefined)
  .declare(
    'quantity_as_integer',
    'Quantity::asInteger(): int',
    ([value]) => integer(value) ?? new Failure('cannot convert value to integer'),
  )
  .declare('quantity_as_float', 'Quantity::asApproximateFloat(): double', ([value]) => Number(nanos(value)) / Number(unit))
  .declare('quantity_is_greater_than', 'Quantity::isGreaterThan(Quantity): bool', ([a, b]) => way(a, b) > 0n)
  .declare('quantity_is_less_than', 'Quantity::isLessThan(Quantity): bool', ([a, b]) => way(a, b) < 0n)
  .declare('quantity_compare_to', 'Quantity::compareTo(Quantity): int', ([a, b]) => way(a, b))
  .declare('quantity_add', 'Quantity::add(Quantity): Quantity', ([a, b]) => sum(a as QuantityValue, b as QuantityValue, 1n))
  .declare('quantity_add_int', 'Quantity::add(int): Quantity', ([a, b]) => sum(a as QuantityValue, ofInteger(b as bigint), 1n))
  .declare('quantity_sub', 'Quantity::sub(Quantity): Quantity', ([a, b]) => sum(a as QuantityValue, b as QuantityValue, -1n))
  .declare('quantity_sub_int', 'Quantity::sub(int): Quantity', ([a, b]) => sum(a as QuantityValue, ofInteger(b as bigint), -1n))

function parsed(text: string): Value {
  try {
    return new QuantityValue(parseQuantity(text), scaledOf(text))
  } catch (error) {
    if (error instanceof QuantityError) return new Failure(error.message)
    throw error
  }
}

const powers: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const binary = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
/** Digits that always fit into 64 bits, and those that the binary way reckons with. */
const [mostDigits, mostBinaryDigits] = [18, 15]

/** The fast way of resource.ParseQuantity; undefined where it takes the other. */
function scaledOf(text: string): Scaled | undefined {
  const [, sign = '', whole = '', fraction = '', exponent, suffix = ''] =
    /^([+-]?)0*(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text) ?? []
  const place = binary.indexOf(suffix)
  const digits = BigInt(whole + fraction || '0')
  const signed = (value: bigint) => (sign === '-' ? -value : value)
  if (place >= 0) {
    const power = 10 * (place + 1)
    if (fraction !== '' || mostBinaryDigits - whole.length - Math.trunc((power * 3) / 10) - 1 < 0) return undefined
    return { value: signed(digits << BigInt(power)), scale: 0 }
  }
  const scale = (exponent === undefined ? (powers[suffix] ?? 0) : Number(exponent)) - fraction.length
  return whole.length + fraction.length <= mostDigits && scale >= -9 ? { value: signed(digits), scale } : undefined
}

function ofInteger(value: bigint): QuantityValue {
  return new QuantityValue({ nano: value * unit, format: 'exponent' }, { value, scale: 0 })
}

function nanos(value: Value | undefined): bigint {
  return (value as QuantityValue).quantity.nano
}

/** Quantity.Add and Sub: what is nothing yet takes the other's format. */
function sum(a: QuantityValue, b: QuantityValue, sign: 1n | -1n): Value {
  const format = a.quantity.nano === 0n ? b.quantity.format : a.quantity.format
  return new QuantityValue(
    { nano: a.quantity.nano + sign * b.quantity.nano, format },
    a.scaled && b.scaled && added(a.scaled, b.scaled, sign),
  )
}

function added(a: Scaled, b: Scaled, sign: 1n | -1n): Scaled | undefined {
  if (b.value === 0n) return a
  if (a.value === 0n) return { value: sign * b.value, scale: b.scale }
  const scale = Math.min(a.scale, b.scale)
  const [left, right] = [a, b].map((one) => one.value * 10n ** BigInt(one.scale - scale)) as [bigint, bigint]
  const value = left + sign * right
  return fits(left) && fits(right) && fits(value) ? { value, scale } : undefined
}

function integer(value: Value | undefined): bigint | undefined {
  const { scaled } = value as QuantityValue
  if (!scaled || scaled.scale < 0) return undefined
  const whole = scaled.value * 10n ** BigInt(scaled.scale)
  return fits(whole) ? whole : undefined
}
