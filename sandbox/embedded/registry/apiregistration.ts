import type { APIService } from '../schema/types/apiregistration.v1.ts'
import { define, ofStatusAlone } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { apiServiceRules } from './rules/others.ts'

const group = 'apiregistration.k8s.io'
const version = 'v1'

export const apiregistration: readonly ResourceInfo[] = [
  define<APIService>(group, version, {
    kind: 'APIService',
    resource: 'apiservices',
    categories: ['api-extensions'],
    metadataChecks: 'generic',
    checksMetadataAgain: true,
    allowUnconditionalUpdate: false,
    namespaced: false,
    status: true,
    statusKeepsMetadata: true,
    resetFields: ofStatusAlone,
    ...apiServiceRules,
  }),
]
