import { createContext, Script } from 'node:vm'

/** Real ms: a pattern has no business with the cluster's clock, it holds up the whole process. */
const longest = 100
/** On a busy machine a process may stand still for longer than that; a pattern that is at fault takes long each time. */
const attempts = 3
/** Up to this length no pattern without repeated groups takes long. */
const shortText = 256
const repeatsGroup = /\)(?:[*+]|\{\d+,)/

const sandbox = createContext({})
const search = new Script('expression.exec(text)')
const searchAll = new Script('text.match(expression)')

/** An expression that backtracks for longer than a tenth of a second on some text. */
export class PatternTimeout extends Error {}

/** RegExp.exec with an end: users bring patterns, and JavaScript's may take forever where Go's are linear. Throws PatternTimeout. */
export function boundedExec(expression: RegExp, text: string): RegExpExecArray | null {
  if (text.length <= shortText && !repeatsGroup.test(expression.source)) return expression.exec(text)
  return bounded(search, expression, text) as RegExpExecArray | null
}

/** All that a global expression finds, likewise. Throws PatternTimeout. */
export function boundedFindAll(expression: RegExp, text: string): string[] {
  return (bounded(searchAll, expression, text) as string[] | null) ?? []
}

function bounded(script: Script, expression: RegExp, text: string, left = attempts): unknown {
  Object.assign(sandbox, { expression, text })
  try {
    return script.runInContext(sandbox, { timeout: longest })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    if (left > 1) return bounded(script, expression, text, left - 1)
    throw new PatternTimeout(`the pattern ${expression.source} takes too long on a text of ${text.length} characters`, { cause: error })
  }
}
