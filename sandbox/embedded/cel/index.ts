import { createContext, Script } from 'node:vm'
import { Environment } from '@marcbachmann/cel-js'
import { registerAddresses } from './library/addresses.ts'
import { registerAuthorizer } from './library/authorizer.ts'
import { registerCollections } from './library/collections.ts'
import { registerStandIns, withStandIns } from './library/stand-ins.ts'
import { registerText } from './library/text.ts'
import { registerValues } from './library/values.ts'

export { CelAuthorizer, resourceCheck } from './library/authorizer.ts'
export { toCel } from './values.ts'

/** A compiled expression. Throws an Error with the reason when it cannot be evaluated. */
export type Expression = (variables: Readonly<Record<string, unknown>>) => unknown

const compiled = new Map<string, Expression>()
const mostCompiled = 2000

/** Compiles a Common Expression Language expression with Kubernetes' libraries; every variable is dynamic. Throws on bad syntax. */
export function compile(text: string): Expression {
  const known = compiled.get(text)
  if (known) return known
  const parsed = dynamic.parse(withStandIns(text))
  const plain: Expression = (variables) => parsed(variables as Record<string, unknown>)
  const expression = mayRunLong(text) ? bounded(plain) : plain
  if (compiled.size >= mostCompiled) compiled.clear()
  compiled.set(text, expression)
  return expression
}

/** An environment with Kubernetes' libraries, for one's own variables and types. */
export function newEnvironment(options: { unlistedVariablesAreDyn?: boolean } = {}): Environment {
  return base.clone(options)
}

const base = new Environment({ homogeneousAggregateLiterals: false, enableOptionalTypes: true })
for (const register of [registerText, registerCollections, registerValues, registerAddresses, registerAuthorizer, registerStandIns])
  register(base)
const dynamic = newEnvironment({ unlistedVariablesAreDyn: true })

/** Loops in loops and patterns that somebody brings: all else is over in no time. */
function mayRunLong(text: string): boolean {
  return /\bmatches\(/.test(text) || (text.match(/\.(?:all|exists|exists_one|map|filter)\(/g) ?? []).length > 1
}

/** Real ms: an expression holds up the whole process. */
const longest = 1000
const sandbox = createContext({})
const script = new Script('run()')

/** The real server counts cost; here it is the time that counts, with the same words. */
function bounded(expression: Expression): Expression {
  return (variables) => {
    Object.assign(sandbox, { run: () => expression(variables) })
    try {
      return script.runInContext(sandbox, { timeout: longest })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
      throw new Error('operation cancelled: actual cost limit exceeded', { cause: error })
    }
  }
}
