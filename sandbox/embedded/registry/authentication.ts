import type { SelfSubjectReview, TokenReview } from '../schema/types/authentication.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'

const group = 'authentication.k8s.io'
const version = 'v1'

export const authentication: readonly ResourceInfo[] = [
  define<SelfSubjectReview>(group, version, {
    kind: 'SelfSubjectReview',
    resource: 'selfsubjectreviews',
    namespaced: false,
    verbs: ['create'],
  }),
  define<TokenReview>(group, version, { kind: 'TokenReview', resource: 'tokenreviews', namespaced: false, verbs: ['create'] }),
]
