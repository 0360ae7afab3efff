import { type FieldError, forbidden, invalid, type Path } from '../registry/field.ts'
import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'
import { internalSchema, namesOfSet } from './internal-schema.ts'

const allowed = [
  ...['Description', 'Type', 'Format', 'Title', 'Maximum', 'ExclusiveMaximum', 'Minimum', 'ExclusiveMinimum', 'MaxLength', 'MinLength'],
  ...['Pattern', 'MaxItems', 'MinItems', 'UniqueItems', 'MultipleOf', 'Required', 'Items', 'Properties', 'ExternalDocs', 'Example'],
  ...['XPreserveUnknownFields', 'XValidations'],
]

/**
 * What may not stand at the root of a schema; with a status subresource, whose schema is taken out of it, hardly anything may. The
 * first fault is told. Source: validateCustomResourceDefinitionValidation in apiextensions' validation.
 */
export function rootErrors(schema: JSONSchemaProps, path: Path, hasStatus: boolean): FieldError[] {
  const nullable = schema.nullable ? [forbidden(path.child('nullable'), 'nullable cannot be true at the root')] : []
  return hasStatus ? [...statusErrors(schema, path), ...nullable] : nullable
}

function statusErrors(schema: JSONSchemaProps, path: Path): FieldError[] {
  const wrong = namesOfSet(schema).find((name) => (name === 'Type' ? schema.type !== 'object' : !allowed.includes(name)))
  if (wrong === undefined) return []
  const where = 'at the root of the schema if the status subresource is enabled'
  if (wrong === 'Type') return [invalid(path.child('type'), schema.type, `only "object" is allowed as the type ${where}`)]
  return [invalid(path, internalSchema(schema), `only [${allowed.join(' ')}] fields are allowed ${where}`)]
}
