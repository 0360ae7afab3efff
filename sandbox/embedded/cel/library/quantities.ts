import { formatQuantity, parseQuantity, type Quantity, QuantityError } from '../../schema/quantity.ts'
import { kubernetesTypes, Library } from '../declarations.ts'
import { Failure, OpaqueValue, type Value } from '../values.ts'

class QuantityValue extends OpaqueValue {
  readonly type = kubernetesTypes.Quantity
  readonly quantity: Quantity
  constructor(quantity: Quantity) {
    super()
    this.quantity = quantity
  }
  equals(other: OpaqueValue): boolean {
    return other instanceof QuantityValue && other.quantity.nano === this.quantity.nano
  }
  override toString(): string {
    return formatQuantity(this.quantity)
  }
}

const unit = 1_000_000_000n
const maxInt = 2n ** 63n - 1n
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
  .declare('quantity_add', 'Quantity::add(Quantity): Quantity', ([a, b]) => sum(a, nanos(b)))
  .declare('quantity_add_int', 'Quantity::add(int): Quantity', ([a, b]) => sum(a, (b as bigint) * unit))
  .declare('quantity_sub', 'Quantity::sub(Quantity): Quantity', ([a, b]) => sum(a, -nanos(b)))
  .declare('quantity_sub_int', 'Quantity::sub(int): Quantity', ([a, b]) => sum(a, -(b as bigint) * unit))

function parsed(text: string): Value {
  try {
    return new QuantityValue(parseQuantity(text))
  } catch (error) {
    if (error instanceof QuantityError) return new Failure(error.message)
    throw error
  }
}

function nanos(value: Value | undefined): bigint {
  return (value as QuantityValue).quantity.nano
}

function sum(value: Value | undefined, more: bigint): Value {
  const { quantity } = value as QuantityValue
  return new QuantityValue({ nano: quantity.nano + more, format: quantity.format })
}

/** Undefined where it is none, or too large for one. */
function integer(value: Value | undefined): bigint | undefined {
  const whole = nanos(value) / unit
  return nanos(value) % unit === 0n && whole <= maxInt && whole >= -maxInt - 1n ? whole : undefined
}
