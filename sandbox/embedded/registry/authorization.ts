import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from '../schema/types/authorization.v1.ts'
import { define } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'

const group = 'authorization.k8s.io'
const version = 'v1'

export const authorization: readonly ResourceInfo[] = [
  define<LocalSubjectAccessReview>(group, version, {
    kind: 'LocalSubjectAccessReview',
    resource: 'localsubjectaccessreviews',
    verbs: ['create'],
  }),
  define<SelfSubjectAccessReview>(group, version, {
    kind: 'SelfSubjectAccessReview',
    resource: 'selfsubjectaccessreviews',
    namespaced: false,
    verbs: ['create'],
  }),
  define<SelfSubjectRulesReview>(group, version, {
    kind: 'SelfSubjectRulesReview',
    resource: 'selfsubjectrulesreviews',
    namespaced: false,
    verbs: ['create'],
  }),
  define<SubjectAccessReview>(group, version, {
    kind: 'SubjectAccessReview',
    resource: 'subjectaccessreviews',
    namespaced: false,
    verbs: ['create'],
  }),
]
