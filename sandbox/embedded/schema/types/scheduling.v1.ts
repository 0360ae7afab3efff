// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { ListMeta, ObjectMeta } from './meta.v1.ts'

export interface PriorityClass {
  apiVersion: 'scheduling.k8s.io/v1'
  kind: 'PriorityClass'
  metadata: ObjectMeta
  value: number
  globalDefault?: boolean
  description?: string
  preemptionPolicy?: string
}

export interface PriorityClassList {
  apiVersion: 'scheduling.k8s.io/v1'
  kind: 'PriorityClassList'
  metadata: ListMeta
  items: PriorityClass[]
}
