import { perCallLimit, runtimeBudget } from '../cel/budget.ts'
import { type Compiled, compiled } from '../cel/compiled.ts'
import { declaredType } from '../cel/declared-type.ts'
import type { Program } from '../cel/environment.ts'
import { fromJson, optionalFromJson } from '../cel/json-values.ts'
import { schemaEnvironment } from '../cel/schema-environment.ts'
import type { Value } from '../cel/values.ts'
import type { KubeObject } from '../machinery/object.ts'
import { atOnce, type Pieces } from '../machinery/pieces.ts'
import { type FieldError, type FieldErrorReason, Path } from '../registry/field.ts'
import type { JSONSchemaProps, ValidationRule } from '../schema/types/apiextensions.v1.ts'
import { correlated, isUnchanged, oldField } from './correlate.ts'
import { isObject, itemsOf, propertyOf } from './schema.ts'

/** What rules say of an object: what is wrong, and what is only warned of, since an update has left it as it was. */
export interface RuleVerdict {
  readonly errors: FieldError[]
  readonly warnings: string[]
}

/** Whether any part of the schema has x-kubernetes-validations. */
export function hasRules(schema: JSONSchemaProps): boolean {
  const known = withRules.get(schema)
  if (known !== undefined) return known
  const parts = [...Object.values(schema.properties ?? {}), itemsOf(schema), schema.additionalProperties]
  const found = !!schema['x-kubernetes-validations']?.length || parts.some((part) => typeof part === 'object' && hasRules(part))
  withRules.set(schema, found)
  return found
}

/** What they say against a default: that it does not hold to them, left as it is or new. */
export function defaultRuleErrors(schema: JSONSchemaProps, isRoot: boolean): FieldError[] {
  const value = schema.default
  const ruled = { ...schema, 'x-kubernetes-validations': (schema['x-kubernetes-validations'] ?? []).filter(({ rule }) => rule?.trim()) }
  const errorsAfter = (old: unknown) => {
    const run = new RuleRun()
    atOnce(run.check({ schema: ruled, value, old, path: '', isRoot, known: { value, old: undefined } }))
    return run.errors
  }
  const kept = errorsAfter(value)
  return kept.length > 0 ? kept : errorsAfter(undefined)
}

/**
 * What x-kubernetes-validations say against an object. Rules about `oldSelf` are for updates only. All rules together may cost
 * no more than runtimeBudget. Source: apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go.
 */
export function* validateRules(schema: JSONSchemaProps, object: KubeObject, old?: KubeObject): Pieces<RuleVerdict> {
  const run = new RuleRun()
  yield* run.check({ schema, value: object, old, path: '', isRoot: true, known: { value: object, old } })
  return run
}

const withRules = new WeakMap<JSONSchemaProps, boolean>()
const longestMessage = 5 * 1024
/** Units of cost in a piece: some ms. One rule's are never cut. */
const costAtOnce = 20_000

interface CompiledRule {
  readonly rule: ValidationRule
  readonly compiled: Compiled
  readonly message: Program | undefined
  readonly isTransition: boolean
}

/** By the schema that they stand in: at the root `self` has a head. */
const compiledRules = { root: new WeakMap<JSONSchemaProps, CompiledRule[]>(), part: new WeakMap<JSONSchemaProps, CompiledRule[]>() }

function rulesOf(schema: JSONSchemaProps, isRoot: boolean): readonly CompiledRule[] {
  const cache = isRoot ? compiledRules.root : compiledRules.part
  const known = cache.get(schema)
  if (known) return known
  const type = declaredType(schema, isRoot || schema['x-kubernetes-embedded-resource'] === true)
  const rules = (schema['x-kubernetes-validations'] ?? []).map((rule): CompiledRule => {
    if (!type)
      return {
        rule,
        compiled: { problem: 'failed to convert to declType for CEL validation rules' },
        message: undefined,
        isTransition: false,
      }
    const environment = schemaEnvironment(type, { optionalOldSelf: rule.optionalOldSelf === true, stored: true })
    const own = compiled(environment, rule.rule, ['bool'], { wrapped: false })
    const message = rule.messageExpression
      ? compiled(environment, rule.messageExpression, ['string'], { wrapped: false }).program
      : undefined
    return { rule, compiled: own, message, isTransition: own.program?.uses('oldSelf') ?? false }
  })
  cache.set(schema, rules)
  return rules
}

/** A value in an object, with what was there before. */
interface Part {
  readonly schema: JSONSchemaProps
  readonly value: unknown
  readonly old: unknown
  readonly path: string
  readonly isRoot: boolean
  /** The nearest values that are known to have been there before, by which a rule that fails may be let be. */
  readonly known: { readonly value: unknown; readonly old: unknown }
}

/** No more rules are run. */
class OutOfBudget extends Error {}

class RuleRun implements RuleVerdict {
  readonly errors: FieldError[] = []
  readonly warnings: string[] = []
  private budget = runtimeBudget
  /** Where a piece ends. */
  private goal = runtimeBudget - costAtOnce;

  *check(part: Part): Pieces<void> {
    try {
      yield* this.part(part)
    } catch (error) {
      if (!(error instanceof OutOfBudget)) throw error
    }
  }

  private *part(part: Part): Pieces<void> {
    const { schema, value, old, path } = part
    if (!hasRules(schema) || value === undefined || value === null) return
    yield* this.rules(part)
    const inner = (schema: JSONSchemaProps, value: unknown, old: unknown, path: string): Part => {
      return { schema, value, old, path, isRoot: false, known: old === undefined ? part.known : { value, old } }
    }
    if (Array.isArray(value)) {
      const items = itemsOf(schema)
      const before = correlated(schema, old)
      if (!items || !hasRules(items)) return
      for (const [index, item] of value.entries()) {
        yield* this.part(inner(items, item, before(item), `${path}[${index}]`))
      }
      return
    }
    if (!isObject(value)) return
    for (const [key, field] of Object.entries(value)) {
      const property = propertyOf(schema, key)
      if (!property || !hasRules(property)) continue
      const at = schema.properties?.[key] ? (path ? `${path}.${key}` : key) : `${path}[${key}]`
      yield* this.part(inner(property, field, oldField(old, key), at))
    }
  }

  private *rules({ schema, value, old, path, isRoot, known }: Part): Pieces<void> {
    const rules = rulesOf(schema, isRoot)
    if (rules.length === 0) return
    const place = new Path(path)
    const stop = (text: string): never => {
      this.errors.push(invalid(place, schema, text))
      throw new OutOfBudget()
    }
    if (this.budget <= 0) stop(`validation ${outOfBudget}`)
    const self = fromJson(value, schema)
    const plainOld = old === undefined || old === null ? undefined : fromJson(old, schema)
    for (const { rule, compiled: own, message, isTransition } of rules) {
      if (this.budget <= this.goal) {
        this.goal = this.budget - costAtOnce
        yield
      }
      if (!own.program) {
        this.errors.push(invalid(place, schema, `rule compile error: ${own.problem}`))
        continue
      }
      const isOptional = rule.optionalOldSelf === true
      if (isTransition && plainOld === undefined && !isOptional) continue
      const oldSelf = isOptional ? optionalFromJson(old ?? undefined, schema) : plainOld
      const variables = (name: string): Value | undefined => (name === 'self' ? self : name === 'oldSelf' ? oldSelf : undefined)
      const outcome = own.program.evaluate(variables, perCallLimit)
      if (outcome.cost > this.budget) stop(`validation ${outOfBudget}`)
      this.budget -= outcome.cost
      const shown = (rule.message || rule.rule).trim()
      if ('error' in outcome) {
        if (outcome.error.startsWith('no such overload')) {
          const why = `'${outcome.error}': call arguments did not match a supported operator, function or macro signature for rule: ${shown}`
          this.errors.push(invalid(place, schema, why))
        } else if (outcome.error.startsWith(limitExceeded)) {
          stop(`'${outcome.error}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown}`)
        } else this.errors.push(invalid(place, schema, `${outcome.error} evaluating rule: ${shown}`))
        continue
      }
      if (outcome.value === true) continue
      const at = new Path(`${path}${rule.fieldPath ?? ''}`.replace(/^\./, ''))
      const told = message ? this.message(message, rule, variables, (text) => void this.errors.push(invalid(at, schema, text))) : undefined
      const error = failure(at, schema, told ?? (rule.message ? rule.message.trim() : `failed rule: ${shown}`), rule.reason)
      if (!isTransition && isUnchanged(known.value, known.old)) this.warnings.push(`${error.field}: ${error.message}`)
      else this.errors.push(error)
    }
  }

  /** Undefined where the plain message is to be taken. */
  private message(
    program: Program,
    { messageExpression = '' }: ValidationRule,
    variables: (name: string) => Value | undefined,
    fail: (text: string) => void,
  ): string | undefined {
    const outcome = program.evaluate(variables, perCallLimit)
    const stop = (text: string): never => {
      fail(text)
      throw new OutOfBudget()
    }
    if (outcome.cost > this.budget) stop(`messageExpression evaluation ${outOfBudget}`)
    if ('error' in outcome && outcome.error.startsWith(limitExceeded)) {
      stop(
        `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(messageExpression)}`,
      )
    }
    this.budget -= outcome.cost
    if ('error' in outcome || typeof outcome.value !== 'string') return undefined
    const text = outcome.value.trim()
    return text === '' || text.includes('\n') || Buffer.byteLength(text) > longestMessage ? undefined : text
  }
}

const outOfBudget = 'failed due to running out of cost budget, no further validation rules will be run'
const limitExceeded = 'operation cancelled: actual cost limit exceeded'

function typeText({ type = '' }: JSONSchemaProps): string {
  return JSON.stringify(type)
}

function invalid(path: Path, schema: JSONSchemaProps, text: string): FieldError {
  return { reason: 'FieldValueInvalid', field: String(path), message: `Invalid value: ${typeText(schema)}: ${text}` }
}

function failure(path: Path, schema: JSONSchemaProps, text: string, reason: string | undefined): FieldError {
  const field = String(path)
  switch (reason as FieldErrorReason | undefined) {
    case 'FieldValueRequired':
      return { reason: 'FieldValueRequired', field, message: `Required value: ${text}` }
    case 'FieldValueForbidden':
      return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${text}` }
    case 'FieldValueDuplicate':
      return { reason: 'FieldValueDuplicate', field, message: `Duplicate value: ${typeText(schema)}` }
    default:
      return invalid(path, schema, text)
  }
}
