// Generated from Kubernetes' Go types by npm run generate:schema. Do not edit.
import type { PersistentVolumeClaim, PodTemplateSpec } from './core.v1.ts'
import type { LabelSelector, ListMeta, ObjectMeta } from './meta.v1.ts'

export interface ControllerRevision {
  apiVersion: 'apps/v1'
  kind: 'ControllerRevision'
  metadata: ObjectMeta
  data?: Record<string, unknown>
  revision: number
}

export interface ControllerRevisionList {
  apiVersion: 'apps/v1'
  kind: 'ControllerRevisionList'
  metadata: ListMeta
  items: ControllerRevision[]
}

export interface DaemonSet {
  apiVersion: 'apps/v1'
  kind: 'DaemonSet'
  metadata: ObjectMeta
  spec?: DaemonSetSpec
  status?: DaemonSetStatus
}

export interface DaemonSetCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface DaemonSetList {
  apiVersion: 'apps/v1'
  kind: 'DaemonSetList'
  metadata: ListMeta
  items: DaemonSet[]
}

export interface DaemonSetSpec {
  selector: LabelSelector
  template: PodTemplateSpec
  updateStrategy?: DaemonSetUpdateStrategy
  minReadySeconds?: number
  revisionHistoryLimit?: number
}

export interface DaemonSetStatus {
  currentNumberScheduled: number
  numberMisscheduled: number
  desiredNumberScheduled: number
  numberReady: number
  observedGeneration?: number
  updatedNumberScheduled?: number
  numberAvailable?: number
  numberUnavailable?: number
  collisionCount?: number
  conditions?: DaemonSetCondition[]
}

export interface DaemonSetUpdateStrategy {
  type?: string
  rollingUpdate?: RollingUpdateDaemonSet
}

export interface Deployment {
  apiVersion: 'apps/v1'
  kind: 'Deployment'
  metadata: ObjectMeta
  spec?: DeploymentSpec
  status?: DeploymentStatus
}

export interface DeploymentCondition {
  type: string
  status: string
  lastUpdateTime?: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface DeploymentList {
  apiVersion: 'apps/v1'
  kind: 'DeploymentList'
  metadata: ListMeta
  items: Deployment[]
}

export interface DeploymentSpec {
  replicas?: number
  selector: LabelSelector
  template: PodTemplateSpec
  strategy?: DeploymentStrategy
  minReadySeconds?: number
  revisionHistoryLimit?: number
  paused?: boolean
  progressDeadlineSeconds?: number
}

export interface DeploymentStatus {
  observedGeneration?: number
  replicas?: number
  updatedReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  unavailableReplicas?: number
  terminatingReplicas?: number
  conditions?: DeploymentCondition[]
  collisionCount?: number
}

export interface DeploymentStrategy {
  type?: string
  rollingUpdate?: RollingUpdateDeployment
}

export interface ReplicaSet {
  apiVersion: 'apps/v1'
  kind: 'ReplicaSet'
  metadata: ObjectMeta
  spec?: ReplicaSetSpec
  status?: ReplicaSetStatus
}

export interface ReplicaSetCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface ReplicaSetList {
  apiVersion: 'apps/v1'
  kind: 'ReplicaSetList'
  metadata: ListMeta
  items: ReplicaSet[]
}

export interface ReplicaSetSpec {
  replicas?: number
  minReadySeconds?: number
  selector: LabelSelector
  template?: PodTemplateSpec
}

export interface ReplicaSetStatus {
  replicas: number
  fullyLabeledReplicas?: number
  readyReplicas?: number
  availableReplicas?: number
  terminatingReplicas?: number
  observedGeneration?: number
  conditions?: ReplicaSetCondition[]
}

export interface RollingUpdateDaemonSet {
  maxUnavailable?: string | number
  maxSurge?: string | number
}

export interface RollingUpdateDeployment {
  maxUnavailable?: string | number
  maxSurge?: string | number
}

export interface RollingUpdateStatefulSetStrategy {
  partition?: number
  maxUnavailable?: string | number
}

export interface StatefulSet {
  apiVersion: 'apps/v1'
  kind: 'StatefulSet'
  metadata: ObjectMeta
  spec?: StatefulSetSpec
  status?: StatefulSetStatus
}

export interface StatefulSetCondition {
  type: string
  status: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface StatefulSetList {
  apiVersion: 'apps/v1'
  kind: 'StatefulSetList'
  metadata: ListMeta
  items: StatefulSet[]
}

export interface StatefulSetOrdinals {
  start: number
}

export interface StatefulSetPersistentVolumeClaimRetentionPolicy {
  whenDeleted?: string
  whenScaled?: string
}

export interface StatefulSetSpec {
  replicas?: number
  selector: LabelSelector
  template: PodTemplateSpec
  volumeClaimTemplates?: PersistentVolumeClaim[]
  serviceName: string
  podManagementPolicy?: string
  updateStrategy?: StatefulSetUpdateStrategy
  revisionHistoryLimit?: number
  minReadySeconds?: number
  persistentVolumeClaimRetentionPolicy?: StatefulSetPersistentVolumeClaimRetentionPolicy
  ordinals?: StatefulSetOrdinals
}

export interface StatefulSetStatus {
  observedGeneration?: number
  replicas: number
  readyReplicas?: number
  currentReplicas?: number
  updatedReplicas?: number
  currentRevision?: string
  updateRevision?: string
  collisionCount?: number
  conditions?: StatefulSetCondition[]
  availableReplicas: number
}

export interface StatefulSetUpdateStrategy {
  type?: string
  rollingUpdate?: RollingUpdateStatefulSetStrategy
}
