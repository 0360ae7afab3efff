import type { Environment } from '@marcbachmann/cel-js'
import { goRegExp } from '../../machinery/go-regexp.ts'

/** What the library's evaluator and checker do for a macro; its typings leave them open. */
interface Node {
  op: string
  args: [Node, string]
}
interface Evaluator {
  run(node: Node, context: unknown): unknown
  debugType(value: unknown): { fieldLazy(value: unknown, field: string, node: Node, evaluator: Evaluator): unknown }
}
interface Checker {
  check(node: Node, context: unknown): unknown
  getType(name: string): unknown
  createError(code: string, message: string, node: Node): Error
}
interface Macro {
  args: [Node]
}

/** In an expression as it is given: has() of a field that is not reached by names alone, such as self.rules[0].path. */
const beyondNames = /(?<![\w.])has(?=\((?![\w.?\s]*\)))/g
/** Of a pattern as Go has it; the library's is JavaScript's, which may take for ever. */
const matching = /\.matches(?=\()/g

/**
 * Where the library's own has() and matches() take less than cel-go's, ours take their place under names of the same length,
 * so that faults are shown where they are.
 */
export function withStandIns(text: string): string {
  return text.replace(beyondNames, 'Has').replace(matching, '.Matches')
}

export function registerStandIns(environment: Environment): void {
  const expand = ({ args }: { args: [Node] }) => ({ args, evaluate, typeCheck, async: false })
  environment
    .registerFunction('Has(ast): bool', expand as never)
    .registerFunction('string.Matches(string): bool', (text: string, pattern: string) => goRegExp(pattern).test(text))
}

function evaluate(evaluator: Evaluator, { args: [node] }: Macro, context: unknown): boolean {
  const object = evaluator.run(node.args[0], context)
  return evaluator.debugType(object).fieldLazy(object, node.args[1], node, evaluator) !== undefined
}

function typeCheck(checker: Checker, { args: [node] }: Macro, context: unknown): unknown {
  if (node.op !== '.') throw checker.createError('invalid_macro_argument', 'invalid argument to has() macro', node)
  checker.check(node, context)
  return checker.getType('bool')
}
