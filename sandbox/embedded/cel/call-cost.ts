import { authorizationCheck, fixedCosts, regularExpression, selectorCost, traversal } from './costs.ts'
import { CelMap, OpaqueValue, Optional, sizeOf, type Value } from './values.ts'

/** What a call has cost, by its arguments and its outcome; a number where it does not hang on these. */
export type CallCost = number | ((args: readonly Value[], outcome: Value) => number)

/**
 * What calls of a function cost. `overload` is undefined where several might be meant. Source: cel-go's interpreter/runtimecost.go
 * and CallCost in apiserver/pkg/cel/library/cost.go.
 */
export function callCost(name: string, overload: string | undefined): CallCost {
  return ofOverloads.get(overload ?? '') ?? fixedCosts.get(name) ?? ofFunctions.get(name) ?? 1
}

const up = Math.ceil

/** By the sizes of the first two arguments. */
function sized(cost: (first: number, second: number) => number, size: (value: Value) => number = sizeOf): CallCost {
  return (args) => cost(size(args[0] as Value), args.length > 1 ? size(args[1] as Value) : 0)
}

const passOverFirst = sized((first) => up(first * traversal))
const twoPassesOverFirst = sized((first) => up(first * 2 * traversal))
const passOverAll: CallCost = (args) => traversed(args[0] as Value)
const selector = sized((_, second) => selectorCost(second))
const searched = (text: number, pattern: number) => up((1 + text) * traversal) * up(pattern * regularExpression)
const search = sized(searched)
const addressWithin = (first: number) => up(2 * first * traversal)
const rangeWithin = (first: number) => addressWithin(first) + up(first * traversal) + 1

const passOverOne = sized((first) => up(first * traversal), actualSize)
const passOverBoth = sized((first, second) => up((first + second) * traversal), actualSize)
const passOverShorter = (args: readonly Value[]) => up(Math.min(actualSize(args[0] as Value), actualSize(args[1] as Value)) * traversal)
const eachWithEach = (times: number) => sized((first, second) => first * second * times + 1, actualSize)

const ofFunctions: ReadonlyMap<string, CallCost> = new Map(
  Object.entries<CallCost>({
    // equality is one function for all types
    '_==_': (args) => (args[0] instanceof OpaqueValue ? 1 : passOverShorter(args)),
    '_!=_': passOverShorter,
    check: authorizationCheck,
    fieldSelector: selector,
    labelSelector: selector,
    isSorted: passOverAll,
    sum: passOverAll,
    max: passOverAll,
    min: passOverAll,
    indexOf: passOverAll,
    lastIndexOf: passOverAll,
    url: passOverFirst,
    lowerAscii: passOverFirst,
    upperAscii: passOverFirst,
    substring: passOverFirst,
    trim: passOverFirst,
    'jsonpatch.escapeKey': passOverFirst,
    cidr: passOverFirst,
    isIP: passOverFirst,
    isCIDR: passOverFirst,
    quantity: passOverFirst,
    isQuantity: passOverFirst,
    semver: passOverFirst,
    isSemver: passOverFirst,
    ip: passOverFirst,
    replace: twoPassesOverFirst,
    split: twoPassesOverFirst,
    'ip.isCanonical': twoPassesOverFirst,
    join: (_, outcome) => up(sizeOf(outcome) * 2 * traversal),
    find: search,
    findAll: search,
    containsIP: sized(addressWithin),
    containsCIDR: sized(rangeWithin),
    validate(args) {
      const pattern = (args[0] as { longestPattern?: number } | null)?.longestPattern
      return pattern === undefined ? 1 : searched(sizeOf(args[1] as Value), pattern)
    },
  }),
)

const ofOverloads: ReadonlyMap<string, CallCost> = new Map(
  Object.entries<CallCost>({
    cidr_ip: 1,
    cidr_contains_ip_string: sized((first, second) => addressWithin(first) + up(second * traversal)),
    cidr_contains_cidr_string: sized((first, second) => rangeWithin(first) + up(second * traversal)),
    starts_with_string: passOverOne,
    ends_with_string: passOverOne,
    string_to_bytes: passOverOne,
    bytes_to_string: passOverOne,
    strings_quote: passOverOne,
    string_format: passOverOne,
    in_list: sized((_, second) => second, actualSize),
    list_sets_contains_list: eachWithEach(1),
    list_sets_intersects_list: eachWithEach(1),
    list_sets_equivalent_list: eachWithEach(2),
    less_string: passOverShorter,
    greater_string: passOverShorter,
    less_equals_string: passOverShorter,
    greater_equals_string: passOverShorter,
    less_bytes: passOverShorter,
    greater_bytes: passOverShorter,
    less_equals_bytes: passOverShorter,
    greater_equals_bytes: passOverShorter,
    add_string: passOverBoth,
    add_bytes: passOverBoth,
    matches_string: sized(searched, actualSize),
    contains_string: sized((first, second) => up(first * traversal) * up(second * traversal), actualSize),
  }),
)

function actualSize(value: Value): number {
  return value instanceof Optional && value.value !== undefined ? actualSize(value.value) : sizeOf(value)
}

/** Texts by the byte, with the fraction left out; lists and maps by what is in them. */
function traversed(value: Value): number {
  if (typeof value === 'string') return Math.floor(Buffer.byteLength(value) * traversal)
  if (value instanceof Uint8Array) return Math.floor(value.length * traversal)
  if (Array.isArray(value)) return (value as readonly Value[]).reduce((sum: number, item) => sum + traversed(item), 0)
  if (!(value instanceof CelMap)) return 1
  let cost = 0
  for (const [key, held] of value.entries()) cost += traversed(key) + traversed(held)
  return cost
}
