import type { Environment, TypeCheckResult } from '@marcbachmann/cel-js'
import { newEnvironment } from './index.ts'
import { withStandIns } from './library/stand-ins.ts'

/** What an expression may name, with its CEL type. */
export type Variables = Readonly<Record<string, string>>

const environments = new Map<string, Environment>()

/** What is wrong with an expression before it ever runs, in the words of the server's compiler; undefined when nothing is. Without `returns` it may come to anything. */
export function problemOf(text: string, variables: Variables, returns?: readonly string[]): string | undefined {
  const key = JSON.stringify(variables)
  let environment = environments.get(key)
  if (!environment) {
    environment = newEnvironment()
    for (const [name, type] of Object.entries(variables)) environment.registerVariable(name, type)
    environments.set(key, environment)
  }
  return problemIn(environment, text, returns)
}

/** The same in an environment of one's own. */
export function problemIn(environment: Environment, text: string, returns?: readonly string[]): string | undefined {
  const { valid, type = 'dyn', error } = checked(environment, text)
  if (!valid) return `compilation failed: ${located(text, error)}`
  if (!returns || type === 'dyn' || returns.includes(type)) return undefined
  return `must evaluate to ${returns.length === 1 ? returns[0] : `one of [${returns.join(' ')}]`} but got ${type}`
}

interface Fault {
  code?: string
  summary?: string
  message: string
  range?: { start: number; end: number }
  node?: { args?: unknown }
}

function checked(environment: Environment, text: string): { valid: boolean; type?: string; error?: Fault } {
  try {
    const result: TypeCheckResult = environment.check(withStandIns(text))
    return { valid: result.valid, ...(result.type ? { type: result.type } : {}), ...(result.error ? { error: result.error as Fault } : {}) }
  } catch (error) {
    return { valid: false, error: error as Fault }
  }
}

/** As cel-go shows a fault: where, what, and the line with a mark under the place. */
function located(text: string, fault: Fault | undefined): string {
  const start = Math.min(placeOf(text, fault), text.length)
  const before = text.slice(0, start)
  const line = before.split('\n').length
  const column = start - (before.lastIndexOf('\n') + 1)
  const shown = text.split('\n')[line - 1] ?? ''
  return `ERROR: <input>:${line}:${column + 1}: ${wording(fault)}\n | ${shown}\n | ${'.'.repeat(column)}^`
}

/** Of an operator that does not fit its operands it is the operator that is pointed at. */
function placeOf(text: string, fault: Fault | undefined): number {
  const start = fault?.range?.start ?? 0
  const [left, right] = (Array.isArray(fault?.node?.args) ? fault.node.args : []) as { start?: number; end?: number }[]
  if (fault?.code !== 'no_such_overload' || left?.end === undefined || right?.start === undefined) return start
  return left.end + Math.max(0, text.slice(left.end, right.start).search(/[^\s)]/))
}

function wording(fault: Fault | undefined): string {
  const summary = fault?.summary ?? fault?.message ?? ''
  switch (fault?.code) {
    case 'unknown_variable':
      return `undeclared reference to '${summary.replace(/^Unknown variable: /, '')}' (in container '')`
    case 'no_such_key':
      return `undefined field '${summary.replace(/^No such key: /, '')}'`
    case 'no_such_overload': {
      const [, left, operator, right] = /^no such overload: (\S+) (\S+) (\S+)$/.exec(summary) ?? []
      return operator ? `found no matching overload for '_${operator}_' applied to '(${left}, ${right})'` : summary
    }
    case 'no_matching_overload': {
      const [, receiver = '', name = '', args = ''] = /'(?:(.*)\.)?([^.(]+)\((.*)\)'$/.exec(summary) ?? []
      return name ? `found no matching overload for '${name}' applied to '${receiver ? `${receiver}.` : ''}(${args})'` : summary
    }
    case 'invalid_logical_operand':
      return summary
    default:
      return fault?.code && /token|unterminated|character|expected/.test(fault.code) ? `Syntax error: ${summary}` : summary
  }
}
