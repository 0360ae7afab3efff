import type { Environment } from '@marcbachmann/cel-js'
import { tooNew } from './literals.ts'

/** What the library says of an expression that it does not take. */
export interface Fault {
  code?: string
  summary?: string
  message: string
  range?: { start: number; end: number }
  node?: { op?: string; args?: unknown }
}

/** A fault in cel-go's words, and where it stands in the text. */
export interface Worded {
  at: number
  message: string
}

interface Part {
  start?: number
  end?: number
}

const anyToken = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
const brackets: Readonly<Record<string, string>> = { RPAREN: ')', RBRACKET: ']', RBRACE: '}', COLON: ':', COMMA: ',' }

/** A fault as cel-go's parser and checker tell of it. */
export function worded(text: string, fault: Fault | undefined, environment: Environment): Worded[] {
  const at = fault?.range?.start ?? 0
  const summary = fault?.summary ?? fault?.message ?? ''
  switch (fault?.code) {
    case 'unknown_variable':
      return [{ at, message: `undeclared reference to '${summary.replace(/^Unknown variable: /, '')}' (in container '')` }]
    case 'no_such_key':
      return [{ at: selectionPlace(text, at), message: `undefined field '${summary.replace(/^No such key: /, '')}'` }]
    case 'cannot_index_type': {
      const type = typeWords(/'(.*)'/.exec(summary)?.[1] ?? '')
      return [{ at: selectionPlace(text, at), message: `type '${type}' does not support field selection` }]
    }
    case 'no_such_overload':
      return [overload(text, fault, summary)]
    case 'incompatible_ternary_branches': {
      const [, first = '', second = ''] = /got '(.*)' and '(.*)'/.exec(summary) ?? []
      const types = `(bool, ${typeWords(first)}, ${typeWords(second)})`
      return [{ at: after(text, parts(fault)[0], '?') ?? at, message: `found no matching overload for '_?_:_' applied to '${types}'` }]
    }
    case 'no_matching_overload':
      return [call(text, fault, summary, environment)]
    case 'invalid_macro_argument': {
      if (summary.includes('iteration variable')) {
        return [{ at: fault.node?.op === '.' ? selectionPlace(text, at) : at, message: 'argument must be a simple name' }]
      }
      const message = summary.includes('has()') ? 'invalid argument to has() macro' : 'argument must be a simple name'
      return [{ at, message }]
    }
    case 'expression_type_not_iterable':
    case 'invalid_comprehension_range': {
      const type = typeWords(/'(.*)'/.exec(summary)?.[1] ?? '')
      const message = `expression of type '${type}' cannot be range of a comprehension (must be list, map, or dynamic)`
      return [{ at: selectionPlace(text, at), message }]
    }
    case 'reserved_identifier':
      return [{ at, message: summary.replace('Reserved', 'reserved') }]
    default:
      return fault?.code && /token|unterminated|character/.test(fault.code) ? syntax(text, at, summary) : [{ at, message: summary }]
  }
}

/** Of a selection it is the dot that is pointed at; within has() the bracket. */
function selectionPlace(text: string, field: number): number {
  const tested = /(?<![\w.])has\s*(?=\([^()]*$)/i.exec(text.slice(0, field))
  if (tested) return tested.index + tested[0].length
  const dot = text.lastIndexOf('.', field - 1)
  return dot < 0 ? field : dot
}

function overload(text: string, fault: Fault, summary: string): Worded {
  const at = fault.range?.start ?? 0
  const unary = /^no such overload: ([!-])(.+)$/.exec(summary)
  if (unary) return { at, message: `found no matching overload for '${unary[1]}_' applied to '(${typeWords(unary[2] ?? '')})'` }
  const [, left, operator, right] = /^no such overload: (.+) (\S+) (.+)$/.exec(summary) ?? []
  if (!operator) return { at, message: summary }
  const name = operator === 'in' ? '@in' : `_${operator}_`
  const place = after(text, parts(fault)[0], operator) ?? at
  return {
    at: place,
    message: `found no matching overload for '${name}' applied to '(${typeWords(left ?? '')}, ${typeWords(right ?? '')})'`,
  }
}

/** Of a call it is the bracket behind the name that is pointed at. */
function call(text: string, fault: Fault, summary: string, environment: Environment): Worded {
  const start = fault.range?.start ?? 0
  const [, receiver = '', name = '', args = ''] = /'(?:(.*)\.)?([^.(]+)\((.*)\)'$/.exec(summary) ?? []
  if (!name) return { at: start, message: summary }
  const target = fault.node?.op === 'rcall' ? (parts(fault)[1]?.end ?? start) : start
  const bracket = text.indexOf('(', Math.max(text.indexOf(name, target), start))
  const at = bracket < 0 ? start : bracket
  const isKnown = !tooNew.has(name) && environment.getDefinitions().functions.some((one) => one.name === name)
  if (!isKnown) return { at, message: `undeclared reference to '${name}' (in container '')` }
  const applied = `${receiver ? `${typeWords(receiver)}.` : ''}(${typeWords(args)})`
  return { at, message: `found no matching overload for '${name}' applied to '${applied}'` }
}

function syntax(text: string, at: number, summary: string): Worded[] {
  const atEnd = { at: text.length, message: `Syntax error: mismatched input '<EOF>' expecting ${anyToken}` }
  if (summary === 'Unexpected token: EOF') {
    const last = text.trimEnd().at(-1)
    if (last === '!') return [{ ...atEnd, message: atEnd.message.replace('mismatched', 'extraneous') }]
    if (last === ',' && text.lastIndexOf('[') > text.lastIndexOf(']'))
      return [{ at: text.length, message: "Syntax error: missing ']' at '<EOF>'" }]
    return [atEnd]
  }
  if (summary.startsWith('Unterminated string')) {
    return [{ at, message: `Syntax error: token recognition error at: '${text.slice(at)}'` }, atEnd]
  }
  const [, wanted = '', got = ''] = /^Expected (\w+), got (\w+)$/.exec(summary) ?? []
  if (wanted === 'IDENTIFIER') {
    const next = got === 'EOF' ? '' : token(text, at)
    const fault = { at, message: `Syntax error: no viable alternative at input '.${next}'` }
    return next && at + next.length === text.length ? [fault, atEnd] : [fault]
  }
  if (wanted === 'RPAREN' && got === 'EOF') return [{ at: text.length, message: "Syntax error: missing ')' at '<EOF>'" }]
  if (wanted === 'RBRACKET' && got === 'EOF')
    return [{ at: text.length, message: "Syntax error: mismatched input '<EOF>' expecting {']', ','}" }]
  const shown = got === 'EOF' ? '<EOF>' : token(text, at)
  if (wanted) return [{ at, message: `Syntax error: mismatched input '${shown}' expecting '${brackets[wanted] ?? wanted}'` }]
  if (summary.startsWith('Unexpected token')) return [{ at, message: `Syntax error: extraneous input '${shown}' expecting ${anyToken}` }]
  if (!/^[=&|] /.test(text.slice(at))) {
    if (/^[\w'"([{)\]}.!]/.test(text.slice(at))) {
      // a single token too many is left out; with more of them behind it nothing helps
      const isLast = text.slice(at + shown.length).trim() === ''
      return [{ at, message: `Syntax error: ${isLast ? 'extraneous' : 'mismatched'} input '${shown}' expecting <EOF>` }]
    }
    const fault = { at, message: `Syntax error: token recognition error at: '${text.charAt(at)}'` }
    return at === 0 && text.length === 1 ? [fault, atEnd] : [fault]
  }
  // A sign that is half of one: read with what follows, and what comes then is one too many.
  const next = at + 2 + (/^\s*/.exec(text.slice(at + 2))?.[0].length ?? 0)
  return [
    { at, message: `Syntax error: token recognition error at: '${text.slice(at, at + 2)}'` },
    ...(next < text.length ? [{ at: next, message: `Syntax error: extraneous input '${token(text, next)}' expecting <EOF>` }] : []),
  ]
}

function token(text: string, at: number): string {
  return /^(?:\w+|"[^"]*"|'[^']*'|&&|\|\||[=!<>]=|.)/.exec(text.slice(at))?.[0] ?? ''
}

/** Where a sign stands behind an operand. */
function after(text: string, operand: Part | undefined, sign: string): number | undefined {
  if (operand?.end === undefined) return undefined
  const found = text.indexOf(sign, operand.end)
  return found < 0 ? undefined : found
}

function parts({ node }: Fault): Part[] {
  return Array.isArray(node?.args) ? (node.args as Part[]) : []
}

/** A type as cel-go writes it. */
function typeWords(type: string): string {
  let words = type
  for (let previous = ''; previous !== words; ) {
    previous = words
    words = words.replace(/\b(list|map|type)<([^<>]*)>/g, '$1($2)').replace(/\boptional<([^<>]*)>/g, 'optional_type($1)')
  }
  // The library's names of types have no sign for it.
  words = words.replace(/\.__(idx|elem)\b/g, '.@$1')
  return words.replaceAll('google.protobuf.Timestamp', 'timestamp').replaceAll('google.protobuf.Duration', 'duration')
}
