import { authorizationCheck, fixedCosts, regularExpression, selectorCost, traversal } from './costs.ts'
import { CelMap, OpaqueValue, Optional, sizeOf, type Value } from './values.ts'

/**
 * What a call has cost, by its arguments and its outcome. `overload` is undefined where several might have been meant. Source:
 * cel-go's interpreter/runtimecost.go and CallCost in apiserver/pkg/cel/library/cost.go.
 */
export function callCost(name: string, overload: string | undefined, args: readonly Value[], outcome: Value): number {
  return kubernetesCost(name, overload, args, outcome) ?? standardCost(overload ?? overloadless(name), args)
}

/** Equality is one function for all types. */
function overloadless(name: string): string | undefined {
  return name === '_==_' ? 'equals' : name === '_!=_' ? 'not_equals' : undefined
}

const up = Math.ceil

function kubernetesCost(name: string, overload: string | undefined, args: readonly Value[], outcome: Value): number | undefined {
  const fixed = fixedCosts.get(name)
  if (fixed !== undefined) return fixed
  const [first, second] = args.map(sizeOf) as [number, number]
  switch (name) {
    case 'check':
      return authorizationCheck
    case 'fieldSelector':
    case 'labelSelector':
      return selectorCost(second)
    case 'isSorted':
    case 'sum':
    case 'max':
    case 'min':
    case 'indexOf':
    case 'lastIndexOf':
      return traversed(args[0] as Value)
    case 'url':
    case 'lowerAscii':
    case 'upperAscii':
    case 'substring':
    case 'trim':
    case 'jsonpatch.escapeKey':
    case 'cidr':
    case 'isIP':
    case 'isCIDR':
    case 'quantity':
    case 'isQuantity':
    case 'semver':
    case 'isSemver':
      return up(first * traversal)
    case 'ip':
      return overload === 'cidr_ip' ? 1 : up(first * traversal)
    case 'replace':
    case 'split':
    case 'ip.isCanonical':
      return up(first * 2 * traversal)
    case 'join':
      return up(sizeOf(outcome) * 2 * traversal)
    case 'find':
    case 'findAll':
      return up((1 + first) * traversal) * up(second * regularExpression)
    case 'containsIP':
      return up(2 * first * traversal) + (overload === 'cidr_contains_ip_string' ? up(second * traversal) : 0)
    case 'containsCIDR': {
      const parsed = overload === 'cidr_contains_cidr_string' ? up(second * traversal) : 0
      return up(2 * first * traversal) + up(first * traversal) + 1 + parsed
    }
    case 'validate': {
      const pattern = (args[0] as { longestPattern?: number } | null)?.longestPattern
      return pattern === undefined ? undefined : up((1 + second) * traversal) * up(pattern * regularExpression)
    }
    case '_==_':
      return args[0] instanceof OpaqueValue ? 1 : undefined
    default:
      return undefined
  }
}

function standardCost(overload: string | undefined, args: readonly Value[]): number {
  const [first, second] = args.map(actualSize) as [number, number]
  switch (overload) {
    case 'starts_with_string':
    case 'ends_with_string':
    case 'string_to_bytes':
    case 'bytes_to_string':
    case 'strings_quote':
    case 'string_format':
      return up(first * traversal)
    case 'in_list':
      return second
    case 'list_sets_contains_list':
    case 'list_sets_intersects_list':
      return first * second + 1
    case 'list_sets_equivalent_list':
      return first * second * 2 + 1
    case 'less_string':
    case 'greater_string':
    case 'less_equals_string':
    case 'greater_equals_string':
    case 'less_bytes':
    case 'greater_bytes':
    case 'less_equals_bytes':
    case 'greater_equals_bytes':
    case 'equals':
    case 'not_equals':
      return up(Math.min(first, second) * traversal)
    case 'add_string':
    case 'add_bytes':
      return up((first + second) * traversal)
    case 'matches_string':
      return up((1 + first) * traversal) * up(second * regularExpression)
    case 'contains_string':
      return up(first * traversal) * up(second * traversal)
    default:
      return 1
  }
}

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
