import type { Environment } from '@marcbachmann/cel-js'
import { goRegExp } from '../machinery/go-regexp.ts'
import type { Worded } from './fault-words.ts'
import { withStandIns } from './library/stand-ins.ts'

interface Node {
  op: string
  args: unknown
  start?: number
  end?: number
}

/** In the library of lists, which new expressions may use from 1.35 on, and in that of strings, of which a later version has it. */
export const tooNew: ReadonlySet<string> = new Set(['slice', 'flatten', 'distinct', 'reverse', 'sort', 'sortBy'])

/**
 * What cel-go finds wrong with an expression whose types are right: patterns, durations and times that are none, lists of
 * literals of several types, functions that are not there yet.
 */
export function literalFaults(environment: Environment, text: string): Worded[] {
  const faults: Worded[] = []
  visit(environment.parse(withStandIns(text)).ast as unknown as Node)
  return faults.sort((a, b) => a.at - b.at)

  function visit(node: unknown): void {
    if (Array.isArray(node)) for (const part of node) visit(part)
    else if (isNode(node)) {
      const fault = faultOf(node)
      if (fault) faults.push(fault)
      visit(node.args)
    }
  }

  function faultOf(node: Node): Worded | undefined {
    if (node.op === 'list') return mixed(node.args as Node[])
    if (node.op === 'map') return mixed((node.args as [Node, Node][]).map(([, value]) => value))
    if (node.op !== 'call' && node.op !== 'rcall') return undefined
    const [name, target, last] = node.args as [string, unknown, unknown]
    const [first] = (node.op === 'call' ? target : last) as Node[]
    if (node.op === 'rcall' && tooNew.has(name)) {
      const at = text.indexOf('(', text.indexOf(name, (target as Node).end ?? 0))
      return { at, message: `undeclared reference to '${name}' (in container '')` }
    }
    const literal = first?.op === 'value' && typeof first.args === 'string' ? first.args : undefined
    if (literal === undefined) return undefined
    const isWrong = (/^[mM]atches$/.test(name) && !isPattern(literal)) || (isTime(name) && !isValue(environment, name, literal))
    return isWrong ? { at: first?.start ?? 0, message: `invalid ${name.toLowerCase()} argument` } : undefined
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'op' in value && 'args' in value
}

function isTime(name: string): boolean {
  return name === 'duration' || name === 'timestamp'
}

function mixed(items: readonly Node[]): Worded | undefined {
  const [first] = items
  if (!first || items.some(({ op }) => op !== 'value')) return undefined
  const wanted = typeName(first.args)
  const other = items.find(({ args }) => typeName(args) !== wanted)
  return other && { at: other.start ?? 0, message: `expected type '${wanted}' but found '${typeName(other.args)}'` }
}

function typeName(value: unknown): string {
  const names: Record<string, string> = { string: 'string', bigint: 'int', number: 'double', boolean: 'bool' }
  return names[typeof value] ?? (value === null ? 'null' : value instanceof Uint8Array ? 'bytes' : 'uint')
}

function isPattern(pattern: string): boolean {
  try {
    goRegExp(pattern)
    return true
  } catch {
    return false
  }
}

function isValue(environment: Environment, name: string, text: string): boolean {
  try {
    environment.evaluate(`${name}(${JSON.stringify(text)})`)
    return true
  } catch {
    return false
  }
}
