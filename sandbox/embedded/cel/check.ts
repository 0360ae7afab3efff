import type { Environment, TypeCheckResult } from '@marcbachmann/cel-js'
import { type Fault, worded } from './fault-words.ts'
import { newEnvironment } from './index.ts'
import { withStandIns } from './library/stand-ins.ts'
import { literalFaults } from './literals.ts'

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
  const faults = valid ? literalFaults(environment, text) : worded(text, error, environment)
  if (faults.length > 0) return `compilation failed: ${faults.map(({ at, message }) => located(text, at, message)).join('\n')}`
  // What the library takes for dyn may be better known to cel-go; a part of something dynamic is not.
  const isUnknown = type === 'dyn' && !(returns && isSelection(environment, text))
  if (!returns || isUnknown || returns.includes(type)) return undefined
  return `must evaluate to ${returns.length === 1 ? returns[0] : `one of [${returns.join(' ')}]`} but got ${type}`
}

/** The type that an expression comes to: a simple one by name, `dyn` for all else. */
export function typeIn(environment: Environment, text: string): string {
  const { type = 'dyn' } = checked(environment, text)
  return ['bool', 'int', 'uint', 'double', 'string', 'bytes'].includes(type) ? type : 'dyn'
}

/** Whether an expression, a valid one, uses a variable. */
export function names(environment: Environment, text: string, variable: string): boolean {
  const within = (node: unknown): boolean => {
    if (Array.isArray(node)) return node.some(within)
    if (typeof node !== 'object' || node === null || !('op' in node) || !('args' in node)) return false
    return (node.op === 'id' && node.args === variable) || within(node.args)
  }
  return within(environment.parse(withStandIns(text)).ast)
}

/** Whether an expression does nothing but select a part of something, which is no variable that an expression gives. */
function isSelection(environment: Environment, text: string): boolean {
  const { op } = environment.parse(withStandIns(text)).ast
  return ['.', '[]', 'id'].includes(op) && !names(environment, text, 'variables')
}

function checked(environment: Environment, text: string): { valid: boolean; type?: string; error?: Fault } {
  try {
    const result: TypeCheckResult = environment.check(withStandIns(text).replace(/(?<![\w.])has(?=\()/g, 'Has'))
    return { valid: result.valid, ...(result.type ? { type: result.type } : {}), ...(result.error ? { error: result.error as Fault } : {}) }
  } catch (error) {
    return { valid: false, error: error as Fault }
  }
}

/** As cel-go shows a fault: where, what, and the line with a mark under the place. */
function located(text: string, place: number, message: string): string {
  if (text === '') return `ERROR: <input>:1:0: ${message}`
  const start = Math.min(place, text.length)
  const before = text.slice(0, start)
  const line = before.split('\n').length
  const column = start - (before.lastIndexOf('\n') + 1)
  const shown = text.split('\n')[line - 1] ?? ''
  return `ERROR: <input>:${line}:${column + 1}: ${message}\n | ${shown}\n | ${'.'.repeat(column)}^`
}
