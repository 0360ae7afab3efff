// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { UserInfo } from './authentication.v1.ts'
import type { GroupVersionKind, GroupVersionResource, Status } from './meta.v1.ts'

export interface AdmissionRequest {
  uid: string
  kind: GroupVersionKind
  resource: GroupVersionResource
  subResource?: string
  requestKind?: GroupVersionKind
  requestResource?: GroupVersionResource
  requestSubResource?: string
  name?: string
  namespace?: string
  operation: string
  userInfo: UserInfo
  object?: Record<string, unknown>
  oldObject?: Record<string, unknown>
  dryRun?: boolean
  options?: Record<string, unknown>
}

export interface AdmissionResponse {
  uid: string
  allowed: boolean
  status?: Status
  patch?: string
  patchType?: string
  auditAnnotations?: Record<string, string>
  warnings?: string[]
}

export interface AdmissionReview {
  apiVersion: 'admission.k8s.io/v1'
  kind: 'AdmissionReview'
  request?: AdmissionRequest
  response?: AdmissionResponse
}
