import { type DeclaredType, declaredType } from '../cel/declared-type.ts'
import { CompileError } from '../cel/faults.ts'
import { celType } from '../cel/schema-environment.ts'
import { type CelType, types } from '../cel/types.ts'
import { groupVersionOf } from '../machinery/object.ts'
import { builtInResources } from '../registry/index.ts'
import { builtInSchemas, type Schema, schemaOf } from '../schema/index.ts'
import type { ExpressionWarning, ValidatingAdmissionPolicy } from '../schema/types/admissionregistration.v1.ts'
import type { CustomResourceDefinition, JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'
import { composedType, typedEnvironment } from './policy-environment.ts'

interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** A kind as expressions see it; without fields where nobody knows them. */
interface Typed extends Kind {
  readonly type: DeclaredType
}

/** No more kinds of one rule are looked at. */
const mostKinds = 10

/**
 * What a policy's expressions get wrong about the kinds that it names, one by one: fields that they do not have, values of another
 * type. Nothing hangs on it but what people are told. `random` makes the names that types go by. Source: TypeChecker in
 * apiserver/pkg/admission/plugin/policy/validating/typechecking.go.
 */
export function typeWarnings(
  policy: ValidatingAdmissionPolicy,
  definitions: readonly CustomResourceDefinition[],
  random: () => number,
): ExpressionWarning[] {
  const { validations = [], variables = [], paramKind } = policy.spec ?? {}
  const kinds = kindsOf(policy, definitions).flatMap((kind) => typed(kind, definitions) ?? [])
  const params = paramKind && typed({ ...groupVersionOf(paramKind.apiVersion ?? ''), kind: paramKind.kind ?? '' }, definitions)
  const problems = (text: string) => kinds.flatMap((kind) => problem(text, kind))
  return validations.flatMap(({ expression, messageExpression }, index) => [
    ...warning(`spec.validations[${index}].expression`, problems(expression)),
    ...(messageExpression ? warning(`spec.validations[${index}].messageExpression`, problems(messageExpression)) : []),
  ])

  function problem(text: string, kind: Typed): string[] {
    const structs = new Map<string, ReadonlyMap<string, CelType>>()
    const named = ({ kind: name, type }: Typed) => celType(type, `${name}${Math.floor(random() * 1e9)}`, structs)
    const typedVariables = { object: named(kind), params: params ? named(params) : types.dyn }
    const composed = new Map<string, CelType>()
    const environment = () => {
      const given = { params: params !== undefined, authorizer: true, composed: new Map(composed) }
      return typedEnvironment(given, typedVariables, structs)
    }
    for (const { name, expression } of variables) {
      const program = compiledOr(() => environment().compile(expression))
      composed.set(name, typeof program === 'string' ? types.dyn : composedType(program))
    }
    const outcome = compiledOr(() => environment().compile(text))
    return typeof outcome === 'string' ? [`${kind.group}/${kind.version}, Kind=${kind.kind}: ${outcome}\n`] : []
  }
}

function warning(fieldRef: string, problems: readonly string[]): ExpressionWarning[] {
  return problems.length > 0 ? [{ fieldRef, warning: problems.join('\n') }] : []
}

function compiledOr<T>(compile: () => T): T | string {
  try {
    return compile()
  } catch (error) {
    if (error instanceof CompileError) return error.message
    throw error
  }
}

/** Of rules that name all of theirs; a group that is not named is any. */
function kindsOf({ spec }: ValidatingAdmissionPolicy, definitions: readonly CustomResourceDefinition[]): Kind[] {
  const found = new Map<string, Kind>()
  const served = [...builtInResources, ...definitions.flatMap(servedBy)]
  for (const { apiGroups = [], apiVersions = [], resources = [] } of spec?.matchConstraints?.resourceRules ?? []) {
    if (apiGroups.some(isAny) || apiVersions.some(isAny)) continue
    let count = 0
    const names = resources.filter((name) => !/[*/]/.test(name)).sort()
    const wanted = apiGroups
      .toSorted()
      .flatMap((group) => apiVersions.toSorted().flatMap((version) => names.map((name) => ({ group, version, name: name.toLowerCase() }))))
    for (const { group, version, name } of wanted) {
      for (const one of served) {
        const isNamed = one.resource === name || one.singular === name
        if (!isNamed || one.version !== version || (group !== '' && one.group !== group) || count === mostKinds) continue
        found.set(`${one.group}\0${one.version}\0${one.kind}`, { group: one.group, version, kind: one.kind })
        count++
      }
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, kind]) => kind)
}

function isAny(name: string): boolean {
  return name.includes('*')
}

function servedBy({ spec }: CustomResourceDefinition) {
  const { plural, singular = '', kind } = spec.names
  return spec.versions
    .filter(({ served }) => served)
    .map(({ name }) => ({ group: spec.group, version: name, resource: plural, singular, kind }))
}

/** Undefined where no schema is published. */
function typed(kind: Kind, definitions: readonly CustomResourceDefinition[]): Typed | undefined {
  const schema = schemaOf(kind.group, kind.version, kind.kind) ?? customSchema(kind, definitions)
  if (!schema) return undefined
  const whole = resolved(schema, new Set())
  const head = whole.properties?.['metadata']?.properties
  const type = declaredType(whole, head?.['name']?.type !== 'string' || head['generateName']?.type !== 'string')
  return type && { ...kind, type }
}

function customSchema({ group, version, kind }: Kind, definitions: readonly CustomResourceDefinition[]): Schema | undefined {
  const definition = definitions.find(({ spec }) => spec.group === group && spec.names.kind === kind)
  const found = definition?.spec.versions.find(({ name, served }) => name === version && served)?.schema?.openAPIV3Schema
  const { apiVersion = {}, kind: ofKind = {}, metadata = {} } = schemaOf('', 'v1', 'ConfigMap')?.properties ?? {}
  const own = found as unknown as Schema | undefined
  return own && { ...own, type: 'object', properties: { ...own.properties, apiVersion, kind: ofKind, metadata } }
}

/** With what references lead to in their place; a type within itself is an object of which nothing is known. */
function resolved(schema: Schema, within: ReadonlySet<string>): JSONSchemaProps {
  const reference = schema.$ref ?? schema.allOf?.find(({ $ref }) => $ref !== undefined)?.$ref
  const name = reference?.replace('#/components/schemas/', '')
  if (name !== undefined && within.has(name)) return { type: 'object' }
  const meant = name === undefined ? schema : (builtInSchemas()[name] ?? { type: 'object' })
  const inner = name === undefined ? within : new Set([...within, name])
  const { properties, additionalProperties, items, allOf: _allOf, $ref: _ref, ...rest } = meant as Schema & { items?: Schema }
  return {
    ...(rest as JSONSchemaProps),
    ...(meant.format === 'int-or-string' ? { 'x-kubernetes-int-or-string': true } : {}),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([field, one]) => [field, resolved(one, inner)])),
    }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: resolved(additionalProperties as Schema, inner) } : {}),
    ...(items && !Array.isArray(items) ? { items: resolved(items, inner) } : {}),
  }
}
