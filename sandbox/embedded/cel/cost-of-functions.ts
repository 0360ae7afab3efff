import { authorizationCheck, fixedCosts, regularExpression, traversal } from './costs.ts'
import { kubernetesTypes } from './declarations.ts'
import { type CelType, sameType } from './types.ts'

/** How many characters, items or entries a value has, at least and at most. */
export interface Size {
  min: number
  max: number
}

/** What a call costs beside its target and arguments, and how large its result can be. */
export interface CallEstimate {
  cost: number
  size?: Size | undefined
}

/** A target or argument of a call, as far as the cost of the call hangs on it. */
export interface Operand {
  type: CelType
  size: Size
  /** Of a list's items. */
  elementSize: Size
  literal?: unknown
}

/** Costs saturate here, as upstream's 64 bits do. */
export const most = 2 ** 64

/** Bytes of an IP address, at most. */
const address = 16
/** The longest pattern of a named format, and the longest text of one. */
const longestPattern = 128
const longestFormat = 64

/** Of a function that does not cost 1: the library's own and Kubernetes'. */
export function functionEstimate(
  name: string,
  overload: string,
  target: Operand | undefined,
  args: readonly Operand[],
): CallEstimate | undefined {
  return kubernetesEstimate(name, overload, target, args) ?? standardEstimate(overload, target, args)
}

function kubernetesEstimate(
  name: string,
  overload: string,
  target: Operand | undefined,
  args: readonly Operand[],
): CallEstimate | undefined {
  const fixed = fixedCosts.get(name)
  if (fixed !== undefined) return { cost: fixed }
  const [first, second] = args
  switch (name) {
    case 'check':
      return { cost: authorizationCheck }
    case 'fieldSelector':
    case 'labelSelector': {
      const requirements = first && scaled(first.size.max, 0.5)
      return first && { cost: Math.min(10 + scaled(first.size.max, traversal) + scaled(requirements as number, 50), most) }
    }
    case 'isSorted':
    case 'sum':
    case 'max':
    case 'min':
    case 'indexOf':
    case 'lastIndexOf':
      return target && overItems(target)
    case 'url':
    case 'jsonpatch.escapeKey':
      return first && { ...passes(first.size), size: first.size }
    case 'lowerAscii':
    case 'upperAscii':
    case 'substring':
    case 'trim':
      return target && { ...passes(target.size), size: target.size }
    case 'replace':
      return target && first && second && { ...passes(target.size, 2), size: replaced(target.size, first.size, second.size) }
    case 'split': {
      const limit = typeof second?.literal === 'bigint' && second.literal >= 0n ? Number(second.literal) : target?.size.max
      return target && { ...passes(target.size, 2), size: { min: 0, max: limit ?? target.size.max } }
    }
    case 'join':
      return target && joined(target, first)
    case 'find':
    case 'findAll':
      return target && first && { cost: search(target.size, first.size), size: { min: 0, max: target.size.max } }
    case 'ip':
      return overload === 'cidr_ip' ? { cost: 1 } : first && passes(first.size)
    case 'cidr':
    case 'isIP':
    case 'isCIDR':
    case 'quantity':
    case 'isQuantity':
    case 'semver':
    case 'isSemver':
      return first && passes(first.size)
    case 'ip.isCanonical':
      return first && passes(first.size, 2)
    case 'containsIP':
      return first && contained(first, false, overload === 'cidr_contains_ip_string')
    case 'containsCIDR':
      return first && contained(first, true, overload === 'cidr_contains_cidr_string')
    case 'validate':
      return first && { cost: scaled(scaled(first.size.max, traversal), longestPattern * regularExpression) }
    case '_==_':
      return first && second && sameType(first.type, second.type) ? equality(first.type, second) : undefined
    default:
      return undefined
  }
}

function equality(type: CelType, right: Operand): CallEstimate | undefined {
  const { IP, CIDR, Quantity, Semver, Format, URL, ...authorization } = kubernetesTypes
  if ([IP, CIDR, Quantity, Semver, ...Object.values(authorization)].some((one) => sameType(one, type))) return { cost: 1 }
  if (sameType(type, Format)) return { cost: scaled(longestFormat, traversal) }
  return sameType(type, URL) ? { cost: right.size.max === most ? 1 : scaled(right.size.max, traversal) } : undefined
}

function standardEstimate(overload: string, target: Operand | undefined, args: readonly Operand[]): CallEstimate | undefined {
  const [first, second] = args
  switch (overload) {
    case 'string_format':
      return target && passes(target.size)
    case 'string_to_bytes':
      return first && { ...passes(first.size), size: { min: first.size.min, max: Math.min(first.size.max * 4, most) } }
    case 'bytes_to_string':
      return first && { ...passes(first.size), size: { min: Math.floor(first.size.min / 4), max: first.size.max } }
    case 'strings_quote':
      return first && { ...passes(first.size), size: { min: first.size.min + 2, max: Math.min(first.size.max * 2 + 2, most) } }
    case 'starts_with_string':
    case 'ends_with_string':
      return first && passes(first.size)
    case 'in_list':
      return second && { cost: second.size.max }
    case 'list_sets_contains_list':
    case 'list_sets_intersects_list':
      return first && second && { cost: times(first.size.max, second.size.max) + 1 }
    case 'list_sets_equivalent_list':
      return first && second && { cost: scaled(times(first.size.max, second.size.max), 2) + 1 }
    case 'matches_string':
      return target && first && { cost: search(target.size, first.size) }
    case 'contains_string':
      return target && first && { cost: times(scaled(target.size.max, traversal), scaled(first.size.max, traversal)) }
    case 'add_list':
    case 'add_string':
    case 'add_bytes': {
      if (!first || !second) return undefined
      const size = { min: first.size.min + second.size.min, max: Math.min(first.size.max + second.size.max, most) }
      return { cost: overload === 'add_list' ? 1 : scaled(size.max, traversal), size }
    }
    case 'equals':
    case 'not_equals':
      return first && second && { cost: scaled(Math.min(first.size.max, second.size.max), traversal) }
    default:
      if (!/^(?:less|greater)(?:_equals)?_(?:string|bytes)$/.test(overload)) return undefined
      return first && second && { cost: scaled(Math.min(first.size.max, second.size.max), traversal) }
  }
}

/** A size or cost times a factor, rounded up. */
function scaled(amount: number, factor: number): number {
  return Math.min(Math.ceil(amount * factor), most)
}

export function times(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : Math.min(a * b, most)
}

function passes({ max }: Size, often = 1): CallEstimate {
  return { cost: scaled(max, often * traversal) }
}

/** One more than the text, so that an expensive pattern costs something on an empty one too. */
function search(text: Size, pattern: Size): number {
  return times(scaled(text.max + 1, traversal), scaled(pattern.max, regularExpression))
}

function overItems({ type, size, elementSize }: Operand): CallEstimate {
  const [item] = type.params
  if (!item) return passes(size)
  return { cost: times(size.max, 1 + (item.kind === 'string' || item.kind === 'bytes' ? scaled(elementSize.max, traversal) : 0)) }
}

function replaced(text: Size, from: Size, to: Size): Size {
  const count = { min: 0, max: 0 }
  const kept = { min: 0, max: 0 }
  if (from.min === 0) {
    count.max = text.max + 1
    kept.max = text.max
  } else if (to.max <= from.min) kept.max = text.max
  else count.max = Math.ceil(text.max / from.min)
  if (from.max === 0) {
    count.min = text.min + 1
    kept.min = text.min
  } else if (from.max <= to.min) kept.min = text.min
  else count.min = Math.ceil(text.min / from.max)
  return { min: times(count.min, to.min) + kept.min, max: Math.min(times(count.max, to.max) + kept.max, most) }
}

function joined({ type, size, elementSize }: Operand, separator: Operand | undefined): CallEstimate {
  const items = type.params.length > 0 ? times(size.max, elementSize.max) : 0
  const between = separator ? times(separator.size.max, Math.max(size.max - 1, 0)) : 0
  const max = Math.min(items + between, most)
  return { cost: scaled(max, traversal), size: { min: 0, max } }
}

/** Prefixes are compared byte by byte; what is given as a text is parsed first. */
function contained({ size }: Operand, isRange: boolean, isText: boolean): CallEstimate {
  const compared = scaled(2 * address, traversal) + (isRange ? scaled(address, traversal) + 1 : 0)
  return { cost: compared + (isText ? scaled(size.max, traversal) : 0) }
}
