import { RE2JS, RE2JSException } from 're2js'
import { remembering } from './remembering.ts'

/**
 * An expression as Go's regexp package reads it; a search takes time in proportion to the text. Throws PatternError with Go's
 * words. The same pattern gives the same expression: they hold nothing.
 */
export function goRegExp(pattern: string): GoRegExp {
  return compiled(pattern)
}

export interface GoRegExp {
  test(text: string): boolean
  /** All that it finds, from left to right, without overlaps; so many at most. */
  findAll(text: string, limit?: number): string[]
}

/** A pattern that Go does not take: "error parsing regexp: missing closing ): `(`". */
export class PatternError extends Error {}

/** Expressions of all clusters of this process; each takes some kB. */
const compiled = remembering(compile, { most: 500 })

function compile(pattern: string): GoRegExp {
  const expression = parsed(pattern)
  return {
    test: (text) => expression.matcher(text).find(),
    findAll(text, limit = Number.POSITIVE_INFINITY) {
      const matcher = expression.matcher(text)
      const found: string[] = []
      while (found.length < limit && matcher.find()) found.push(matcher.group(0) ?? '')
      return found
    },
  }
}

function parsed(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern)
  } catch (error) {
    if (error instanceof RE2JSException) throw new PatternError(error.message, { cause: error })
    throw error
  }
}
