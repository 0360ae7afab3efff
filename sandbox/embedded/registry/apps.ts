import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../schema/types/apps.v1.ts'
import { define, scale } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import { controllerRevisionRules, daemonSetRules, deploymentRules, replicaSetRules, statefulSetRules } from './rules/workloads.ts'

const group = 'apps'
const version = 'v1'

export const apps: readonly ResourceInfo[] = [
  define<ControllerRevision>(group, version, { kind: 'ControllerRevision', resource: 'controllerrevisions', ...controllerRevisionRules }),
  define<DaemonSet>(group, version, {
    kind: 'DaemonSet',
    resource: 'daemonsets',
    shortNames: ['ds'],
    categories: ['all'],
    status: true,
    tracksGeneration: true,
    ...daemonSetRules,
  }),
  define<Deployment>(group, version, {
    kind: 'Deployment',
    resource: 'deployments',
    shortNames: ['deploy'],
    categories: ['all'],
    status: true,
    subresources: [scale],
    resetFields: { status: { all: ['spec', 'metadata.labels'] } },
    tracksGeneration: true,
    ...deploymentRules,
  }),
  define<ReplicaSet>(group, version, {
    kind: 'ReplicaSet',
    resource: 'replicasets',
    shortNames: ['rs'],
    categories: ['all'],
    status: true,
    subresources: [scale],
    tracksGeneration: true,
    ...replicaSetRules,
  }),
  define<StatefulSet>(group, version, {
    kind: 'StatefulSet',
    resource: 'statefulsets',
    shortNames: ['sts'],
    categories: ['all'],
    status: true,
    subresources: [scale],
    tracksGeneration: true,
    ...statefulSetRules,
  }),
]
