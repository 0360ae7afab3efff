import { linearRegExp } from '../../machinery/linear-regexp.ts'
import { classes } from '../shell/pattern.ts'

/** A POSIX basic or extended regular expression as JavaScript's, with an end. Throws SyntaxError as RegExp does. */
export function posixRegExp(source: string, extended: boolean, flags = ''): RegExp {
  return linearRegExp(translate(source, extended), flags)
}

function translate(source: string, extended: boolean): string {
  let out = ''
  for (let at = 0; at < source.length; at++) {
    const char = source[at] as string
    if (char === '[') {
      const end = bracketEnd(source, at)
      if (end === -1) throw new SyntaxError('Unmatched [')
      out += bracket(source.slice(at + 1, end))
      at = end
      continue
    }
    if (char === '\\') {
      const next = source[++at]
      if (next === undefined) throw new SyntaxError('Trailing backslash')
      if (!extended && /[(){}|+?]/.test(next)) out += next
      else if (next === '<' || next === '>') out += '\\b'
      else if (/[wWsSbBdDnt1-9]/.test(next)) out += `\\${next}`
      else out += /[a-zA-Z]/.test(next) ? next : `\\${next}`
      continue
    }
    if (!extended && /[(){}|+?]/.test(char)) {
      out += `\\${char}`
      continue
    }
    // A star with nothing before it is itself, as is a ^ or $ in the middle of a basic expression.
    if (char === '*' && (out === '' || (!extended && (out === '^' || /(?:^|[^\\])\($/.test(out))))) out += '\\*'
    else if (!extended && char === '^' && at > 0 && !/(?:\(|\|)$/.test(out)) out += '\\^'
    else if (!extended && char === '$' && at < source.length - 1 && !/^\\[)|]/.test(source.slice(at + 1))) out += '\\$'
    else if (extended && char === '{' && !/^\{\d*,?\d*\}/.test(source.slice(at))) out += '\\{'
    else out += char
  }
  return out
}

function bracketEnd(source: string, open: number): number {
  let at = open + 1
  if (source[at] === '^') at++
  if (source[at] === ']') at++
  for (; at < source.length; at++) {
    if (/^\[[:.=]/.test(source.slice(at, at + 2))) {
      const end = source.indexOf(`${source[at + 1]}]`, at + 2)
      if (end !== -1) at = end + 1
    } else if (source[at] === ']') return at
  }
  return -1
}

function bracket(body: string): string {
  const negated = body.startsWith('^')
  let inner = ''
  const text = negated ? body.slice(1) : body
  for (let at = 0; at < text.length; at++) {
    const named = /^\[:(\w+):\]/.exec(text.slice(at))
    if (named) {
      inner += classes[named[1] as string] ?? ''
      at += named[0].length - 1
    } else if (text[at] === '\\' && /[nt]/.test(text[at + 1] ?? '')) inner += `\\${text[++at]}`
    else inner += /[\\[\]^]/.test(text[at] as string) ? `\\${text[at]}` : text[at]
  }
  return `[${negated ? '^' : ''}${inner}]`
}
