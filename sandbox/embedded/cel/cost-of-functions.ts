import type { Kind, Type } from './declared-type.ts'

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
  type: Type
  size: Size
  /** Of a list's items. */
  elementSize: Size
  literal?: unknown
}

/** Costs saturate here, as upstream's 64 bits do. */
export const most = 2 ** 64

/** A pass over a text, by character, and a pattern's, by character of the pattern. */
const traversal = 0.1
const regularExpression = 0.25
/** Bytes of an IP address, at most. */
const address = 16
/** The longest pattern of a named format. */
const longestFormat = 128

/** What functions come to, where it matters for what is done with that. */
export const resultKinds: Readonly<Record<string, Kind>> = {
  ...kinds('bool', 'startsWith endsWith matches contains isSorted isIP isCIDR isURL isQuantity isSemver isInteger containsIP containsCIDR'),
  ...kinds('bool', 'bool hasValue isGreaterThan isLessThan sets.contains sets.equivalent sets.intersects ip.isCanonical'),
  ...kinds('bool', 'isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast'),
  ...kinds(
    'int',
    'size int indexOf lastIndexOf compareTo asInteger sign family prefixLength major minor patch getHours getMinutes getSeconds',
  ),
  ...kinds('int', 'getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getMilliseconds'),
  ...kinds('string', 'string lowerAscii upperAscii substring trim replace join find format charAt reverse strings.quote'),
  ...kinds('string', 'getScheme getHostname getHost getPort getEscapedPath jsonpatch.escapeKey'),
  ...kinds('list', 'split findAll'),
  ...kinds('opaque', 'quantity ip cidr url semver add sub masked'),
  double: 'double',
  asApproximateFloat: 'double',
  uint: 'uint',
  bytes: 'bytes',
  duration: 'duration',
  timestamp: 'timestamp',
}

/** Of a function that does not cost 1: the library's own and Kubernetes'. */
export function functionEstimate(name: string, target: Operand | undefined, args: readonly Operand[]): CallEstimate | undefined {
  const [first, second] = args
  switch (name) {
    case 'startsWith':
    case 'endsWith':
      return first && passes(first.size)
    case 'matches':
    case 'Matches':
      return target && first && { cost: search(target.size, first.size) }
    case 'contains':
      return target && first && { cost: times(scaled(target.size.max, traversal), scaled(first.size.max, traversal)) }
    case 'format':
      return target && passes(target.size)
    case 'bytes':
    case 'string': {
      const other = name === 'bytes' ? 'string' : 'bytes'
      if (first?.type.kind !== other && first?.type.kind !== 'dyn') return undefined
      const { min, max } = first.size
      const size = name === 'bytes' ? { min, max: Math.min(max * 4, most) } : { min: Math.floor(min / 4), max }
      return { cost: Math.max(scaled(max, traversal), 1), size }
    }
    case 'sets.contains':
    case 'sets.intersects':
    case 'sets.equivalent':
      return first && second && { cost: scaled(times(first.size.max, second.size.max), name === 'sets.equivalent' ? 2 : 1) + 1 }
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
    case 'cidr':
    case 'isIP':
    case 'isCIDR':
    case 'ip':
    case 'quantity':
    case 'isQuantity':
    case 'semver':
    case 'isSemver':
      return first && passes(first.size)
    case 'ip.isCanonical':
      return first && passes(first.size, 2)
    case 'containsIP':
    case 'containsCIDR':
      return first && contained(first, name === 'containsCIDR')
    case 'validate':
      return first && { cost: scaled(scaled(first.size.max, traversal), longestFormat * regularExpression) }
    default:
      return undefined
  }
}

/** A size or cost times a factor, rounded up. */
export function scaled(amount: number, factor: number): number {
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
  if (type.kind !== 'list' && type.kind !== 'map') return passes(size)
  const item = (type.kind === 'list' ? type.element : type.key)?.kind
  return { cost: times(size.max, 1 + (item === 'string' || item === 'bytes' ? scaled(elementSize.max, traversal) : 0)) }
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
  const items = type.element ? times(size.max, elementSize.max) : 0
  const between = separator ? times(separator.size.max, Math.max(size.max - 1, 0)) : 0
  const max = Math.min(items + between, most)
  return { cost: scaled(max, traversal), size: { min: 0, max } }
}

/** Prefixes are compared byte by byte; what is given as a text is parsed first. */
function contained({ type, size }: Operand, isRange: boolean): CallEstimate {
  const compared = scaled(2 * address, traversal) + (isRange ? scaled(address, traversal) + 1 : 0)
  return { cost: compared + (type.kind === 'string' ? scaled(size.max, traversal) : 0) }
}

function kinds(kind: Kind, names: string): Record<string, Kind> {
  return Object.fromEntries(names.split(' ').map((name) => [name, kind]))
}
