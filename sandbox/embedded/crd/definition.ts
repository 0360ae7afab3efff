import { problemIn } from '../cel/check.ts'
import { environmentOf } from '../cel/schema-types.ts'
import { duplicate, type FieldError, forbidden, invalid, notSupported, Path, required } from '../registry/field.ts'
import { isDns1123Label } from '../registry/names.ts'
import type { CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'

/** What is wrong with the versions of a definition: names, structural schemas, columns and scale paths. */
export function validateVersions({ spec }: CustomResourceDefinition): FieldError[] {
  const path = new Path('spec.versions')
  const seen = new Set<string>()
  const errors: FieldError[] = []
  for (const [index, version] of (spec.versions ?? []).entries()) {
    errors.push(...validateVersion(version, path.index(index)))
    if (seen.has(version.name)) errors.push(invalid(path, version.name, 'must contain unique version names'))
    seen.add(version.name)
  }
  return errors
}

function validateVersion(version: CustomResourceDefinitionVersion, path: Path): FieldError[] {
  const errors = isDns1123Label(version.name ?? '').map((text) => invalid(path.child('name'), version.name, text))
  const schema = version.schema?.openAPIV3Schema
  const at = path.child('schema', 'openAPIV3Schema')
  if (!schema) return errors
  if (schema.type !== 'object') {
    const text = schema.type ? 'must be object at the root' : undefined
    errors.push(text ? invalid(at.child('type'), schema.type, text) : required(at.child('type'), 'must not be empty at the root'))
  }
  errors.push(...validateStructure(schema, at, true))
  const scale = version.subresources?.scale
  const scalePath = path.child('subresources', 'scale')
  if (scale && !scale.specReplicasPath?.startsWith('.spec.')) {
    errors.push(invalid(scalePath.child('specReplicasPath'), scale.specReplicasPath, 'should be a json path under .spec'))
  }
  if (scale && !scale.statusReplicasPath?.startsWith('.status.')) {
    errors.push(invalid(scalePath.child('statusReplicasPath'), scale.statusReplicasPath, 'should be a json path under .status'))
  }
  for (const [index, column] of (version.additionalPrinterColumns ?? []).entries()) {
    const columnPath = path.child('additionalPrinterColumns').index(index)
    if (!column.name) errors.push(required(columnPath.child('name')))
    if (!columnTypes.includes(column.type)) {
      errors.push(
        column.type
          ? invalid(columnPath.child('type'), column.type, `must be one of ${columnTypes.join(',')}`)
          : required(columnPath.child('type'), `must be one of ${columnTypes.join(',')}`),
      )
    }
    if (!column.jsonPath) errors.push(required(columnPath.child('jsonPath'), `JSONPath is required`))
  }
  return errors
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']
const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']

/** The rules of structural schemas (KEP 1693) that people run into. */
function validateStructure(schema: JSONSchemaProps, path: Path, isRoot = false): FieldError[] {
  const errors: FieldError[] = []
  const free = schema['x-kubernetes-int-or-string'] || schema['x-kubernetes-preserve-unknown-fields']
  if (!isRoot && !schema.type && !free) errors.push(required(path.child('type'), 'must not be empty for specified object fields'))
  if (schema.type && !types.includes(schema.type)) errors.push(notSupported(path.child('type'), schema.type, types))
  if (schema.$ref) errors.push(forbidden(path.child('$ref'), '$ref is not supported'))
  if (schema.uniqueItems)
    errors.push(forbidden(path.child('uniqueItems'), 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'))
  if (schema.additionalProperties === false) errors.push(forbidden(path.child('additionalProperties'), 'must not be false'))
  if (schema.properties && schema.additionalProperties) {
    errors.push(forbidden(path.child('additionalProperties'), 'additionalProperties and properties are mutual exclusive'))
  }
  if (schema.type === 'array' && !schema.items) errors.push(required(path.child('items'), 'must be specified'))
  if (Array.isArray(schema.items)) errors.push(forbidden(path.child('items'), 'items must be a schema object and not an array'))
  if (schema.pattern !== undefined && !isExpression(schema.pattern)) {
    errors.push(invalid(path.child('pattern'), schema.pattern, `must be a valid regular expression, but isn't`))
  }
  for (const [index, value] of (schema.required ?? []).entries()) {
    if (schema.required?.indexOf(value) !== index) errors.push(duplicate(path.child('required').index(index), value))
  }
  errors.push(...ruleErrors(schema, path.child('x-kubernetes-validations'), isRoot))
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    errors.push(...validateStructure(property, path.child('properties').key(name)))
  if (typeof schema.additionalProperties === 'object')
    errors.push(...validateStructure(schema.additionalProperties, path.child('additionalProperties')))
  if (schema.items && !Array.isArray(schema.items)) errors.push(...validateStructure(schema.items, path.child('items')))
  return errors
}

function isExpression(pattern: string): boolean {
  try {
    new RegExp(pattern.replace(/^\(\?[ims]+\)/, ''))
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/** What is wrong with the rules of one place, whose fields they may name. */
function ruleErrors(schema: JSONSchemaProps, path: Path, atRoot: boolean): FieldError[] {
  const errors: FieldError[] = []
  for (const [index, { rule, message, messageExpression, optionalOldSelf = false }] of (
    schema['x-kubernetes-validations'] ?? []
  ).entries()) {
    const at = path.index(index)
    if (!rule?.trim()) {
      errors.push(required(at.child('rule'), 'rule is not specified'))
      continue
    }
    if (rule.includes('\n') && !message)
      errors.push(required(at.child('message'), 'message must be specified if rule contains line breaks'))
    if (message?.includes('\n')) errors.push(invalid(at.child('message'), message, 'message must not contain line breaks'))
    const environment = environmentOf(schema, { atRoot, optionalOldSelf })
    const problem = problemIn(environment, rule, ['bool'])
    if (problem) errors.push(invalid(at.child('rule'), rule, problem))
    const inMessage = messageExpression && problemIn(environment, messageExpression, ['string'])
    if (inMessage) errors.push(invalid(at.child('messageExpression'), messageExpression, inMessage))
  }
  return errors
}
