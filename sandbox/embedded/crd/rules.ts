import { Optional } from '@marcbachmann/cel-js'
import { compile, toCel } from '../cel/index.ts'
import type { KubeObject } from '../machinery/object.ts'
import { type FieldError, type FieldErrorReason, Path } from '../registry/field.ts'
import type { JSONSchemaProps, ValidationRule } from '../schema/types/apiextensions.v1.ts'
import { correlated, isUnchanged, oldField } from './correlate.ts'
import { isObject, itemsOf, propertyOf } from './schema.ts'

/** Whether any part of the schema has x-kubernetes-validations. */
export function hasRules(schema: JSONSchemaProps): boolean {
  const known = withRules.get(schema)
  if (known !== undefined) return known
  const parts = [...Object.values(schema.properties ?? {}), itemsOf(schema), schema.additionalProperties]
  const found = !!schema['x-kubernetes-validations']?.length || parts.some((part) => typeof part === 'object' && hasRules(part))
  withRules.set(schema, found)
  return found
}

/** What x-kubernetes-validations say against an object. Rules about `oldSelf` are for updates only. */
export function validateRules(schema: JSONSchemaProps, object: KubeObject, old?: KubeObject): FieldError[] {
  return check(schema, object, old, '')
}

const withRules = new WeakMap<JSONSchemaProps, boolean>()

function check(schema: JSONSchemaProps, value: unknown, old: unknown, path: string): FieldError[] {
  if (!hasRules(schema) || value === undefined || value === null) return []
  const errors = (schema['x-kubernetes-validations'] ?? []).flatMap((rule) => checkRule(rule, schema, value, old, path))
  if (Array.isArray(value)) {
    const items = itemsOf(schema)
    const before = correlated(schema, old)
    return items ? [...errors, ...value.flatMap((item, index) => check(items, item, before(item), `${path}[${index}]`))] : errors
  }
  if (!isObject(value)) return errors
  for (const [key, field] of Object.entries(value)) {
    const property = propertyOf(schema, key)
    const at = schema.properties?.[key] ? (path ? `${path}.${key}` : key) : `${path}[${key}]`
    if (property) errors.push(...check(property, field, oldField(old, key), at))
  }
  return errors
}

function checkRule(rule: ValidationRule, schema: JSONSchemaProps, value: unknown, old: unknown, path: string): FieldError[] {
  const transition = /\boldSelf\b/.test(rule.rule)
  if (transition && old === undefined && !rule.optionalOldSelf) return []
  if (!transition && isUnchanged(value, old)) return []
  const variables = { self: toCel(value, schema), ...(transition ? { oldSelf: oldSelf(rule, schema, old) } : {}) }
  const failed = (text: string) => {
    const at = rule.fieldPath ? `${path}${rule.fieldPath}` : path
    return [{ reason: reasonOf(rule), field: new Path(at.replace(/^\./, '')).toString(), message: textOf(rule, schema, text) }]
  }
  try {
    if (compile(rule.rule)(variables) === true) return []
  } catch (error) {
    return failed(`rule evaluation error: ${error instanceof Error ? error.message : String(error)}`)
  }
  return failed(messageOf(rule, variables))
}

/** With optionalOldSelf it is an optional, which is none on a create. */
function oldSelf({ optionalOldSelf }: ValidationRule, schema: JSONSchemaProps, old: unknown): unknown {
  if (!optionalOldSelf) return toCel(old, schema)
  return old === undefined ? Optional.none() : Optional.of(toCel(old, schema))
}

function messageOf(rule: ValidationRule, variables: Record<string, unknown>): string {
  const fallback = rule.message || `failed rule: ${rule.rule}`
  if (!rule.messageExpression) return fallback
  try {
    const text = compile(rule.messageExpression)(variables)
    return typeof text === 'string' && text.trim() !== '' && !text.includes('\n') ? text : fallback
  } catch {
    // As upstream: an expression that fails leaves the plain message.
    return fallback
  }
}

function reasonOf({ reason }: ValidationRule): FieldErrorReason {
  return (reason as FieldErrorReason | undefined) ?? 'FieldValueInvalid'
}

function textOf(rule: ValidationRule, schema: JSONSchemaProps, text: string): string {
  if (rule.reason === 'FieldValueRequired') return `Required value: ${text}`
  if (rule.reason === 'FieldValueForbidden') return `Forbidden: ${text}`
  const type = JSON.stringify(schema.type ?? 'object')
  return rule.reason === 'FieldValueDuplicate' ? `Duplicate value: ${type}` : `Invalid value: ${type}: ${text}`
}
