import type { RuntimeClass } from '../schema/types/node.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { runtimeClassRules } from './rules/runtime-class.ts'

const group = 'node.k8s.io'
const version = 'v1'

export const node: readonly ResourceInfo[] = [
  define<RuntimeClass>(group, version, {
    kind: 'RuntimeClass',
    resource: 'runtimeclasses',
    namespaced: false,
    allowCreateOnUpdate: true,
    allowUnconditionalUpdate: false,
    ...runtimeClassRules,
  }),
]
