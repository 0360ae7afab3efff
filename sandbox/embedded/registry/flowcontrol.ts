import type { FlowSchema, PriorityLevelConfiguration } from '../schema/types/flowcontrol.v1.ts'
import { define, ofStatusAlone } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { flowSchemaRules, priorityLevelRules } from './rules/flowcontrol.ts'

const group = 'flowcontrol.apiserver.k8s.io'
const version = 'v1'

export const flowcontrol: readonly ResourceInfo[] = [
  define<FlowSchema>(group, version, {
    kind: 'FlowSchema',
    resource: 'flowschemas',
    namespaced: false,
    status: true,
    statusKeepsMetadata: true,
    resetFields: ofStatusAlone,
    tracksGeneration: true,
    ...flowSchemaRules,
  }),
  define<PriorityLevelConfiguration>(group, version, {
    kind: 'PriorityLevelConfiguration',
    resource: 'prioritylevelconfigurations',
    namespaced: false,
    status: true,
    statusKeepsMetadata: true,
    resetFields: ofStatusAlone,
    tracksGeneration: true,
    ...priorityLevelRules,
  }),
]
