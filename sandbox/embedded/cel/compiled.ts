import type { Environment, Program } from './environment.ts'
import { CompileError } from './faults.ts'
import { typeName } from './types.ts'

/** An expression that can be evaluated, or what is wrong with it in the API server's words. */
export type Compiled =
  | { readonly program: Program; readonly problem?: undefined }
  | { readonly problem: string; readonly program?: undefined }

/**
 * Compiles an expression that is to come to one of these types, by their names; without them it may come to anything. `wrapped`:
 * whether a wrapper message (google.protobuf.BoolValue) will do for what it holds.
 */
export function compiled(environment: Environment, text: string, returns?: readonly string[], { wrapped = true } = {}): Compiled {
  let program: Program
  try {
    program = environment.compile(text)
  } catch (error) {
    if (error instanceof CompileError) return { problem: `compilation failed: ${error.message}` }
    throw error
  }
  const type = typeName(program.type)
  const isWanted = !returns || returns.includes(type) || (wrapped && program.type.nullable && returns.includes(program.type.name))
  if (!isWanted) {
    return { problem: `must evaluate to ${returns.length === 1 ? returns[0] : `one of [${returns.join(' ')}]`} but got ${type}` }
  }
  const fault = program.fault()
  return fault === undefined ? { program } : { problem: `program instantiation failed: ${fault}` }
}
