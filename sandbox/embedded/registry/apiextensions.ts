import type { CustomResourceDefinition } from '../schema/types/apiextensions.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'

const group = 'apiextensions.k8s.io'
const version = 'v1'

export const apiextensions: readonly ResourceInfo[] = [
  define<CustomResourceDefinition>(group, version, {
    kind: 'CustomResourceDefinition',
    resource: 'customresourcedefinitions',
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    namespaced: false,
    status: true,
    tracksGeneration: true,
    allowUnconditionalUpdate: false,
  }),
]
