import { linearRegExp } from '../../machinery/linear-regexp.ts'

/** Shell patterns as regular expressions. A backslash in a pattern quotes the next character. */
export function patternSource(pattern: string, star = '[^]*', one = '[^]'): string {
  let out = ''
  for (let index = 0; index < pattern.length; index++) {
    const char = pattern[index] as string
    if (char === '\\') out += literally(pattern[++index] ?? '\\')
    else if (/[@?*+!]/.test(char) && pattern[index + 1] === '(') {
      const close = closing(pattern, index + 1)
      if (close === -1) {
        out += plain(char, star, one)
        continue
      }
      const alternatives = alternativesOf(pattern.slice(index + 2, close)).map((each) => patternSource(each, star, one))
      const group = `(?:${alternatives.join('|')})`
      out += char === '!' ? `(?:(?!${group}$)${star})` : char === '@' ? group : `${group}${char}`
      index = close
    } else if (char === '[') {
      const end = bracketEnd(pattern, index)
      if (end === -1) out += '\\['
      else {
        out += bracket(pattern.slice(index + 1, end))
        index = end
      }
    } else out += plain(char, star, one)
  }
  return out
}

export function matches(pattern: string, text: string, ignoreCase = false): boolean {
  return compiled(pattern, ignoreCase).test(text)
}

/** Takes the pattern's special characters literally. */
export function quotePattern(text: string): string {
  return text.replace(/[\\*?[\]@+!(){}|]/g, '\\$&')
}

export function unquotePattern(text: string): string {
  return text.replace(/\\(.)/gs, '$1')
}

export function hasWildcard(pattern: string): boolean {
  return /(?:^|[^\\])(?:\\\\)*(?:[*?]|\[[^\]]*\]|[@+!]\()/.test(pattern)
}

const cache = new Map<string, RegExp>()

function compiled(pattern: string, ignoreCase: boolean): RegExp {
  const key = ignoreCase ? `i${pattern}` : `s${pattern}`
  let regexp = cache.get(key)
  if (!regexp) {
    if (cache.size > 500) cache.clear()
    regexp = linearRegExp(`^(?:${patternSource(pattern)})$`, ignoreCase ? 'iu' : 'u')
    cache.set(key, regexp)
  }
  return regexp
}

function plain(char: string, star: string, one: string): string {
  return char === '*' ? star : char === '?' ? one : literally(char)
}

function literally(char: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char
}

function closing(pattern: string, open: number): number {
  let depth = 0
  for (let index = open; index < pattern.length; index++) {
    if (pattern[index] === '\\') index++
    else if (pattern[index] === '(') depth++
    else if (pattern[index] === ')' && --depth === 0) return index
  }
  return -1
}

function alternativesOf(text: string): string[] {
  const parts: string[] = ['']
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    const char = text[index] as string
    if (char === '(') depth++
    if (char === ')') depth--
    if (char === '|' && depth === 0) parts.push('')
    else parts[parts.length - 1] += char === '\\' ? char + (text[++index] ?? '') : char
  }
  return parts
}

function bracketEnd(pattern: string, open: number): number {
  let index = open + 1
  if (pattern[index] === '!' || pattern[index] === '^') index++
  if (pattern[index] === ']') index++
  for (; index < pattern.length; index++) {
    if (pattern[index] === '\\') index++
    else if (pattern.startsWith('[:', index)) {
      const end = pattern.indexOf(':]', index)
      if (end !== -1) index = end + 1
    } else if (pattern[index] === ']') return index
  }
  return -1
}

function bracket(body: string): string {
  const negated = body.startsWith('!') || body.startsWith('^')
  let inner = ''
  const text = negated ? body.slice(1) : body
  for (let index = 0; index < text.length; index++) {
    const named = /^\[:(\w+):\]/.exec(text.slice(index))
    if (named) {
      inner += classes[named[1] as string] ?? ''
      index += named[0].length - 1
      continue
    }
    const char = text[index] as string
    if (char === '\\') inner += escapeInClass(text[++index] ?? '\\')
    else if (char === '-' && index > 0 && index < text.length - 1) inner += '-'
    else inner += escapeInClass(char)
  }
  return `[${negated ? '^' : ''}${inner}]`
}

function escapeInClass(char: string): string {
  return /[\\\]^[\-&~|!#%,:;<=>@`]/.test(char) && /[\\\]^[-]/.test(char) ? `\\${char}` : char
}

/** POSIX classes as the inside of a bracket expression. */
export const classes: Record<string, string> = {
  alpha: 'a-zA-Z',
  digit: '0-9',
  alnum: 'a-zA-Z0-9',
  upper: 'A-Z',
  lower: 'a-z',
  space: '\\s',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`\\{-~',
  xdigit: '0-9a-fA-F',
  word: '\\w',
  cntrl: '\\x00-\\x1f\\x7f',
  print: '\\x20-\\x7e',
  graph: '\\x21-\\x7e',
}
