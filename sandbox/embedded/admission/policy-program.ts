import { perCallLimit } from '../cel/budget.ts'
import { type Compiled, compiled } from '../cel/compiled.ts'
import type { CelType } from '../cel/types.ts'
import { types } from '../cel/types.ts'
import { CelMap, Failure, type Value } from '../cel/values.ts'
import type { MatchCondition, ValidatingAdmissionPolicy } from '../schema/types/admissionregistration.v1.ts'
import { composedType, policyEnvironment } from './policy-environment.ts'

/** Where an expression's variables are found. */
export type Variables = (name: string) => Value | undefined

export interface Expression {
  readonly text: string
  readonly compiled: Compiled
}

/** A policy's expressions, compiled: those of 1.34 that are stored already may use all that it knows. */
export interface PolicyProgram {
  readonly conditions: readonly Expression[]
  readonly variables: ReadonlyMap<string, Expression>
  readonly validations: readonly Expression[]
  /** Of each validation, where it has one. */
  readonly messages: readonly (Expression | undefined)[]
  readonly annotations: readonly Expression[]
}

/** Source: compilePolicy in apiserver/pkg/admission/plugin/policy/validating/plugin.go. */
export function programOf(policy: ValidatingAdmissionPolicy): PolicyProgram {
  const known = programs.get(policy)
  if (known) return known
  const { paramKind, matchConditions = [], variables = [], validations = [], auditAnnotations = [] } = policy.spec ?? {}
  const given = { params: paramKind !== undefined, authorizer: true, stored: true }
  const composed = new Map<string, CelType>()
  const compiledVariables = new Map<string, Expression>()
  for (const { name, expression } of variables) {
    const variable = expressionOf(expression, given, new Map(composed))
    compiledVariables.set(name, variable)
    composed.set(name, variable.compiled.program ? composedType(variable.compiled.program) : types.dyn)
  }
  const whole = policyEnvironment({ ...given, composed })
  const forMessages = policyEnvironment({ ...given, authorizer: false, composed })
  const of = (environment: typeof whole, text: string, returns: readonly string[]): Expression => ({
    text,
    compiled: compiled(environment, text, returns),
  })
  const program: PolicyProgram = {
    conditions: matchConditions.map(({ expression }) => of(whole, expression, ['bool'])),
    variables: compiledVariables,
    validations: validations.map(({ expression }) => of(whole, expression, ['bool'])),
    messages: validations.map(({ messageExpression }) => (messageExpression ? of(forMessages, messageExpression, ['string']) : undefined)),
    annotations: auditAnnotations.map(({ valueExpression }) => of(whole, valueExpression, ['string', 'null_type'])),
  }
  programs.set(policy, program)
  return program
}

/** A webhook's match conditions, which know neither parameters nor variables. */
export function conditionsOf(conditions: readonly MatchCondition[]): readonly Expression[] {
  const environment = policyEnvironment({ params: false, authorizer: true, stored: true })
  return conditions.map(({ expression }) => ({ text: expression, compiled: compiled(environment, expression, ['bool']) }))
}

/** What an expression came to, or why to nothing. */
export type Outcome = { readonly value: Value } | { readonly error: string }

/** No more expressions are evaluated. */
export class OutOfBudget extends Error {
  constructor() {
    super('validation failed due to running out of cost budget, no further validation rules will be run')
  }
}

/**
 * Evaluates a policy's expressions one after the other, for a budget that they share. Variables of the policy's own are evaluated
 * when they are first used. Source: evaluationActivation in apiserver/pkg/admission/plugin/cel.
 */
export class PolicyEvaluation {
  budget: number
  private readonly given: Variables
  private readonly composed: ComposedVariables
  private spentOnVariables = 0

  constructor(given: Variables, variables: ReadonlyMap<string, Expression>, budget: number) {
    this.given = given
    this.budget = budget
    this.composed = new ComposedVariables(variables, (expression, name) => this.variable(expression, name))
  }

  /** Throws OutOfBudget. */
  outcome({ text, compiled: own }: Expression): Outcome {
    if (!own.program) return { error: `compilation error: ${own.problem}` }
    const result = own.program.evaluate((name) => this.resolve(name), perCallLimit)
    const cost = result.cost + this.spentOnVariables
    this.spentOnVariables = 0
    if (cost > this.budget) throw new OutOfBudget()
    this.budget -= cost
    return 'error' in result ? { error: `expression '${text}' resulted in error: ${result.error}` } : result
  }

  private resolve(name: string): Value | undefined {
    return name === 'variables' ? this.composed : this.given(name)
  }

  private variable({ compiled: own }: Expression, name: string): Value {
    if (!own.program) return new Failure(`composited variable ${JSON.stringify(name)} fails to compile: ${own.problem}`)
    const result = own.program.evaluate((one) => this.resolve(one), perCallLimit)
    this.spentOnVariables += result.cost
    return 'error' in result ? new Failure(`composited variable ${JSON.stringify(name)} fails to evaluate: ${result.error}`) : result.value
  }
}

class ComposedVariables extends CelMap {
  private readonly expressions: ReadonlyMap<string, Expression>
  private readonly evaluate: (expression: Expression, name: string) => Value
  private readonly known = new Map<string, Value>()

  constructor(expressions: ReadonlyMap<string, Expression>, evaluate: (expression: Expression, name: string) => Value) {
    super()
    this.expressions = expressions
    this.evaluate = evaluate
  }

  get size(): number {
    return this.expressions.size
  }

  get(key: Value): Value | undefined {
    if (typeof key !== 'string') return undefined
    const known = this.known.get(key)
    const expression = this.expressions.get(key)
    if (known !== undefined || !expression) return known
    const value = this.evaluate(expression, key)
    this.known.set(key, value)
    return value
  }

  keys(): Iterable<Value> {
    return this.expressions.keys()
  }
}

const programs = new WeakMap<ValidatingAdmissionPolicy, PolicyProgram>()

function expressionOf(
  text: string,
  given: { params: boolean; authorizer: boolean; stored: boolean },
  composed: ReadonlyMap<string, CelType>,
): Expression {
  return { text, compiled: compiled(policyEnvironment({ ...given, composed }), text) }
}
