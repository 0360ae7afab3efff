// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { ListMeta, ObjectMeta } from './meta.v1.ts'

export interface APIService {
  apiVersion: 'apiregistration.k8s.io/v1'
  kind: 'APIService'
  metadata: ObjectMeta
  spec?: APIServiceSpec
  status?: APIServiceStatus
}

export interface APIServiceCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface APIServiceList {
  apiVersion: 'apiregistration.k8s.io/v1'
  kind: 'APIServiceList'
  metadata: ListMeta
  items: APIService[]
}

export interface APIServiceSpec {
  service?: ServiceReference
  group?: string
  version?: string
  insecureSkipTLSVerify?: boolean
  caBundle?: string
  groupPriorityMinimum: number
  versionPriority: number
}

export interface APIServiceStatus {
  conditions?: APIServiceCondition[]
}

export interface ServiceReference {
  namespace?: string
  name?: string
  port?: number
}
