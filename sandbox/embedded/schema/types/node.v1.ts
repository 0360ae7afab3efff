// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { Toleration } from './core.v1.ts'
import type { ListMeta, ObjectMeta } from './meta.v1.ts'

export interface Overhead {
  podFixed?: Record<string, string | number>
}

export interface RuntimeClass {
  apiVersion: 'node.k8s.io/v1'
  kind: 'RuntimeClass'
  metadata: ObjectMeta
  handler: string
  overhead?: Overhead
  scheduling?: Scheduling
}

export interface RuntimeClassList {
  apiVersion: 'node.k8s.io/v1'
  kind: 'RuntimeClassList'
  metadata: ListMeta
  items: RuntimeClass[]
}

export interface Scheduling {
  nodeSelector?: Record<string, string>
  tolerations?: Toleration[]
}
