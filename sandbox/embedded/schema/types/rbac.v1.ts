// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { LabelSelector, ListMeta, ObjectMeta } from './meta.v1.ts'

export interface AggregationRule {
  clusterRoleSelectors?: LabelSelector[]
}

export interface ClusterRole {
  apiVersion: 'rbac.authorization.k8s.io/v1'
  kind: 'ClusterRole'
  metadata: ObjectMeta
  rules: PolicyRule[]
  aggregationRule?: AggregationRule
}

export interface ClusterRoleBinding {
  apiVersion: 'rbac.authorization.k8s.io/v1'
  kind: 'ClusterRoleBinding'
  metadata: ObjectMeta
  subjects?: Subject[]
  roleRef: RoleRef
}

export interface ClusterRoleBindingList {
  apiVersion: 'rbac.authorization.k8s.io/v1'
  kind: 'ClusterRoleBindingList'
  metadata: ListMeta
  items: ClusterRoleBinding[]
}

export interface ClusterRoleList {
  apiVersion: 'rbac.authorization.k8s.io/v1'
  kind: 'ClusterRoleList'
  metadata: ListMeta
  items: ClusterRole[]
}

export interface PolicyRule {
  verbs: string[]
  apiGroups?: string[]
  resources?: string[]
  resourceNames?: string[]
  nonResourceURLs?: string[]
}

export interface Role {
  apiVersion: 'rbac.authorization.k8s.io/v1'
  kind: 'Role'
  metadata: ObjectMeta
  rules: PolicyRule[]
}

export interface RoleBinding {
  apiVersion: 'rbac.authorization.k8s.io/v1'
  kind: 'RoleBinding'
  metadata: ObjectMeta
  subjects?: Subject[]
  roleRef: RoleRef
}

export interface RoleBindingList {
  apiVersion: 'rbac.authorization.k8s.io/v1'
  kind: 'RoleBindingList'
  metadata: ListMeta
  items: RoleBinding[]
}

export interface RoleList {
  apiVersion: 'rbac.authorization.k8s.io/v1'
  kind: 'RoleList'
  metadata: ListMeta
  items: Role[]
}

export interface RoleRef {
  apiGroup: string
  kind: string
  name: string
}

export interface Subject {
  kind: string
  apiGroup?: string
  name: string
  namespace?: string
}
