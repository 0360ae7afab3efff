import { patternFault } from '../cel/pattern-fault.ts'
import { type FieldError, forbidden, invalid, notSupported, type Path, required } from '../registry/field.ts'
import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'
import { defaultRuleErrors } from './rules.ts'
import { isObject } from './schema.ts'
import { validateListTypes, validateSchema } from './validate.ts'

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']

/** The rules of structural schemas (KEP 1693) and of Kubernetes' extensions in them, from the root down. */
export function structureErrors(schema: JSONSchemaProps, path: Path): FieldError[] {
  const errors: FieldError[] = []
  if (!schema.type) errors.push(required(path.child('type'), 'must not be empty at the root'))
  else if (schema.type !== 'object') errors.push(invalid(path.child('type'), schema.type, 'must be object at the root'))
  const metadata = schema.properties?.['metadata']
  const known = new Set(['name', 'generateName'])
  if (metadata && Object.keys(metadata.properties ?? {}).some((name) => !known.has(name))) {
    const why = 'must not specify anything other than name and generateName, but metadata is implicitly specified'
    errors.push(forbidden(path.child('properties').key('metadata'), why))
  }
  return [...errors, ...partErrors(schema, path, true)]
}

function partErrors(schema: JSONSchemaProps, path: Path, isRoot = false): FieldError[] {
  const errors = [...ownErrors(schema, path, isRoot), ...extensionErrors(schema, path), ...ruleErrors(schema, path)]
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    errors.push(...partErrors(property, path.child('properties').key(name)))
  if (typeof schema.additionalProperties === 'object')
    errors.push(...partErrors(schema.additionalProperties, path.child('additionalProperties')))
  if (schema.items && !Array.isArray(schema.items)) errors.push(...partErrors(schema.items, path.child('items')))
  for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const) {
    // what an integer or string is may be spelt out, here or in the first allOf
    if (junctor === 'anyOf' && spellsIntOrString(schema)) continue
    for (const [index, part] of (schema[junctor] ?? []).entries()) {
      const spelt = junctor === 'allOf' && index === 0 && spellsIntOrString(part)
      errors.push(...valueErrors(spelt ? { ...part, anyOf: undefined } : part, path.child(junctor).index(index)))
    }
  }
  if (schema.not) errors.push(...valueErrors(schema.not, path.child('not')))
  return errors
}

/** anyOf: [{type: integer}, {type: string}] and nothing more. */
function spellsIntOrString({ anyOf }: JSONSchemaProps): boolean {
  return JSON.stringify(anyOf) === '[{"type":"integer"},{"type":"string"}]'
}

function ownErrors(schema: JSONSchemaProps, path: Path, isRoot: boolean): FieldError[] {
  const errors: FieldError[] = []
  const free = schema['x-kubernetes-int-or-string'] || schema['x-kubernetes-preserve-unknown-fields']
  if (!isRoot && !schema.type && !free) {
    errors.push(
      required(
        path.child('type'),
        `must not be empty for specified ${path.toString().endsWith('.items') ? 'array items' : 'object fields'}`,
      ),
    )
  }
  if (schema.type && !types.includes(schema.type)) errors.push(notSupported(path.child('type'), schema.type, types))
  if (schema.$ref) errors.push(forbidden(path.child('$ref'), '$ref is not supported'))
  if (schema.uniqueItems) {
    errors.push(forbidden(path.child('uniqueItems'), 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'))
  }
  if (schema.properties && schema.additionalProperties) {
    errors.push(forbidden(path.child('additionalProperties'), 'additionalProperties and properties are mutual exclusive'))
  }
  if (schema.type === 'array' && !schema.items) errors.push(required(path.child('items'), 'must be specified'))
  if (Array.isArray(schema.items)) errors.push(forbidden(path.child('items'), 'items must be a schema object and not an array'))
  const fault = schema.pattern === undefined ? undefined : patternFault(schema.pattern)
  if (fault) errors.push(invalid(path.child('pattern'), schema.pattern, `must be a valid regular expression, but isn't: ${fault}`))
  // a type that nobody knows is no fault of the structure
  const sound = errors.every(({ reason }) => reason === 'FieldValueNotSupported')
  if (schema.default !== undefined && sound) errors.push(...defaultErrors(schema, path.child('default'), isRoot))
  return errors
}

/** A default must be valid itself. */
function defaultErrors(schema: JSONSchemaProps, path: Path, isRoot: boolean): FieldError[] {
  const own = [...validateSchema(schema.default, schema), ...validateListTypes(schema.default, schema)]
  const faults = own.length > 0 ? own : defaultRuleErrors(schema, isRoot)
  return faults.map((fault) => ({ ...fault, field: fault.field && fault.field !== '<nil>' ? `${path}.${fault.field}` : path.toString() }))
}

function extensionErrors(schema: JSONSchemaProps, path: Path): FieldError[] {
  const errors: FieldError[] = []
  const at = (name: string) => path.child(`x-kubernetes-${name}`)
  const items = Array.isArray(schema.items) ? undefined : schema.items
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    errors.push(invalid(at('preserve-unknown-fields'), false, 'must be true or undefined'))
  const mapType = schema['x-kubernetes-map-type']
  if (mapType && !['atomic', 'granular'].includes(mapType)) errors.push(notSupported(at('map-type'), mapType, ['atomic', 'granular']))
  if (mapType !== undefined && schema.type !== 'object') {
    const why = 'must be object if x-kubernetes-map-type is specified'
    errors.push(schema.type ? invalid(path.child('type'), schema.type, why) : required(path.child('type'), why))
  }
  for (const name of ['preserve-unknown-fields', 'embedded-resource'] as const) {
    if (schema['x-kubernetes-int-or-string'] && schema[`x-kubernetes-${name}`])
      errors.push(invalid(at(name), true, 'must be false if x-kubernetes-int-or-string is true'))
  }
  if (schema['x-kubernetes-embedded-resource'] && schema.additionalProperties)
    errors.push(forbidden(path.child('additionalProperties'), 'must not be used if x-kubernetes-embedded-resource is set'))
  const listType = schema['x-kubernetes-list-type']
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  if (listType && schema.type !== 'array') {
    errors.push(
      schema.type
        ? invalid(path.child('type'), schema.type, 'must be array if x-kubernetes-list-type is specified')
        : required(path.child('type'), 'must be array if x-kubernetes-list-type is specified'),
    )
  }
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType))
    errors.push(notSupported(at('list-type'), listType, ['atomic', 'set', 'map']))
  if (keys.length > 0 && listType !== 'map') {
    errors.push(
      listType !== undefined
        ? invalid(at('list-type'), listType, 'must be map if x-kubernetes-list-map-keys is non-empty')
        : required(at('list-type'), 'must be map if x-kubernetes-list-map-keys is non-empty'),
    )
  }
  if (listType === 'map') {
    if (keys.length === 0) errors.push(required(at('list-map-keys'), 'must not be empty if x-kubernetes-list-type is map'))
    if (!schema.items) errors.push(required(path.child('items'), 'must have a schema if x-kubernetes-list-type is map'))
    if (items && items.type !== 'object') {
      const why = "must be object if parent array's x-kubernetes-list-type is map"
      errors.push(invalid(path.child('items', 'type'), items.type ?? '', why))
    }
    for (const [index, key] of (items?.type === 'object' ? keys : []).entries()) {
      const property = items?.properties?.[key]
      if (!property) errors.push(invalid(at('list-map-keys'), keys, 'entries must all be names of item properties'))
      else if (property.default === undefined && !items?.required?.includes(key)) {
        const why = 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'
        errors.push(required(path.child('items', 'properties').key(key).child('default'), why))
      }
      if (keys.indexOf(key) < index) errors.push(invalid(at('list-map-keys'), keys, 'must not contain duplicate entries'))
    }
  }
  if (listType === 'set' && items) {
    if (items.nullable) errors.push(forbidden(path.child('items', 'nullable'), 'cannot be nullable when x-kubernetes-list-type is set'))
    const ofObjects = items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic'
    const why = 'must be atomic as item of a list with x-kubernetes-list-type=set'
    if (ofObjects) errors.push(invalid(path.child('items', 'x-kubernetes-map-type'), items['x-kubernetes-map-type'] ?? null, why))
    const ofLists = items.type === 'array' && items['x-kubernetes-list-type'] !== undefined && items['x-kubernetes-list-type'] !== 'atomic'
    if (ofLists) errors.push(invalid(path.child('items', 'x-kubernetes-list-type'), items['x-kubernetes-list-type'], why))
  }
  if (schema['x-kubernetes-embedded-resource']) {
    if (!schema.properties && !schema['x-kubernetes-preserve-unknown-fields']) {
      const why = 'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields'
      errors.push(required(path.child('properties'), why))
    }
    if (schema.type !== 'object') {
      const why = 'must be object if x-kubernetes-embedded-resource is true'
      errors.push(schema.type ? invalid(path.child('type'), schema.type, why) : required(path.child('type'), why))
    }
  }
  return errors
}

const reasons = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired']

/** Of rules what can be said without compiling them. */
function ruleErrors(schema: JSONSchemaProps, path: Path): FieldError[] {
  return (schema['x-kubernetes-validations'] ?? []).flatMap(({ rule, message, messageExpression, reason, fieldPath }, index) => {
    const at = path.child('x-kubernetes-validations').index(index)
    const errors: FieldError[] = []
    if (!rule?.trim()) errors.push(required(at.child('rule'), 'rule is not specified'))
    if (message !== undefined && message !== '' && !message.trim())
      errors.push(invalid(at.child('message'), message, 'must be non-empty if specified'))
    else if (message?.trim().includes('\n')) errors.push(invalid(at.child('message'), message, 'must not contain line breaks'))
    else if (rule?.trim().includes('\n') && !message?.trim())
      errors.push(required(at.child('message'), 'message must be specified if rule contains line breaks'))
    if (messageExpression && !messageExpression.trim())
      errors.push(required(at.child('messageExpression'), 'messageExpression must be non-empty if specified'))
    if (reason !== undefined && !reasons.includes(reason)) errors.push(notSupported(at.child('reason'), reason, reasons))
    if (fieldPath && !fieldPath.trim()) errors.push(invalid(at.child('fieldPath'), fieldPath, 'must be non-empty if specified'))
    if (fieldPath?.includes('\n')) errors.push(invalid(at.child('fieldPath'), fieldPath, 'must not contain line breaks'))
    if (fieldPath && !isFieldPath(fieldPath, schema)) errors.push(invalid(at.child('fieldPath'), fieldPath, 'must be a valid path'))
    return errors
  })
}

/** Within allOf, anyOf, oneOf and not stands what values must be, not what they are. */
function valueErrors(schema: JSONSchemaProps, path: Path): FieldError[] {
  const errors: FieldError[] = []
  const fields = ['type', 'title', 'description', 'default', 'nullable', 'additionalProperties'] as const
  const extensions = ['preserve-unknown-fields', 'embedded-resource', 'list-type', 'list-map-keys', 'map-type', 'validations'] as const
  const given = schema as unknown as Record<string, unknown>
  for (const name of [...fields, ...extensions.map((one) => `x-kubernetes-${one}`)]) {
    const value = given[name]
    const isEmpty = value === undefined || value === '' || value === false || (Array.isArray(value) && value.length === 0)
    if (!isEmpty)
      errors.push(
        forbidden(
          path.child(name),
          name === 'nullable'
            ? 'must be false to be structural'
            : name === 'default'
              ? 'must be undefined to be structural'
              : 'must be empty to be structural',
        ),
      )
  }
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    errors.push(...valueErrors(property, path.child('properties').key(name)))
  if (isObject(schema.items)) errors.push(...valueErrors(schema.items as JSONSchemaProps, path.child('items')))
  for (const junctor of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [index, part] of (schema[junctor] ?? []).entries()) errors.push(...valueErrors(part, path.child(junctor).index(index)))
  }
  if (schema.not) errors.push(...valueErrors(schema.not, path.child('not')))
  return errors
}

/** Whether a path such as `.spec.ports['http']` leads to a field of the schema; lists have no names to follow. */
function isFieldPath(path: string, schema: JSONSchemaProps): boolean {
  const steps = [...path.matchAll(/\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\]/gy)]
  if (steps.length === 0 || steps.map(([step]) => step).join('') !== path) return false
  let part: JSONSchemaProps | undefined = schema
  for (const [, field, key] of steps) {
    const name = field ?? key ?? ''
    const values: JSONSchemaProps | undefined = typeof part.additionalProperties === 'object' ? part.additionalProperties : undefined
    part = part.properties?.[name] ?? values
    if (!part) return false
  }
  return true
}
