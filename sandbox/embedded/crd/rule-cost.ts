import { times } from '../cel/cost-of-functions.ts'
import { type DeclaredType, maxRequestSize } from '../cel/declared-type.ts'
import type { Program } from '../cel/environment.ts'
import { type FieldError, forbidden, type Path } from '../registry/field.ts'
import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'

/** Units of CEL's cost that one rule, and all rules of a schema together, may be estimated at. */
const ruleLimit = 10_000_000
const schemaLimit = 100_000_000

/** What the rules of a schema are estimated to cost in all; source: validation/cel_validation.go of the apiextensions server. */
export class TotalCost {
  private total = 0
  private mostExpensive: { path: Path; cost: number }[] = []

  add(path: Path, cost: number): void {
    this.total += cost
    if (cost < schemaLimit / 100) return
    this.mostExpensive = [...this.mostExpensive, { path, cost }].sort((a, b) => b.cost - a.cost).slice(0, 4)
  }

  errors(schema: Path): FieldError[] {
    if (this.total <= schemaLimit) return []
    const contributed = 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema'
    const name = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema'
    return [
      ...this.mostExpensive.map(({ path }) => forbidden(path, contributed)),
      forbidden(schema, exceeds(name, this.total, schemaLimit)),
    ]
  }
}

export interface RuleContext {
  type: DeclaredType
  /** How often the value can be there in one object; undefined where nothing bounds it. */
  cardinality: number | undefined
  total: TotalCost
  /** A schema that an update leaves as it was keeps its rules, whatever they cost. */
  isUnchanged: boolean
}

/** What is wrong with the cost of a valid rule. */
export function ruleCostErrors(rule: Program, path: Path, context: RuleContext): FieldError[] {
  const { type, cardinality } = context
  // Unbounded lists of the smallest values, with a comma each, fill the largest request.
  const often = cardinality ?? Math.floor(maxRequestSize / (type.minSize + 1))
  return judged('estimated rule cost', times(rule.estimate(type), often), path, context)
}

/** What is wrong with the cost of a valid messageExpression, which runs once. */
export function messageCostErrors(expression: Program, path: Path, context: RuleContext): FieldError[] {
  return judged('estimated messageExpression cost', expression.estimate(context.type), path, context)
}

/** How many times over a value can be there for each time that the one around it, of this schema, is. */
export function childCardinality({ type, additionalProperties, maxProperties, maxItems }: JSONSchemaProps): number | undefined {
  if (type === 'array') return maxItems === undefined ? undefined : Math.max(maxItems, 0)
  if (type !== 'object' || additionalProperties === undefined) return 1
  return maxProperties === undefined ? undefined : Math.max(maxProperties, 0)
}

function judged(name: string, cost: number, path: Path, { total, isUnchanged }: RuleContext): FieldError[] {
  total.add(path, cost)
  return cost > ruleLimit && !isUnchanged ? [forbidden(path, exceeds(name, cost, ruleLimit))] : []
}

function exceeds(name: string, cost: number, limit: number): string {
  const factor = cost / limit
  const shown = factor > 100 ? 'more than 100x' : `${factor.toFixed(factor < 1.5 ? 6 : 1)}x`
  const advice = 'try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared'
  return `${name} exceeds budget by factor of ${shown} (${advice})`
}
