import { RE2JS, RE2JSException } from 're2js'
import { bounded, RanTooLong } from './bounded.ts'

/**
 * An expression of JavaScript whose search takes no longer than in proportion to the text: users bring expressions, and the
 * language's own engine may take for ever where grep, Go and RE2 do not. What an automaton cannot do (references back, looking
 * ahead or behind) is given up after a while: PatternTimeout. Throws SyntaxError as RegExp does.
 */
export function linearRegExp(source: string, flags = ''): RegExp {
  const expression = new RegExp(source, flags)
  return weigh(source).choices === 0 ? expression : new LinearRegExp(source, flags)
}

/** An expression that backtracks for too long on some text, and no automaton could take its place. */
export class PatternTimeout extends Error {}

/** What all methods of strings and expressions search with is `exec`. */
class LinearRegExp extends RegExp {
  private readonly weight = weigh(this.source)
  private automaton: RE2JS | null | undefined

  override exec(text: string): RegExpExecArray | null {
    if (isQuick(this.weight, text.length)) return super.exec(text)
    const automaton = (this.automaton ??= automatonOf(this.source, this.flags))
    return automaton ? this.search(automaton, text) : boundedExec(this, text)
  }

  private search(automaton: RE2JS, text: string): RegExpExecArray | null {
    const moves = this.global || this.sticky
    const from = moves ? this.lastIndex : 0
    const matcher = automaton.matcher(text)
    const found = from <= text.length && matcher.find(from) && (!this.sticky || matcher.start() === from)
    if (moves) this.lastIndex = found ? matcher.end() : 0
    if (!found) return null
    const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, index) => matcher.group(index) ?? undefined)
    const names = Object.entries(automaton.namedGroups())
    const named = names.length > 0 ? Object.fromEntries(names.map(([name, index]) => [name, groups[index]])) : undefined
    return Object.assign(groups, { index: matcher.start(), input: text, groups: named }) as unknown as RegExpExecArray
  }
}

/** How much an expression can try at one place, as the logarithms of what it costs. */
interface Weight {
  /** Parts that may be there or not, or be one of several. */
  choices: number
  /** Parts of any length; Infinity where such parts stand in each other. */
  loops: number
  anchored: boolean
}

function weigh(source: string): Weight {
  const plain = source.replace(/\\./gs, '_').replace(/\[[^\]]*\]/g, '_')
  const loops = plain.match(/[*+]|\{\d+,\}|\{\d{2,},?\d*\}|\{\d*,\d{2,}\}/g)?.length ?? 0
  const options = plain.match(/[^*+?}(]\?|\||\{\d*,?\d\}/g)?.length ?? 0
  const nested = /\)(?:[*+]|\{\d+,|\{\d{2,})/.test(plain)
  return {
    choices: loops + options,
    loops: nested ? Number.POSITIVE_INFINITY : loops,
    anchored: plain.startsWith('^') && !plain.includes('|'),
  }
}

/** Whether trying everything takes no longer than a millisecond or two. */
function isQuick({ choices, loops, anchored }: Weight, length: number): boolean {
  const paths = Math.log2(length + 2)
  return choices - loops + (loops + (anchored ? 0 : 1)) * paths <= mostTries
}

/**
 * The logarithm of how many steps an expression may take in JavaScript's
 * engine, which is many times as fast where it does not backtrack.
 */
const mostTries = 22

/** Null for what an automaton cannot do. */
function automatonOf(source: string, flags: string): RE2JS | null {
  const known = { i: RE2JS.CASE_INSENSITIVE, m: RE2JS.MULTILINE, s: RE2JS.DOTALL } as const
  const options = Object.entries(known).reduce((all, [flag, option]) => (flags.includes(flag) ? all | option : all), 0)
  try {
    return RE2JS.compile(RE2JS.translateRegExp(source), options)
  } catch (error) {
    if (error instanceof RE2JSException) return null
    throw error
  }
}

/** ms of CPU for one search. */
const longest = 40

function boundedExec(expression: RegExp, text: string): RegExpExecArray | null {
  const plain = new RegExp(expression.source, expression.flags)
  try {
    return bounded(() => {
      plain.lastIndex = expression.lastIndex
      const found = plain.exec(text)
      expression.lastIndex = plain.lastIndex
      return found
    }, longest)
  } catch (error) {
    if (!(error instanceof RanTooLong)) throw error
    throw new PatternTimeout(`the pattern ${expression.source} takes too long on a text of ${text.length} characters`, { cause: error })
  }
}
