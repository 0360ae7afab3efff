import { remembering } from '../machinery/remembering.ts'
import type { Scope } from './attributes.ts'
import { Budget, Cancelled, perCallLimit } from './budget.ts'
import { type Checked, check, type Names } from './checker.ts'
import { estimatedCost } from './cost.ts'
import { type FunctionDeclaration, joined, kubernetesTypes } from './declarations.ts'
import type { DeclaredType } from './declared-type.ts'
import { addresses } from './library/addresses.ts'
import { authorization } from './library/authorizer.ts'
import { clockParts } from './library/clock-parts.ts'
import { lists, newerLists, optionals, sets } from './library/collections.ts'
import { conversions } from './library/conversions.ts'
import { namedFormats } from './library/named-formats.ts'
import { operators } from './library/operators.ts'
import { quantities } from './library/quantities.ts'
import { semanticVersions } from './library/semantic-versions.ts'
import { patterns, plainText, text } from './library/text.ts'
import { urls } from './library/urls.ts'
import { checkLiterals } from './literal-checks.ts'
import { messages, wrapperTypes } from './messages.ts'
import { parse } from './parser.ts'
import { PlanError, plan } from './planner.ts'
import { childrenOf, type Expr } from './syntax-tree.ts'
import { type CelType, listOf, mapOf, optionalOf, typeOfType, types } from './types.ts'
import { Failure, TypeValue, type Value } from './values.ts'

/** Fields by the name of the struct that has them. */
export type Structs = ReadonlyMap<string, ReadonlyMap<string, CelType>>

/** What an expression came to, or why to nothing, and what that has cost. */
export type Evaluation = { readonly cost: number } & ({ readonly value: Value } | { readonly error: string })

/**
 * What a server of 1.34 compiles expressions with. New ones may use what the version before knows too, so that it can be gone back
 * to; what is stored may use everything. Source: apiserver/pkg/cel/environment/base.go.
 */
const compatible = joined([
  operators,
  conversions,
  plainText,
  clockParts,
  urls,
  patterns,
  lists,
  authorization,
  optionals,
  quantities,
  text,
  sets,
  addresses,
  namedFormats,
  semanticVersions,
])
const everything = joined([{ functions: compatible }, newerLists])

const typeNames: ReadonlyMap<string, CelType> = new Map([
  ...[types.bool, types.bytes, types.double, types.duration, types.int, types.null, types.string, types.timestamp, types.uint].map(
    (type): [string, CelType] => [type.name, type],
  ),
  ['dyn', types.dyn],
  ['list', listOf(types.dyn)],
  ['map', mapOf(types.dyn, types.dyn)],
  ['type', types.type],
  ['optional_type', optionalOf(types.dyn)],
  [kubernetesTypes.IP.name, kubernetesTypes.IP],
  [kubernetesTypes.CIDR.name, kubernetesTypes.CIDR],
])

const mostCompiled = 2000

/** Variables with their types, and the functions of a generation of expressions. */
export class Environment implements Names {
  private readonly variables: ReadonlyMap<string, CelType>
  private readonly structs: Structs
  private readonly functions: ReadonlyMap<string, FunctionDeclaration>
  /** Throws CompileError with everything that is wrong, in the words of the server's compiler. */
  readonly compile = remembering((text) => this.compiled(text), { most: mostCompiled })

  constructor(
    variables: Readonly<Record<string, CelType>>,
    { structs = new Map(), stored = false }: { structs?: Structs; stored?: boolean } = {},
  ) {
    this.variables = new Map(Object.entries(variables))
    this.structs = structs
    this.functions = stored ? everything : compatible
  }

  private compiled(text: string): Program {
    const checked = check(parse(text), this)
    checkLiterals(checked)
    return new Program(checked)
  }

  variable(name: string): CelType | undefined {
    const type = this.variables.get(name)
    if (type) return type
    const named = typeNames.get(name) ?? wrapperTypes.get(name)
    if (named) return typeOfType(named)
    return this.structs.has(name) ? typeOfType({ kind: 'struct', name, params: [] }) : undefined
  }

  function(name: string): FunctionDeclaration | undefined {
    return this.functions.get(name)
  }

  struct(name: string): ReadonlyMap<string, CelType> | undefined {
    return this.structs.get(name) ?? messages.get(name)?.fields
  }
}

/** An expression that compiles. */
export class Program {
  readonly type: CelType
  private readonly checked: Checked
  private planned: ReturnType<typeof plan> | undefined

  constructor(checked: Checked) {
    this.checked = checked
    this.type = checked.typeOf(checked.root)
  }

  /** Why it can never run, although it compiles; undefined when it can. */
  fault(): string | undefined {
    try {
      this.step()
      return undefined
    } catch (error) {
      if (error instanceof PlanError) return error.message
      throw error
    }
  }

  /** Whether it uses a variable. */
  uses(variable: string): boolean {
    const within = (expr: Expr): boolean => this.checked.reference(expr) === variable || childrenOf(expr).some(within)
    return within(this.checked.root)
  }

  /** Runs it, for no more than `limit` units of cost. Throws PlanError where it can never run. */
  evaluate(variables: (name: string) => Value | undefined, limit = perCallLimit): Evaluation {
    const budget = new Budget(limit)
    const scope: Scope = { budget, get: variables }
    try {
      const value = this.step().evaluate(scope)
      return value instanceof Failure ? { cost: budget.cost, error: value.message } : { cost: budget.cost, value }
    } catch (error) {
      if (error instanceof Cancelled) return { cost: budget.cost, error: error.message }
      throw error
    }
  }

  /** The most that it can cost, when its variables are of this type. */
  estimate(root: DeclaredType): number {
    return estimatedCost(this.checked, root)
  }

  private step() {
    this.planned ??= plan(this.checked, (name) => {
      const type = typeNames.get(name)
      return type && new TypeValue(type)
    })
    return this.planned
  }
}
