import type { Environment } from '@marcbachmann/cel-js'
import { functionEstimate, most, type Operand, resultKinds, type Size, scaled, times } from './cost-of-functions.ts'
import type { DeclaredType, Kind, Type } from './declared-type.ts'
import { withStandIns } from './library/stand-ins.ts'

interface Node {
  op: string
  args: unknown
}

interface Entry {
  key: Size
  value: Size
}

interface Local {
  path: readonly string[]
  type: Type
  size?: Size | undefined
}

const unknown: Size = { min: 0, max: most }
const dyn: Type = { kind: 'dyn' }
const scalars: ReadonlySet<Kind> = new Set(['bool', 'double', 'duration', 'int', 'timestamp', 'uint'])
const listBase = 10
const mapBase = 30
const namespaces: ReadonlySet<string> = new Set(['optional', 'sets', 'ip', 'cidr', 'format', 'jsonpatch', 'math', 'strings'])

/**
 * The most that an expression about a value of this type can cost, in CEL's units of cost, as the API server reckons before it
 * accepts a rule. The expression must be a valid one. Source: cel-go's checker/cost.go, apiserver/pkg/cel/library/cost.go.
 */
export function estimatedCost(environment: Environment, text: string, root: DeclaredType): number {
  return new Coster(root).cost(environment.parse(withStandIns(text)).ast as unknown as Node)
}

class Coster {
  private readonly root: DeclaredType
  private readonly paths = new Map<Node, readonly string[]>()
  private readonly types = new Map<Node, Type>()
  private readonly sizes = new Map<Node, Size>()
  private readonly entries = new Map<Node, Entry>()
  private readonly locals = new Map<string, Local[]>()

  constructor(root: DeclaredType) {
    this.root = root
  }

  cost(node: Node): number {
    switch (node.op) {
      case 'value':
        this.types.set(node, { kind: kindOf(node.args) })
        return 0
      case 'id':
        return this.identifier(node, node.args as string)
      case '.':
        return this.select(node, node.args as [Node, string])
      case '.?': {
        const [operand, name] = node.args as [Node, string]
        const cost = 1 + this.cost(operand)
        this.types.set(node, { kind: 'optional', element: fieldOf(this.typeOf(operand), name) })
        return cost
      }
      case '[]':
      case '[?]':
        return this.index(node, node.args as [Node, Node])
      case 'list':
        return this.list(node, node.args as Node[])
      case 'map':
        return this.map(node, node.args as [Node, Node][])
      case '?:':
        return this.conditional(node, node.args as [Node, Node, Node])
      case '!_':
      case '-_': {
        const cost = 1 + this.cost(node.args as Node)
        this.types.set(node, node.op === '!_' ? { kind: 'bool' } : this.typeOf(node.args as Node))
        return cost
      }
      case 'call': {
        const [name, args] = node.args as [string, Node[]]
        return this.call(node, name, undefined, args)
      }
      case 'rcall': {
        const [name, target, args] = node.args as [string, Node, Node[]]
        return this.method(node, name, target, args)
      }
      default:
        return this.binary(node, node.args as [Node, Node])
    }
  }

  private identifier(node: Node, name: string): number {
    const local = this.local(name)
    this.paths.set(node, local?.path ?? [name])
    if (local) this.types.set(node, local.type)
    else this.types.set(node, name === 'self' || name === 'oldSelf' ? this.root : dyn)
    return 1
  }

  private select(node: Node, [operand, name]: [Node, string]): number {
    const cost = this.cost(operand)
    const type = this.typeOf(operand)
    this.paths.set(node, [...this.pathOf(operand), name])
    this.types.set(node, type.kind === 'optional' ? { kind: 'optional', element: fieldOf(type.element ?? dyn, name) } : fieldOf(type, name))
    return type.kind === 'map' || type.kind === 'object' ? cost + 1 : cost
  }

  private index(node: Node, [operand, at]: [Node, Node]): number {
    const cost = 1 + this.cost(operand) + this.cost(at)
    const type = this.typeOf(operand)
    const element = type.element ?? dyn
    if (node.op === '[?]') {
      this.types.set(node, { kind: 'optional', element })
      return cost
    }
    this.paths.set(node, [...this.pathOf(operand), type.kind === 'list' ? '@items' : '@values'])
    this.types.set(node, element)
    this.keepSize(node, this.entries.get(operand)?.value)
    return cost
  }

  private list(node: Node, items: readonly Node[]): number {
    const costs = items.map((item) => this.cost(item))
    this.types.set(node, { kind: 'list', element: items[0] ? this.typeOf(items[0]) : dyn })
    this.entries.set(node, { key: { min: 1, max: 1 }, value: union(items.map((item) => this.sizeOf(item))) })
    return total(costs) + listBase
  }

  private map(node: Node, pairs: readonly [Node, Node][]): number {
    const costs = pairs.flat().map((part) => this.cost(part))
    const [first] = pairs
    this.types.set(node, { kind: 'map', key: first ? this.typeOf(first[0]) : dyn, element: first ? this.typeOf(first[1]) : dyn })
    this.entries.set(node, {
      key: union(pairs.map(([key]) => this.sizeOf(key))),
      value: union(pairs.map(([, value]) => this.sizeOf(value))),
    })
    return total(costs) + mapBase
  }

  private conditional(node: Node, [condition, then, otherwise]: [Node, Node, Node]): number {
    const cost = this.cost(condition) + Math.max(this.cost(then), this.cost(otherwise))
    const type = this.typeOf(then)
    this.types.set(node, type.kind === 'dyn' || type.kind === 'null' ? this.typeOf(otherwise) : type)
    const entry = unionOfEntries(this.entryOf(then), this.entryOf(otherwise))
    if (entry) this.entries.set(node, entry)
    this.sizes.set(node, union([this.sizeOf(then), this.sizeOf(otherwise)]))
    return cost
  }

  private binary(node: Node, [left, right]: [Node, Node]): number {
    const operands = this.cost(left) + this.cost(right)
    const [a, b] = [this.sizeOf(left), this.sizeOf(right)]
    const kinds = [this.typeOf(left).kind, this.typeOf(right).kind]
    switch (node.op) {
      case '&&':
      case '||':
        this.types.set(node, { kind: 'bool' })
        return operands
      case 'in':
        this.types.set(node, { kind: 'bool' })
        return operands + (kinds[1] === 'map' ? 1 : b.max)
      case '+':
        return operands + this.sum(node, [left, right], kinds as [Kind, Kind])
      case '-':
      case '*':
      case '/':
      case '%':
        this.types.set(node, kinds[0] === 'dyn' ? this.typeOf(right) : this.typeOf(left))
        return operands + 1
      default: {
        this.types.set(node, { kind: 'bool' })
        if (kinds[0] === 'opaque' && kinds[1] === 'opaque') return operands + 1
        const isEquality = node.op === '==' || node.op === '!='
        const ordered = isEquality || kinds.every((kind) => kind === 'string' || kind === 'bytes' || kind === 'dyn')
        const traversal = scaled(Math.min(a.max, b.max), 0.1)
        if (!ordered) return operands + 1
        return operands + (isEquality || !kinds.includes('dyn') ? traversal : Math.max(traversal, 1))
      }
    }
  }

  private sum(node: Node, [left, right]: [Node, Node], kinds: [Kind, Kind]): number {
    const known = kinds[0] === 'dyn' ? kinds[1] : kinds[0]
    const known2 = this.typeOf(kinds[0] === 'dyn' ? right : left)
    this.types.set(node, known2)
    if (scalars.has(known)) return 1
    const size = added(this.sizeOf(left), this.sizeOf(right))
    const entry = unionOfEntries(this.entryOf(left), this.entryOf(right))
    if (entry) this.entries.set(node, entry)
    this.sizes.set(node, size)
    return known === 'list' ? 1 : Math.max(scaled(size.max, 0.1), known === 'dyn' ? 1 : 0)
  }

  private method(node: Node, name: string, target: Node, args: readonly Node[]): number {
    if (target.op === 'id' && namespaces.has(target.args as string) && !this.local(target.args as string)) {
      return this.call(node, `${target.args}.${name}`, undefined, args)
    }
    const macro = this.macro(node, name, target, args)
    return macro ?? this.call(node, name, target, args)
  }

  private call(node: Node, name: string, target: Node | undefined, args: readonly Node[]): number {
    const [first] = args
    if ((name === 'has' || name === 'Has') && first?.op === '.') {
      this.types.set(node, { kind: 'bool' })
      return this.cost((first.args as [Node, string])[0])
    }
    const costs = args.map((arg) => this.cost(arg))
    if (name === 'dyn' && first) {
      this.types.set(node, dyn)
      this.keepSize(node, this.size(first))
      return 1 + total(costs)
    }
    const targetCost = target ? this.cost(target) : 0
    const operand = (part: Node) => this.operand(part)
    const estimate = functionEstimate(name, target && operand(target), args.map(operand)) ?? { cost: 1 }
    this.types.set(
      node,
      resultType(
        name,
        target && this.typeOf(target),
        args.map((arg) => this.typeOf(arg)),
      ),
    )
    this.keepSize(node, estimate.size)
    return Math.min(targetCost + total(costs) + estimate.cost, most)
  }

  private operand(node: Node): Operand {
    const type = this.typeOf(node)
    return {
      type,
      size: this.sizeOf(node),
      elementSize: this.estimated([...this.pathOf(node), '@items'], this.pathOf(node).length > 0) ?? unknown,
      ...(node.op === 'value' ? { literal: node.args } : {}),
    }
  }

  /** What the parser makes loops of; undefined for a name that is none. */
  private macro(node: Node, name: string, range: Node, args: readonly Node[]): number | undefined {
    const [variable, ...rest] = args
    const body = rest.at(-1)
    if (variable?.op !== 'id' || !body) return undefined
    const count = rest.length
    if ((name === 'all' || name === 'exists') && count === 1) {
      return this.loop(node, range, variable.args as string, () => this.cost(body) + (name === 'all' ? 3 : 4), 1, { kind: 'bool' })
    }
    if ((name === 'exists_one' || name === 'existsOne') && count === 1) {
      return this.loop(node, range, variable.args as string, () => this.cost(body) + 2, 2, { kind: 'bool' })
    }
    if ((name === 'map' && (count === 1 || count === 2)) || (name === 'filter' && count === 1)) {
      return this.transform(node, name, range, variable.args as string, rest)
    }
    if ((name === 'optMap' || name === 'optFlatMap') && count === 1) {
      const target = this.cost(range)
      const held = this.typeOf(range).element ?? dyn
      const inner = this.within(variable.args as string, { path: [], type: held }, () => this.cost(body))
      const type = this.typeOf(body)
      this.types.set(node, name === 'optMap' ? { kind: 'optional', element: type } : type)
      return 1 + target + listBase + 1 + target + inner + (name === 'optMap' ? 1 : 0)
    }
    return undefined
  }

  private loop(node: Node, range: Node, variable: string, step: () => number, result: number, type: Type): number {
    const cost = this.cost(range)
    const each = this.within(variable, this.iterated(range), step)
    this.types.set(node, type)
    this.sizes.set(node, { min: 1, max: 1 })
    return Math.min(cost + result + times(this.sizeOf(range).max, each), most)
  }

  private transform(node: Node, name: string, range: Node, variable: string, rest: readonly Node[]): number {
    const cost = this.cost(range)
    const local = this.iterated(range)
    let value: { type: Type; size: Size } = { type: local.type, size: unknown }
    const each = this.within(variable, local, () => {
      const condition = name === 'filter' ? rest[0] : rest.length === 2 ? rest[0] : undefined
      const body = name === 'filter' ? undefined : rest.at(-1)
      const tested = condition ? this.cost(condition) : 0
      // One list is added to another: an identifier, a list of one, the sum itself.
      const step = (body ? this.cost(body) : 1) + listBase + 2
      value = body
        ? { type: this.typeOf(body), size: this.sizeOf(body) }
        : { type: local.type, size: this.estimated(local.path, local.path.length > 0) ?? local.size ?? unknown }
      return tested + step
    })
    const size = this.sizeOf(range)
    this.types.set(node, { kind: 'list', element: value.type })
    this.sizes.set(node, size)
    this.entries.set(node, { key: { min: 1, max: 1 }, value: union([{ min: 0, max: 0 }, value.size]) })
    return Math.min(cost + listBase + 1 + times(size.max, each), most)
  }

  /** What a loop's variable stands for: items of a list, keys of a map. */
  private iterated(range: Node): Local {
    const type = this.typeOf(range)
    const entry = this.entryOf(range)
    const isList = type.kind === 'list'
    return {
      path: [...this.pathOf(range), isList ? '@items' : '@keys'],
      type: (isList ? type.element : type.key) ?? dyn,
      size: isList ? entry?.value : entry?.key,
    }
  }

  private within(name: string, local: Local, work: () => number): number {
    const stack = this.locals.get(name) ?? []
    this.locals.set(name, [...stack, local])
    try {
      return work()
    } finally {
      this.locals.set(name, stack)
    }
  }

  private local(name: string): Local | undefined {
    return this.locals.get(name)?.at(-1)
  }

  private typeOf(node: Node): Type {
    return this.types.get(node) ?? dyn
  }

  private pathOf(node: Node): readonly string[] {
    return (node.op === 'id' ? this.local(node.args as string)?.path : undefined) ?? this.paths.get(node) ?? []
  }

  private entryOf(node: Node): Entry | undefined {
    return this.entries.get(node)
  }

  private keepSize(node: Node, size: Size | undefined): void {
    const known = size ?? this.size(node)
    if (known) this.sizes.set(node, known)
  }

  private sizeOf(node: Node): Size {
    return this.size(node) ?? unknown
  }

  private size(node: Node): Size | undefined {
    const known = this.sizes.get(node) ?? literalSize(node)
    if (known) return known
    const estimated = this.estimated(this.pathOf(node), true)
    if (estimated) return estimated
    const type = this.typeOf(node)
    if (scalars.has(type.kind) || (type.kind === 'optional' && scalars.has(type.element?.kind ?? 'dyn'))) return { min: 1, max: 1 }
    return node.op === 'id' ? this.local(node.args as string)?.size : undefined
  }

  /** By the schema, along a path whose first part is a variable: that is the root, whichever it is. */
  private estimated(path: readonly string[], isKnown: boolean): Size | undefined {
    if (!isKnown || path.length === 0) return undefined
    let type: DeclaredType | undefined = this.root
    for (const name of path.slice(1)) {
      type = name === '@items' || name === '@values' ? type.element : name === '@keys' ? type.key : type.fields?.[name]
      if (!type) return undefined
    }
    return { min: 0, max: type.maxElements }
  }
}

function fieldOf(type: Type, name: string): Type {
  return (type.kind === 'map' ? type.element : type.fields?.[name]) ?? dyn
}

function kindOf(value: unknown): Kind {
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'bigint':
      return 'int'
    case 'number':
      return 'double'
    case 'boolean':
      return 'bool'
    default:
      return value === null ? 'null' : value instanceof Uint8Array ? 'bytes' : 'uint'
  }
}

function literalSize({ op, args }: Node): Size | undefined {
  if (op === 'list' || op === 'map') return { min: (args as unknown[]).length, max: (args as unknown[]).length }
  if (op !== 'value') return undefined
  const length = typeof args === 'string' ? [...args].length : args instanceof Uint8Array ? args.length : 1
  return { min: length, max: length }
}

function resultType(name: string, target: Type | undefined, args: readonly Type[]): Type {
  if (name === 'orValue' || name === 'value') return target?.element ?? dyn
  if (name === 'or') return target ?? dyn
  if (name === 'optional.of' || name === 'optional.ofNonZeroValue') return { kind: 'optional', element: args[0] }
  if (name === 'min' || name === 'max' || name === 'sum') return target?.element ?? dyn
  const kind = resultKinds[name]
  return kind === 'list' ? { kind, element: { kind: 'string' } } : { kind: kind ?? 'dyn' }
}

function total(costs: readonly number[]): number {
  return Math.min(
    costs.reduce((sum, cost) => sum + cost, 0),
    most,
  )
}

function added(a: Size, b: Size): Size {
  return { min: a.min + b.min, max: Math.min(a.max + b.max, most) }
}

function union(sizes: readonly Size[]): Size {
  if (sizes.length === 0) return { min: 0, max: 0 }
  return { min: Math.min(...sizes.map(({ min }) => min)), max: Math.max(...sizes.map(({ max }) => max)) }
}

function unionOfEntries(a: Entry | undefined, b: Entry | undefined): Entry | undefined {
  return a && b ? { key: union([a.key, b.key]), value: union([a.value, b.value]) } : undefined
}
