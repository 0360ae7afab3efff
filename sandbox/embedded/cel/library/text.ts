import { goRegExp } from '../../machinery/go-regexp.ts'
import { Library } from '../declarations.ts'
import { patternFault } from '../pattern-fault.ts'
import { shownValue } from '../shown-values.ts'
import { Failure, type Value } from '../values.ts'
import { formatted } from './format-text.ts'

/** What the language itself has for texts. */
export const plainText = new Library(true)
  .declare('contains_string', 'string::contains(string): bool', ([text, part]) => (text as string).includes(part as string))
  .declare('ends_with_string', 'string::endsWith(string): bool', ([text, part]) => (text as string).endsWith(part as string))
  .declare('starts_with_string', 'string::startsWith(string): bool', ([text, part]) => (text as string).startsWith(part as string))
  .declare('matches', 'matches(string, string): bool', ([text, pattern]) => matches(text as string, pattern as string))
  .declare('matches_string', 'string::matches(string): bool', ([text, pattern]) => matches(text as string, pattern as string))

/** ext.Strings of cel-go, version 2. Places are counted in code points. */
export const text = new Library()
  .declare('string_char_at_int', 'string::charAt(int): string', ([given, at]) => {
    const points = [...(given as string)]
    return isWithin(at, points.length) ? (points[Number(at)] ?? '') : outOfRange(at)
  })
  .declare('string_index_of_string', 'string::indexOf(string): int', ([given, part]) => indexOf(given as string, part as string, 0n))
  .declare('string_index_of_string_int', 'string::indexOf(string, int): int', ([given, part, from]) =>
    indexOf(given as string, part as string, from as bigint),
  )
  .declare('string_last_index_of_string', 'string::lastIndexOf(string): int', ([given, part]) => {
    const length = BigInt([...(given as string)].length)
    if (part === '') return length
    return length === 0n ? -1n : lastIndexOf(given as string, part as string, length - 1n)
  })
  .declare('string_last_index_of_string_int', 'string::lastIndexOf(string, int): int', ([given, part, from]) =>
    lastIndexOf(given as string, part as string, from as bigint),
  )
  .declare('string_lower_ascii', 'string::lowerAscii(): string', ([given]) =>
    (given as string).replace(/[A-Z]+/g, (found) => found.toLowerCase()),
  )
  .declare('string_replace_string_string', 'string::replace(string, string): string', ([given, old, next]) =>
    replaced(given as string, old as string, next as string, -1),
  )
  .declare('string_replace_string_string_int', 'string::replace(string, string, int): string', ([given, old, next, most]) =>
    replaced(given as string, old as string, next as string, Number(most)),
  )
  .declare('string_split_string', 'string::split(string): list(string)', ([given, by]) => split(given as string, by as string, -1))
  .declare('string_split_string_int', 'string::split(string, int): list(string)', ([given, by, most]) =>
    split(given as string, by as string, Number(most)),
  )
  .declare('string_substring_int', 'string::substring(int): string', ([given, start]) => {
    const points = [...(given as string)]
    return isWithin(start, points.length) ? points.slice(Number(start)).join('') : outOfRange(start)
  })
  .declare('string_substring_int_int', 'string::substring(int, int): string', ([given, start, end]) => {
    const points = [...(given as string)]
    if ((start as bigint) > (end as bigint)) return new Failure(`invalid substring range. start: ${start}, end: ${end}`)
    if (!isWithin(start, points.length)) return outOfRange(start)
    return isWithin(end, points.length) ? points.slice(Number(start), Number(end)).join('') : outOfRange(end)
  })
  .declare('string_trim', 'string::trim(): string', ([given]) => trimmed(given as string))
  .declare('string_upper_ascii', 'string::upperAscii(): string', ([given]) =>
    (given as string).replace(/[a-z]+/g, (found) => found.toUpperCase()),
  )
  .declare('string_format', 'string::format(list(dyn)): string', ([template, args]) =>
    formatted(template as string, args as readonly Value[]),
  )
  .declare('strings_quote', 'strings.quote(string): string', ([given]) => quoted(given as string))
  .declare('list_join', 'list(string)::join(): string', ([list]) => joined(list as readonly Value[], ''))
  .declare('list_join_string', 'list(string)::join(string): string', ([list, by]) => joined(list as readonly Value[], by as string))

/** Kubernetes' find and findAll. */
export const patterns = new Library(true)
  .declare('string_find_string', 'string::find(string): string', ([given, pattern]) => {
    return withPattern(pattern as string, (expression) => expression.findAll(given as string, 1)[0] ?? '')
  })
  .declare('string_find_all_string', 'string::findAll(string): list(string)', ([given, pattern]) =>
    findAll(given as string, pattern as string, -1),
  )
  .declare('string_find_all_string_int', 'string::findAll(string, int): list(string)', ([given, pattern, most]) =>
    findAll(given as string, pattern as string, Number(most)),
  )

function matches(given: string, pattern: string): Value {
  const fault = patternFault(pattern)
  return fault === undefined ? goRegExp(pattern).test(given) : new Failure(fault)
}

function findAll(given: string, pattern: string, most: number): Value {
  return withPattern(pattern, (expression) => expression.findAll(given, most < 0 ? undefined : most))
}

function withPattern(pattern: string, search: (expression: ReturnType<typeof goRegExp>) => Value): Value {
  const fault = patternFault(pattern)
  return fault === undefined ? search(goRegExp(pattern)) : new Failure(`Illegal regex: ${fault}`)
}

function isWithin(at: Value | undefined, length: number): boolean {
  return (at as bigint) >= 0n && (at as bigint) <= BigInt(length)
}

function outOfRange(at: Value | undefined): Failure {
  return new Failure(`index out of range: ${at}`)
}

function indexOf(given: string, part: string, from: bigint): Value {
  if (part === '') return from
  if (from < 0n) return outOfRange(from)
  const points = [...given]
  if (from >= BigInt(points.length)) return -1n
  const head = points.slice(0, Number(from)).join('').length
  return pointsBefore(given, given.indexOf(part, head))
}

function lastIndexOf(given: string, part: string, from: bigint): Value {
  if (part === '') return from
  if (from < 0n) return outOfRange(from)
  const points = [...given]
  if (from >= BigInt(points.length)) return -1n
  return pointsBefore(given, given.lastIndexOf(part, points.slice(0, Number(from)).join('').length))
}

function pointsBefore(given: string, index: number): bigint {
  return index < 0 ? -1n : BigInt([...given.slice(0, index)].length)
}

/** Between all characters where nothing is to be replaced, as Go's strings.Replace. */
function replaced(given: string, old: string, next: string, most: number): string {
  let left = most < 0 ? Number.POSITIVE_INFINITY : most
  if (old !== '') return given.replaceAll(old, (found) => (left-- > 0 ? next : found))
  const points = [...given]
  return [...points, ''].map((point) => (left-- > 0 ? next + point : point)).join('')
}

function split(given: string, by: string, most: number): Value {
  if (most === 0) return []
  const parts = by === '' ? [...given] : given.split(by)
  return most < 0 || parts.length <= most ? parts : [...parts.slice(0, most - 1), parts.slice(most - 1).join(by)]
}

/** Unicode's white space, which U+FEFF is not. */
function trimmed(given: string): string {
  return given.replace(/^[\p{White_Space}]+|[\p{White_Space}]+$/gu, '')
}

const escapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
}

function quoted(given: string): string {
  return `"${[...given].map((point) => escapes[point] ?? point).join('')}"`
}

function joined(list: readonly Value[], by: string): Value {
  const wrong = list.find((item) => typeof item !== 'string')
  return wrong === undefined ? list.join(by) : new Failure(`join: invalid input: ${shownValue(wrong)}`)
}
