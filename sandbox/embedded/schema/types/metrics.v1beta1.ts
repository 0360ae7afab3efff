// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { ListMeta, ObjectMeta } from './meta.v1.ts'

export interface ContainerMetrics {
  name: string
  usage: Record<string, string | number>
}

export interface NodeMetrics {
  apiVersion: 'metrics.k8s.io/v1beta1'
  kind: 'NodeMetrics'
  metadata: ObjectMeta
  timestamp: string
  window: string
  usage: Record<string, string | number>
}

export interface NodeMetricsList {
  apiVersion: 'metrics.k8s.io/v1beta1'
  kind: 'NodeMetricsList'
  metadata: ListMeta
  items: NodeMetrics[]
}

export interface PodMetrics {
  apiVersion: 'metrics.k8s.io/v1beta1'
  kind: 'PodMetrics'
  metadata: ObjectMeta
  timestamp: string
  window: string
  containers: ContainerMetrics[]
}

export interface PodMetricsList {
  apiVersion: 'metrics.k8s.io/v1beta1'
  kind: 'PodMetricsList'
  metadata: ListMeta
  items: PodMetrics[]
}
