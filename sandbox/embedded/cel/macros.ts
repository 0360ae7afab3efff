import type { Fault } from './faults.ts'
import type { Expr, Parsed } from './syntax-tree.ts'

/** Makes nodes that stand where the macro does. */
export interface NodeMaker {
  /** Stands where the macro does, or at a place of its own. */
  id(at?: number): number
}

export class MacroFault extends Error {
  readonly fault: Fault
  constructor(fault: Fault) {
    super(fault.message)
    this.fault = fault
  }
}

type Expand = (make: Maker, target: Expr, args: readonly Expr[]) => Expr

/** What macros gather in; no expression can name it. */
export const accumulator = '@result'
/** cel-go's name for what holds a single value. */
const unused = '#unused'

/** What a call of a macro becomes, or undefined where it is none. Throws MacroFault for arguments that no macro takes. */
export function expanded(
  name: string,
  target: Expr | undefined,
  args: readonly Expr[],
  nodes: NodeMaker,
  places: Parsed['places'],
): Expr | undefined {
  const make = new Maker(nodes, places)
  if (!target) return name === 'has' && args.length === 1 ? make.presence(args[0] as Expr) : undefined
  return macros.get(`${name}/${args.length}`)?.(make, target, args)
}

class Maker {
  private readonly nodes: NodeMaker
  private readonly places: Parsed['places']

  constructor(nodes: NodeMaker, places: Parsed['places']) {
    this.nodes = nodes
    this.places = places
  }

  literal(value: boolean | bigint): Expr {
    return { kind: 'literal', id: this.nodes.id(), value }
  }

  identifier(name: string): Expr {
    return { kind: 'identifier', id: this.nodes.id(), name }
  }

  result(): Expr {
    return this.identifier(accumulator)
  }

  call(name: string, ...args: Expr[]): Expr {
    return { kind: 'call', id: this.nodes.id(), name, target: undefined, args }
  }

  method(name: string, target: Expr): Expr {
    return { kind: 'call', id: this.nodes.id(), name, target, args: [] }
  }

  list(...elements: Expr[]): Expr {
    return { kind: 'list', id: this.nodes.id(), elements, optionals: new Set() }
  }

  map(): Expr {
    return { kind: 'map', id: this.nodes.id(), entries: [] }
  }

  fold(parts: {
    range: Expr
    names: readonly [string, string?]
    accumulator?: string
    init: Expr
    condition: Expr
    step: Expr
    result: Expr
  }): Expr {
    const { range, names, init, condition, step, result } = parts
    return {
      kind: 'comprehension',
      id: this.nodes.id(),
      range,
      variable: names[0],
      second: names[1],
      accumulator: parts.accumulator ?? accumulator,
      init,
      condition,
      step,
      result,
    }
  }

  presence(tested: Expr): Expr {
    if (tested.kind !== 'select') throw this.fault(tested, 'invalid argument to has() macro')
    return { kind: 'select', id: this.nodes.id(), operand: tested.operand, field: tested.field, testOnly: true }
  }

  /** The same under ids of its own, where it stood. */
  copy(expr: Expr): Expr {
    const id = this.nodes.id(this.places.get(expr.id))
    const copy = (one: Expr) => this.copy(one)
    switch (expr.kind) {
      case 'select':
        return { ...expr, id, operand: copy(expr.operand) }
      case 'call':
        return { ...expr, id, target: expr.target && copy(expr.target), args: expr.args.map(copy) }
      case 'list':
        return { ...expr, id, elements: expr.elements.map(copy) }
      case 'map':
        return {
          ...expr,
          id,
          entries: expr.entries.map((entry) => ({ ...entry, id: this.nodes.id(), key: copy(entry.key), value: copy(entry.value) })),
        }
      case 'struct':
        return { ...expr, id, fields: expr.fields.map((field) => ({ ...field, id: this.nodes.id(), value: copy(field.value) })) }
      case 'comprehension': {
        const { range, init, condition, step, result } = expr
        return { ...expr, id, range: copy(range), init: copy(init), condition: copy(condition), step: copy(step), result: copy(result) }
      }
      default:
        return { ...expr, id }
    }
  }

  name(expr: Expr | undefined, otherwise: string): string {
    if (expr?.kind === 'identifier') return expr.name
    throw this.fault(expr as Expr, otherwise)
  }

  fault(expr: Expr, message: string): MacroFault {
    return new MacroFault({ at: this.places.get(expr.id) ?? 0, message })
  }
}

const overwrites = 'iteration variable overwrites accumulator variable'
const isReserved = (name: string) => name === accumulator || name === '__result__'

/** One variable, or two that differ. */
function variables(make: Maker, args: readonly Expr[], count: 1 | 2, otherwise = 'argument must be a simple name'): [string, string?] {
  const names = args.slice(0, count).map((arg) => make.name(arg, otherwise))
  if (count === 2 && names[0] === names[1]) throw make.fault(args[1] as Expr, `duplicate variable name: ${names[0]}`)
  for (const [index, name] of names.entries()) if (isReserved(name)) throw make.fault(args[index] as Expr, overwrites)
  return names as [string, string?]
}

function all(count: 1 | 2): Expand {
  return (make, range, args) => {
    const names = variables(make, args, count)
    const init = make.literal(true)
    const condition = make.call('@not_strictly_false', make.result())
    return make.fold({ range, names, init, condition, step: make.call('_&&_', make.result(), args[count] as Expr), result: make.result() })
  }
}

function exists(count: 1 | 2): Expand {
  return (make, range, args) => {
    const names = variables(make, args, count)
    const init = make.literal(false)
    const condition = make.call('@not_strictly_false', make.call('!_', make.result()))
    return make.fold({ range, names, init, condition, step: make.call('_||_', make.result(), args[count] as Expr), result: make.result() })
  }
}

function existsOne(count: 1 | 2): Expand {
  return (make, range, args) => {
    const names = variables(make, args, count)
    const one = make.call('_+_', make.result(), make.literal(1n))
    const step = make.call('_?_:_', args[count] as Expr, one, make.result())
    const result = make.call('_==_', make.result(), make.literal(1n))
    return make.fold({ range, names, init: make.literal(0n), condition: make.literal(true), step, result })
  }
}

/** `next` makes the next accumulated value; a filter, where there is one, is the argument before the last. */
function gathered(
  count: 1 | 2,
  init: (make: Maker) => Expr,
  next: (make: Maker, names: readonly [string, string?], args: readonly Expr[]) => Expr,
  filter: (args: readonly Expr[]) => Expr | undefined = (args) => (args.length === count + 2 ? args[count] : undefined),
): Expand {
  return (make, range, args) => {
    const names = variables(make, args, count, count === 1 ? 'argument is not an identifier' : undefined)
    const start = init(make)
    const kept = filter(args)
    const step = next(make, names, args)
    return make.fold({
      range,
      names,
      init: start,
      condition: make.literal(true),
      step: kept ? make.call('_?_:_', kept, step, make.result()) : step,
      result: make.result(),
    })
  }
}

const toList = (make: Maker, item: Expr) => make.call('_+_', make.result(), make.list(item))
const last = (args: readonly Expr[]) => args.at(-1) as Expr
const list = (count: 1 | 2) =>
  gathered(
    count,
    (make) => make.list(),
    (make, _, args) => toList(make, last(args)),
  )
const filter = gathered(
  1,
  (make) => make.list(),
  (make, _, args) => toList(make, args[0] as Expr),
  (args) => args[1],
)
const transformMap = gathered(
  2,
  (make) => make.map(),
  (make, [key], args) => make.call('cel.@mapInsert', make.result(), make.identifier(key), last(args)),
)
const transformMapEntry = gathered(
  2,
  (make) => make.map(),
  (make, _, args) => make.call('cel.@mapInsert', make.result(), last(args)),
)

/** optMap and optFlatMap: what is held gets a name. */
function optional(name: string, wrapped: boolean): Expand {
  return (make, target, args) => {
    const variable = make.name(args[0], `${name}() variable name must be a simple identifier`)
    const hasValue = make.method('hasValue', target)
    const bound = make.fold({
      range: make.list(),
      names: [unused],
      accumulator: variable,
      init: make.method('value', make.copy(target)),
      condition: make.literal(false),
      step: make.identifier(variable),
      result: args[1] as Expr,
    })
    return make.call('_?_:_', hasValue, wrapped ? make.call('optional.of', bound) : bound, make.call('optional.none'))
  }
}

/** By name and number of arguments: cel-go's own, those with two variables and those of optionals. */
const macros: ReadonlyMap<string, Expand> = new Map(
  Object.entries({
    'all/2': all(1),
    'all/3': all(2),
    'exists/2': exists(1),
    'exists/3': exists(2),
    'exists_one/2': existsOne(1),
    'exists_one/3': existsOne(2),
    'existsOne/3': existsOne(2),
    'map/2': list(1),
    'map/3': list(1),
    'filter/2': filter,
    'transformList/3': list(2),
    'transformList/4': list(2),
    'transformMap/3': transformMap,
    'transformMap/4': transformMap,
    'transformMapEntry/3': transformMapEntry,
    'transformMapEntry/4': transformMapEntry,
    'optMap/2': optional('optMap', true),
    'optFlatMap/2': optional('optFlatMap', false),
  }),
)
