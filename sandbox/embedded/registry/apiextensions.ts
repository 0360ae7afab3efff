import { conversionErrors, validateVersions } from '../crd/definition.ts'
import type { CustomResourceDefinition } from '../schema/types/apiextensions.v1.ts'
import { define, ofStatusAlone } from './define.ts'
import type { FieldError } from './field.ts'
import type { ResourceInfo } from './resource-info.ts'
import { customResourceDefinitionRules } from './rules/others.ts'

const group = 'apiextensions.k8s.io'
const version = 'v1'
const { validate, validateChange, ...rules } = customResourceDefinitionRules

export const apiextensions: readonly ResourceInfo[] = [
  define<CustomResourceDefinition>(group, version, {
    kind: 'CustomResourceDefinition',
    resource: 'customresourcedefinitions',
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    metadataChecks: 'generic',
    namespaced: false,
    storageVersion: 'v1beta1',
    status: true,
    resetFields: ofStatusAlone,
    tracksGeneration: true,
    allowUnconditionalUpdate: false,
    ...rules,
    validateCreate: (definition) => definitionErrors(definition),
    validateUpdate: (definition, old) => [...definitionErrors(definition, old), ...(validateChange?.(definition, old) ?? [])],
  }),
]

function definitionErrors(definition: CustomResourceDefinition, old?: CustomResourceDefinition): FieldError[] {
  return [...(validate?.(definition) ?? []), ...validateVersions(definition, old), ...conversionErrors(definition)]
}
