import type { Fault } from './faults.ts'

export type TokenKind = 'end' | 'sign' | 'identifier' | 'escaped' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'literal'

export interface Token {
  readonly kind: TokenKind
  readonly text: string
  /** In code points. */
  readonly at: number
}

const escaped = String.raw`\\(?:[abfnrtv"'\\?${'`'}]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})`
const text = [
  `"""(?:${escaped}|[^\\\\])*?"""`,
  `'''(?:${escaped}|[^\\\\])*?'''`,
  `"(?:${escaped}|[^\\\\"\\n\\r])*"`,
  `'(?:${escaped}|[^\\\\'\\n\\r])*'`,
  '[rR]"""[\\s\\S]*?"""',
  "[rR]'''[\\s\\S]*?'''",
  '[rR]"[^"\\n\\r]*"',
  "[rR]'[^'\\n\\r]*'",
].join('|')
const exponent = '[eE][+-]?\\d+'

/** The rules of CEL's grammar; of several that match the longest counts, then the first. */
const rules: readonly [TokenKind | 'hidden', RegExp][] = (
  [
    ['sign', '==|!=|<=|>=|&&|\\|\\||[<>[\\]{}().,\\-!?:+*/%]'],
    ['sign', 'in(?![A-Za-z0-9_])'],
    ['literal', '(?:true|false|null)(?![A-Za-z0-9_])'],
    ['hidden', '[\\t \\r\\n\\f]+'],
    ['hidden', '//[^\\n]*'],
    ['double', `\\d+\\.\\d+(?:${exponent})?|\\d+${exponent}|\\.\\d+(?:${exponent})?`],
    ['int', '0x[0-9a-fA-F]+|\\d+'],
    ['uint', '(?:0x[0-9a-fA-F]+|\\d+)[uU]'],
    ['bytes', `[bB](?:${text})`],
    ['string', text],
    ['identifier', '[A-Za-z_][A-Za-z0-9_]*'],
    ['escaped', '`[A-Za-z0-9_.\\-/ ]+`'],
  ] as const
).map(([kind, source]) => [kind, new RegExp(source, 'y')])

/** Splits a text; what is no token is told of and left out. The last token is the end. */
export function tokensOf(source: string): { tokens: Token[]; faults: Fault[] } {
  const tokens: Token[] = []
  const faults: Fault[] = []
  let [index, at] = [0, 0]
  while (index < source.length) {
    let [longest, found]: [string, TokenKind | 'hidden' | undefined] = ['', undefined]
    for (const [kind, rule] of rules) {
      rule.lastIndex = index
      const match = rule.exec(source)?.[0]
      if (match !== undefined && match.length > longest.length) [longest, found] = [match, kind]
    }
    const taken = found ? longest : unrecognized(source, index)
    if (!found) faults.push({ at, message: `Syntax error: token recognition error at: '${taken}'` })
    else if (found !== 'hidden') tokens.push({ kind: found, text: taken, at })
    index += taken.length
    at += [...taken].length
  }
  tokens.push({ kind: 'end', text: '<EOF>', at })
  return { tokens, faults }
}

/** As far as something could have become a token, and the character with which it could not. */
function unrecognized(source: string, index: number): string {
  const rest = source.slice(index)
  const begun =
    /^(?:[=&|]|[bB]?(?:"""(?:\\[\s\S]|[^\\])*|'''(?:\\[\s\S]|[^\\])*|"(?:\\["'\\?`abfnrtv0-7xXuU]|[^\\"\n\r])*|'(?:\\["'\\?`abfnrtv0-7xXuU]|[^\\'\n\r])*)|`[A-Za-z0-9_.\-/ ]*)/.exec(
      rest,
    )?.[0] ?? ''
  const next = [...rest.slice(begun.length)][0] ?? ''
  return begun + next || rest.slice(0, 1)
}
