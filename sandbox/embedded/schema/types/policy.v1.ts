// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { Condition, DeleteOptions, LabelSelector, ListMeta, ObjectMeta } from './meta.v1.ts'

export interface Eviction {
  apiVersion: 'policy/v1'
  kind: 'Eviction'
  metadata: ObjectMeta
  deleteOptions?: DeleteOptions
}

export interface PodDisruptionBudget {
  apiVersion: 'policy/v1'
  kind: 'PodDisruptionBudget'
  metadata: ObjectMeta
  spec?: PodDisruptionBudgetSpec
  status?: PodDisruptionBudgetStatus
}

export interface PodDisruptionBudgetList {
  apiVersion: 'policy/v1'
  kind: 'PodDisruptionBudgetList'
  metadata: ListMeta
  items: PodDisruptionBudget[]
}

export interface PodDisruptionBudgetSpec {
  minAvailable?: string | number
  selector?: LabelSelector
  maxUnavailable?: string | number
  unhealthyPodEvictionPolicy?: string
}

export interface PodDisruptionBudgetStatus {
  observedGeneration?: number
  disruptedPods?: Record<string, string>
  disruptionsAllowed: number
  currentHealthy: number
  desiredHealthy: number
  expectedPods: number
  conditions?: Condition[]
}
