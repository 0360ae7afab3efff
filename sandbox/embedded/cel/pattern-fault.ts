import { goRegExp, PatternError } from '../machinery/go-regexp.ts'

/** Why Go would not take a pattern, in its words; undefined when it does. */
export function patternFault(pattern: string): string | undefined {
  try {
    goRegExp(pattern)
    return undefined
  } catch (error) {
    if (error instanceof PatternError) return error.message
    throw error
  }
}
