// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { ListMeta, ObjectMeta } from './meta.v1.ts'

export interface Lease {
  apiVersion: 'coordination.k8s.io/v1'
  kind: 'Lease'
  metadata: ObjectMeta
  spec?: LeaseSpec
}

export interface LeaseList {
  apiVersion: 'coordination.k8s.io/v1'
  kind: 'LeaseList'
  metadata: ListMeta
  items: Lease[]
}

export interface LeaseSpec {
  holderIdentity?: string
  leaseDurationSeconds?: number
  acquireTime?: string
  renewTime?: string
  leaseTransitions?: number
  strategy?: string
  preferredHolder?: string
}
