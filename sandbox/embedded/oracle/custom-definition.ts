import type { ValidationRule } from '../schema/types/apiextensions.v1.ts'

/** An OpenAPI v3 schema. */
export type Schema = Record<string, unknown>

/** Where definitions are made. */
export const definitionsPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

export const integer: Schema = { type: 'integer' }
export const text = (more: Schema = {}): Schema => ({ type: 'string', ...more })
export const list = (items: Schema, more: Schema = {}): Schema => ({ type: 'array', items, ...more })
export const record = (properties: Record<string, Schema>, more: Schema = {}): Schema => ({ type: 'object', properties, ...more })
export const map = (values: Schema, more: Schema = {}): Schema => ({ type: 'object', additionalProperties: values, ...more })
export const ruled = (schema: Schema, ...rules: (string | Partial<ValidationRule>)[]): Schema => ({
  ...schema,
  'x-kubernetes-validations': rules.map((rule) => (typeof rule === 'string' ? { rule } : rule)),
})

/** A CustomResourceDefinition. */
export function customDefinition<V extends object>(
  group: string,
  names: { plural: string; kind: string } & Record<string, unknown>,
  versions: readonly V[],
  scope = 'Namespaced',
) {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.${group}` },
    spec: { group, scope, names, versions },
  }
}

/** The version of a definition that has but one. */
export function onlyVersion(schema: Schema, more: object = {}) {
  return { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...more }
}
