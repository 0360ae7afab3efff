import { isDeepStrictEqual } from 'node:util'
import { compiled } from '../cel/compiled.ts'
import { declaredType } from '../cel/declared-type.ts'
import type { Environment } from '../cel/environment.ts'
import { schemaEnvironment } from '../cel/schema-environment.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, type Path, required, specPath } from '../registry/field.ts'
import { isDns1035Label } from '../registry/names.ts'
import { serviceErrors, urlErrors } from '../registry/rules/webhook-client.ts'
import type { CustomResourceDefinition, CustomResourceDefinitionVersion, ValidationRule } from '../schema/types/apiextensions.v1.ts'
import { internalPart, internalRule } from './internal-schema.ts'
import { rootErrors } from './root-schema.ts'
import { childCardinality, messageCostErrors, type RuleContext, ruleCostErrors, TotalCost } from './rule-cost.ts'
import { structureErrors } from './structure.ts'

/**
 * What is wrong with the versions of a definition: names, structural schemas, rules, columns, selectable fields and scale
 * paths. What all versions have alike is told of once, at the place that it had in the first version of this API.
 */
export function validateVersions({ spec }: CustomResourceDefinition, old?: CustomResourceDefinition): FieldError[] {
  const versions = spec.versions ?? []
  const path = specPath.child('versions')
  const errors: FieldError[] = []
  const known = new Set(old?.spec.versions?.flatMap(({ schema }) => (schema?.openAPIV3Schema ? expressionsOf(schema.openAPIV3Schema) : [])))
  if (new Set(versions.map(({ name }) => name)).size < versions.length)
    errors.push(invalid(path, shown(versions), 'must contain unique version names'))
  for (const [index, version] of versions.entries()) {
    const at = path.index(index)
    errors.push(...isDns1035Label(version.name ?? '').map((text) => invalid(at.child('name'), version.name, text)))
    if (index === 0 && version.name)
      errors.push(...isDns1035Label(version.name).map((text) => invalid(specPath.child('version'), version.name, text)))
    if (!version.schema?.openAPIV3Schema) errors.push(required(at.child('schema', 'openAPIV3Schema')))
    if (version.deprecationWarning !== undefined && !version.deprecated) {
      errors.push(invalid(at.child('deprecationWarning'), version.deprecationWarning, 'can only be set for deprecated versions'))
    }
    if (version.deprecationWarning === '') errors.push(invalid(at.child('deprecationWarning'), '', 'must not be an empty string'))
    const uniform = (field: keyof CustomResourceDefinitionVersion) =>
      versions.every((other) => isDeepStrictEqual(other[field], version[field]))
    const place = (field: keyof CustomResourceDefinitionVersion, hoisted = String(field)): Path | undefined =>
      uniform(field) ? (index === 0 ? specPath.child(hoisted) : undefined) : at.child(field)
    const schema = place('schema', 'validation')
    if (schema) {
      const before = old?.spec.versions?.find(({ name }) => name === version.name)?.schema
      const hasStatus = (index === 0 && uniform('schema') ? versions : [version]).some(({ subresources }) => subresources?.status)
      const at = schema.child('openAPIV3Schema')
      if (version.schema?.openAPIV3Schema) errors.push(...rootErrors(version.schema.openAPIV3Schema, at, hasStatus))
      errors.push(...schemaErrors(version, at, isDeepStrictEqual(before, version.schema), known))
    }
    const subresources = place('subresources')
    if (subresources) errors.push(...scaleErrors(version, subresources.child('scale')))
    const columns = place('additionalPrinterColumns')
    if (columns) errors.push(...columnErrors(version, columns))
    const selectable = place('selectableFields')
    if (selectable) errors.push(...selectableErrors(version, selectable))
  }
  return errors
}

/** Versions as Go's JSON shows the server's own type of them. */
export function shown(versions: readonly CustomResourceDefinitionVersion[] | undefined | null): unknown {
  if (!versions) return null
  const alike = (field: keyof CustomResourceDefinitionVersion) =>
    versions.every((one) => isDeepStrictEqual(one[field], versions[0]?.[field]))
  const kept = <F extends keyof CustomResourceDefinitionVersion>(version: CustomResourceDefinitionVersion, field: F) =>
    alike(field) ? null : (internalPart[field]?.(version[field]) ?? null)
  return versions.map((version) => ({
    Name: version.name,
    Served: version.served,
    Storage: version.storage,
    Deprecated: version.deprecated ?? false,
    DeprecationWarning: version.deprecationWarning ?? null,
    Schema: kept(version, 'schema'),
    Subresources: kept(version, 'subresources'),
    AdditionalPrinterColumns: kept(version, 'additionalPrinterColumns'),
    SelectableFields: kept(version, 'selectableFields'),
  }))
}

function schemaErrors(
  { schema }: CustomResourceDefinitionVersion,
  path: Path,
  isUnchanged: boolean,
  known: ReadonlySet<string>,
): FieldError[] {
  const root = schema?.openAPIV3Schema
  if (!root) return []
  const errors = structureErrors(root, path)
  // Rules are compiled only against a schema that is sound.
  if (errors.length > 0) return errors
  const total = new TotalCost()
  return [...compileErrors(root, path, { atRoot: true, cardinality: 1, total, isUnchanged, known }), ...total.errors(path)]
}

type Schema = NonNullable<NonNullable<CustomResourceDefinitionVersion['schema']>['openAPIV3Schema']>

interface Place extends Pick<RuleContext, 'cardinality' | 'total' | 'isUnchanged'> {
  atRoot: boolean
  /** Rules and messages that were there before. */
  known: ReadonlySet<string>
  /** The highest part above of which nobody can say which of its parts was which before. */
  uncorrelatable?: Path
}

/** Of all versions of a definition, wherever they stand. */
function expressionsOf(schema: Schema): string[] {
  const { properties = {}, items, additionalProperties } = schema
  const rules = (schema['x-kubernetes-validations'] ?? []).flatMap(({ rule, messageExpression = '' }) => [rule, messageExpression])
  const parts = [...Object.values(properties), items, additionalProperties].filter(
    (part): part is Schema => typeof part === 'object' && !Array.isArray(part),
  )
  return [...rules, ...parts.flatMap(expressionsOf)]
}

const untyped = 'internal error: failed to retrieve type information for x-kubernetes-validations'

function compileErrors(schema: Schema, path: Path, place: Place): FieldError[] {
  const { atRoot, cardinality } = place
  const rules = schema['x-kubernetes-validations'] ?? []
  const type = rules.length > 0 ? declaredType(schema, atRoot || schema['x-kubernetes-embedded-resource']) : undefined
  const errors: FieldError[] = []
  for (const [index, given] of rules.entries()) {
    const { rule, messageExpression, optionalOldSelf } = given
    const at = path.child('x-kubernetes-validations').index(index)
    if (!type) {
      errors.push({ reason: 'InternalError', field: String(path.child('x-kubernetes-validations')), message: `Internal error: ${untyped}` })
      break
    }
    const context = { ...place, type }
    // A rule that an update leaves as it was may go on to use what new ones may not yet.
    const environment = schemaEnvironment(type, { optionalOldSelf: optionalOldSelf === true, stored: place.known.has(rule) })
    const { program, problem } = compiled(environment, rule, ['bool'], { wrapped: false })
    if (program) errors.push(...ruleCostErrors(program, at.child('rule'), context))
    else
      errors.push(
        invalid(
          at.child('rule'),
          internalRule(given),
          problem.replace(/^must evaluate to bool.*/, 'cel expression must evaluate to a bool'),
        ),
      )
    if (messageExpression && program) errors.push(...messageErrors(given, at.child('messageExpression'), environment, context))
    if (program?.uses('oldSelf')) {
      const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`
      if (place.uncorrelatable) errors.push(invalid(at.child('rule'), rule, why))
    } else if (optionalOldSelf !== undefined) {
      errors.push(invalid(at.child('optionalOldSelf'), optionalOldSelf, 'may not be set if oldSelf is not used in rule'))
    }
  }
  const factor = childCardinality(schema)
  const within = {
    ...place,
    atRoot: false,
    cardinality: cardinality === undefined || factor === undefined ? undefined : cardinality * factor,
  }
  const ofFields = schema['x-kubernetes-map-type'] === 'atomic' ? uncorrelated(within, path) : within
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    errors.push(...compileErrors(property, path.child('properties').key(name), ofFields))
  if (typeof schema.additionalProperties === 'object')
    errors.push(...compileErrors(schema.additionalProperties, path.child('additionalProperties'), within))
  const ofItems = schema['x-kubernetes-list-type'] === 'map' ? within : uncorrelated(within, path)
  if (schema.items && !Array.isArray(schema.items)) errors.push(...compileErrors(schema.items, path.child('items'), ofItems))
  return errors
}

function uncorrelated(place: Place, path: Path): Place {
  return place.uncorrelatable ? place : { ...place, uncorrelatable: path }
}

function messageErrors(rule: ValidationRule, path: Path, environment: Environment, context: RuleContext): FieldError[] {
  const { messageExpression = '' } = rule
  const { program, problem } = compiled(environment, messageExpression, ['string'], { wrapped: false })
  if (program) return messageCostErrors(program, path, context)
  const shown = problem.startsWith('must evaluate') ? 'messageExpression must evaluate to a string' : `messageExpression ${problem}`
  return [invalid(path, internalRule(rule), shown)]
}

function scaleErrors({ subresources }: CustomResourceDefinitionVersion, path: Path): FieldError[] {
  const scale = subresources?.scale
  if (!scale) return []
  const check = (name: 'specReplicasPath' | 'statusReplicasPath' | 'labelSelectorPath', roots: readonly string[], isOptional = false) => {
    const value = scale[name]
    const at = path.child(name)
    if (!value) return isOptional ? [] : [required(at)]
    if (!/^(?:\.[^.[\]]+)+$/.test(value)) return [invalid(at, value, 'must be a simple json path starting with .')]
    if (roots.some((root) => value.startsWith(root))) return []
    return [invalid(at, value, `should be a json path under ${roots.map((root) => root.slice(0, -1)).join(' or ')}`)]
  }
  return [
    ...check('specReplicasPath', ['.spec.']),
    ...check('statusReplicasPath', ['.status.']),
    ...check('labelSelectorPath', ['.spec.', '.status.'], true),
  ]
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password']

function columnErrors({ additionalPrinterColumns = [] }: CustomResourceDefinitionVersion, path: Path): FieldError[] {
  return additionalPrinterColumns.flatMap(({ name, type, format, jsonPath }, index) => {
    const at = path.index(index)
    const types = `must be one of ${columnTypes.join(',')}`
    return [
      ...(name ? [] : [required(at.child('name'))]),
      ...(!type ? [required(at.child('type'), types)] : columnTypes.includes(type) ? [] : [invalid(at.child('type'), type, types)]),
      ...(format && !columnFormats.includes(format)
        ? [invalid(at.child('format'), format, `must be one of ${columnFormats.join(',')}`)]
        : []),
      ...(!jsonPath
        ? [required(at.child('JSONPath'))]
        : jsonPath.startsWith('.')
          ? []
          : [invalid(at.child('JSONPath'), jsonPath, 'must be a simple json path starting with .')]),
    ]
  })
}

function selectableErrors({ selectableFields = [], schema }: CustomResourceDefinitionVersion, path: Path): FieldError[] {
  if (selectableFields.length > 0 && !schema?.openAPIV3Schema)
    return [invalid(path, '', 'may only be set when validations.schema is included')]
  const seen = new Set<string>()
  return selectableFields.flatMap(({ jsonPath }, index) => {
    const at = path.index(index).child('jsonPath')
    if (!jsonPath) return [required(at)]
    if (seen.has(jsonPath)) return [duplicate(at, jsonPath)]
    seen.add(jsonPath)
    if (!/^[.[]/.test(jsonPath)) return [invalid(at, jsonPath, `is an invalid path: expected [ or . but got: ${jsonPath}`)]
    if (!/^(?:\.[A-Za-z_][\w-]*)+$/.test(jsonPath))
      return [invalid(at, jsonPath, 'is an invalid path: must be a simple json path starting with .')]
    if (jsonPath.startsWith('.metadata.')) return [invalid(at, jsonPath, 'must not point to fields in metadata')]
    const field = jsonPath
      .slice(1)
      .split('.')
      .reduce<Schema | undefined>((part, name) => part?.properties?.[name], schema?.openAPIV3Schema)
    if (!field) return [invalid(at, jsonPath, 'is an invalid path: does not refer to a valid field')]
    if (['string', 'boolean', 'integer'].includes(field.type ?? '')) return []
    const why = 'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.'
    return [invalid(at, jsonPath, why)]
  })
}

/** Of the conversion: what the strategy needs and what it has no use for. */
export function conversionErrors({ spec: { conversion } }: CustomResourceDefinition): FieldError[] {
  const path = specPath.child('conversion')
  const { strategy, webhook } = conversion ?? { strategy: 'None' }
  const reviews = path.child('conversionReviewVersions')
  const client = path.child('webhookClientConfig')
  if (!strategy) return [required(path.child('strategy'))]
  if (strategy !== 'Webhook') {
    const unknown = strategy === 'None' ? [] : [notSupported(path.child('strategy'), strategy, ['None', 'Webhook'])]
    return [
      ...unknown,
      ...(webhook?.clientConfig ? [forbidden(client, 'should not be set when strategy is not set to Webhook')] : []),
      ...(webhook?.conversionReviewVersions?.length ? [forbidden(reviews, 'should not be set when strategy is not set to Webhook')] : []),
    ]
  }
  const { service, url } = webhook?.clientConfig ?? {}
  const errors: FieldError[] = []
  if (!webhook?.clientConfig) errors.push(required(client, 'required when strategy is set to Webhook'))
  else if ((service === undefined) === (url === undefined)) errors.push(required(client, 'exactly one of url or service is required'))
  else errors.push(...(service ? serviceErrors(service, client.child('service')) : urlErrors(url as string, client.child('url'))))
  return [...errors, ...reviewVersionErrors(webhook?.conversionReviewVersions ?? [], reviews)]
}

function reviewVersionErrors(versions: readonly string[], path: Path): FieldError[] {
  if (versions.length === 0) return [required(path)]
  const errors = versions.flatMap((version, index) =>
    versions.indexOf(version) < index
      ? [invalid(path.index(index), version, 'duplicate version')]
      : isDns1035Label(version).map((text) => invalid(path.index(index), version, text)),
  )
  if (versions.some((version) => version === 'v1' || version === 'v1beta1')) return errors
  return [...errors, invalid(path, versions, 'must include at least one of v1, v1beta1')]
}
