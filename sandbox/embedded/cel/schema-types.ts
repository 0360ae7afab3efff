import type { Environment } from '@marcbachmann/cel-js'
import type { JSONSchemaProps } from '../schema/types/apiextensions.v1.ts'
import { newEnvironment } from './index.ts'
import { escapeField } from './values.ts'

/** An environment in which `self` and `oldSelf` have the type of a schema, so that a field that it does not have is found. */
export function environmentOf(
  schema: JSONSchemaProps,
  { atRoot, optionalOldSelf }: { atRoot: boolean; optionalOldSelf: boolean },
): Environment {
  const environment = newEnvironment()
  const type = typeOf(environment, atRoot ? withHead(schema) : schema, 'self')
  return environment.registerVariable('self', type).registerVariable('oldSelf', optionalOldSelf ? `optional<${type}>` : type)
}

/** Of an object's metadata rules see the names alone. */
function withHead(schema: JSONSchemaProps): JSONSchemaProps {
  const text = { type: 'string' }
  const metadata = { type: 'object', properties: { name: text, generateName: text } }
  return { ...schema, properties: { ...schema.properties, apiVersion: text, kind: text, metadata } }
}

function typeOf(environment: Environment, schema: JSONSchemaProps, path: string): string {
  if (schema['x-kubernetes-int-or-string'] || schema['x-kubernetes-preserve-unknown-fields'] || schema['x-kubernetes-embedded-resource'])
    return 'dyn'
  switch (schema.type) {
    case 'string':
      return formats[schema.format ?? ''] ?? 'string'
    case 'integer':
      return 'int'
    case 'number':
      return 'double'
    case 'boolean':
      return 'bool'
    case 'array': {
      const items = schema.items
      return items && !Array.isArray(items) ? `list<${typeOf(environment, items, `${path}.__idx`)}>` : 'list'
    }
    case 'object': {
      const { properties, additionalProperties } = schema
      if (typeof additionalProperties === 'object') return `map<string, ${typeOf(environment, additionalProperties, `${path}.__elem`)}>`
      if (!properties) return 'dyn'
      const fields = Object.fromEntries(
        Object.entries(properties).flatMap(([name, property]) => {
          const field = escapeField(name)
          // Rules do not see what CEL has no name for.
          return /^[A-Za-z_]\w*$/.test(field) ? [[field, typeOf(environment, property, `${path}.${field}`)]] : []
        }),
      )
      environment.registerType(path, { fields }).registerOperator(`${path} == ${path}`, () => false)
      return path
    }
    default:
      return 'dyn'
  }
}

const formats: Readonly<Record<string, string>> = {
  'date-time': 'google.protobuf.Timestamp',
  date: 'google.protobuf.Timestamp',
  duration: 'google.protobuf.Duration',
  byte: 'bytes',
}
