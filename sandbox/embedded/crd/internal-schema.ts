import type { CustomResourceDefinitionVersion, JSONSchemaProps, ValidationRule } from '../schema/types/apiextensions.v1.ts'

type Shape = (value: never) => unknown

/** The fields of the API server's own JSONSchemaProps in their order, with what is shown of each. */
const fields: readonly [name: string, field: keyof JSONSchemaProps, shape: Shape][] = [
  ['ID', 'id', orEmpty],
  ['Schema', '$schema', orEmpty],
  ['Ref', '$ref', orNull],
  ['Description', 'description', orEmpty],
  ['Type', 'type', orEmpty],
  ['Nullable', 'nullable', orFalse],
  ['Format', 'format', orEmpty],
  ['Title', 'title', orEmpty],
  ['Default', 'default', orNull],
  ['Maximum', 'maximum', orNull],
  ['ExclusiveMaximum', 'exclusiveMaximum', orFalse],
  ['Minimum', 'minimum', orNull],
  ['ExclusiveMinimum', 'exclusiveMinimum', orFalse],
  ['MaxLength', 'maxLength', orNull],
  ['MinLength', 'minLength', orNull],
  ['Pattern', 'pattern', orEmpty],
  ['MaxItems', 'maxItems', orNull],
  ['MinItems', 'minItems', orNull],
  ['UniqueItems', 'uniqueItems', orFalse],
  ['MultipleOf', 'multipleOf', orNull],
  ['Enum', 'enum', orNull],
  ['MaxProperties', 'maxProperties', orNull],
  ['MinProperties', 'minProperties', orNull],
  ['Required', 'required', orNull],
  ['Items', 'items', orArray],
  ['AllOf', 'allOf', eachSchema],
  ['OneOf', 'oneOf', eachSchema],
  ['AnyOf', 'anyOf', eachSchema],
  ['Not', 'not', internalSchema],
  ['Properties', 'properties', schemaByName],
  ['AdditionalProperties', 'additionalProperties', orBool],
  ['PatternProperties', 'patternProperties', schemaByName],
  ['Dependencies', 'dependencies', dependencies],
  ['AdditionalItems', 'additionalItems', orBool],
  ['Definitions', 'definitions', schemaByName],
  ['ExternalDocs', 'externalDocs', documentation],
  ['Example', 'example', orNull],
  ['XPreserveUnknownFields', 'x-kubernetes-preserve-unknown-fields', orNull],
  ['XEmbeddedResource', 'x-kubernetes-embedded-resource', orFalse],
  ['XIntOrString', 'x-kubernetes-int-or-string', orFalse],
  ['XListMapKeys', 'x-kubernetes-list-map-keys', orNull],
  ['XListType', 'x-kubernetes-list-type', orNull],
  ['XMapType', 'x-kubernetes-map-type', orNull],
  ['XValidations', 'x-kubernetes-validations', (rules?: ValidationRule[]) => rules?.map(internalRule) ?? null],
]

/** A schema as Go's JSON shows the API server's own type of it. */
export function internalSchema(schema: JSONSchemaProps | undefined): Record<string, unknown> | null {
  if (!schema) return null
  return Object.fromEntries(fields.map(([name, field, shape]) => [name, shape(schema[field] as never)]))
}

export function internalRule({
  rule,
  message = '',
  messageExpression = '',
  reason,
  fieldPath = '',
  optionalOldSelf,
}: ValidationRule): unknown {
  return {
    Rule: rule,
    Message: message,
    MessageExpression: messageExpression,
    Reason: reason ?? null,
    FieldPath: fieldPath,
    OptionalOldSelf: optionalOldSelf ?? null,
  }
}

/** What a version may have of its own, where not all versions have the same. */
export const internalPart: { [F in keyof CustomResourceDefinitionVersion]?: (value: CustomResourceDefinitionVersion[F]) => unknown } = {
  schema: (schema) => (schema ? { OpenAPIV3Schema: internalSchema(schema.openAPIV3Schema) } : null),
  subresources: (subresources) => {
    if (!subresources) return null
    const { status, scale } = subresources
    const paths = scale && {
      SpecReplicasPath: scale.specReplicasPath,
      StatusReplicasPath: scale.statusReplicasPath,
      LabelSelectorPath: scale.labelSelectorPath ?? null,
    }
    return { Status: status ?? null, Scale: paths ?? null }
  },
  additionalPrinterColumns: (columns) =>
    columns?.map(({ name, type, format = '', description = '', priority = 0, jsonPath }) => ({
      Name: name,
      Type: type,
      Format: format,
      Description: description,
      Priority: priority,
      JSONPath: jsonPath,
    })) ?? null,
  selectableFields: (selectable) => selectable?.map(({ jsonPath }) => ({ JSONPath: jsonPath })) ?? null,
}

/** The names of the fields that a schema sets, in Go's order; what is there as it would be unset does not count. */
export function namesOfSet(schema: JSONSchemaProps): string[] {
  const unset = internalSchema({})
  const shown = internalSchema(schema)
  return fields.map(([name]) => name).filter((name) => JSON.stringify(shown?.[name]) !== JSON.stringify(unset?.[name]))
}

function orEmpty(text?: string): string {
  return text ?? ''
}

function orFalse(value?: boolean): boolean {
  return value ?? false
}

function orNull(value: unknown): unknown {
  return value ?? null
}

function eachSchema(schemas?: readonly JSONSchemaProps[]): unknown {
  return schemas?.map(internalSchema) ?? null
}

function schemaByName(schemas?: Record<string, JSONSchemaProps>): unknown {
  return schemas ? Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, internalSchema(schema)])) : null
}

function orArray(items?: JSONSchemaProps | JSONSchemaProps[] | null): unknown {
  if (items === undefined) return null
  if (Array.isArray(items)) return { Schema: null, JSONSchemas: eachSchema(items) }
  return { Schema: internalSchema(items ?? undefined), JSONSchemas: null }
}

function orBool(value?: JSONSchemaProps | boolean): unknown {
  if (value === undefined) return null
  return typeof value === 'boolean' ? { Allows: value, Schema: null } : { Allows: true, Schema: internalSchema(value) }
}

function dependencies(given?: Record<string, JSONSchemaProps | string[]>): unknown {
  if (!given) return null
  const shown = Object.entries(given).map(([name, value]) => {
    return [name, Array.isArray(value) ? { Schema: null, Property: value } : { Schema: internalSchema(value), Property: null }]
  })
  return Object.fromEntries(shown)
}

function documentation(given?: { description?: string; url?: string }): unknown {
  return given ? { Description: given.description ?? '', URL: given.url ?? '' } : null
}
