import type {
  Binding,
  ComponentStatus,
  ConfigMap,
  Endpoints,
  Event,
  LimitRange,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodTemplate,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
  ServiceAccount,
} from '../schema/types/core.v1.ts'
import { define, scale, subresource } from './define.ts'
import type { ResourceInfo } from './resource-info.ts'
import {
  configMapRules,
  namespaceRules,
  persistentVolumeClaimRules,
  podTemplateRules,
  secretRules,
  serviceAccountRules,
} from './rules/core.ts'
import { endpointsRules } from './rules/endpoints.ts'
import { coreEventRules } from './rules/event.ts'
import { limitRangeRules } from './rules/limit-range.ts'
import { nodeRules } from './rules/node.ts'
import { persistentVolumeRules } from './rules/persistent-volume.ts'
import { podRules } from './rules/pod.ts'
import { resourceQuotaRules } from './rules/resource-quota.ts'
import { serviceRules } from './rules/service.ts'
import { replicationControllerRules } from './rules/workloads.ts'

const group = ''
const version = 'v1'

export const core: readonly ResourceInfo[] = [
  define<Binding>(group, version, { kind: 'Binding', resource: 'bindings', verbs: ['create'] }),
  define<ComponentStatus>(group, version, {
    kind: 'ComponentStatus',
    resource: 'componentstatuses',
    shortNames: ['cs'],
    namespaced: false,
    verbs: ['get', 'list'],
  }),
  define<ConfigMap>(group, version, { kind: 'ConfigMap', resource: 'configmaps', shortNames: ['cm'], ...configMapRules }),
  define<Endpoints>(group, version, {
    kind: 'Endpoints',
    resource: 'endpoints',
    shortNames: ['ep'],
    allowCreateOnUpdate: true,
    ...endpointsRules,
  }),
  define<Event>(group, version, { kind: 'Event', resource: 'events', shortNames: ['ev'], allowCreateOnUpdate: true, ...coreEventRules }),
  define<LimitRange>(group, version, {
    kind: 'LimitRange',
    resource: 'limitranges',
    shortNames: ['limits'],
    allowCreateOnUpdate: true,
    ...limitRangeRules,
  }),
  define<Namespace>(group, version, {
    kind: 'Namespace',
    resource: 'namespaces',
    shortNames: ['ns'],
    namespaced: false,
    verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    status: true,
    subresources: [subresource('finalize', 'Namespace', 'update')],
    resetFields: { finalize: { all: ['status'] } },
    ...namespaceRules,
  }),
  define<Node>(group, version, {
    kind: 'Node',
    resource: 'nodes',
    shortNames: ['no'],
    namespaced: false,
    status: true,
    subresources: [subresource('proxy', 'NodeProxyOptions', 'create', 'delete', 'get', 'patch', 'update')],
    ...nodeRules,
  }),
  define<PersistentVolumeClaim>(group, version, {
    kind: 'PersistentVolumeClaim',
    resource: 'persistentvolumeclaims',
    shortNames: ['pvc'],
    status: true,
    ...persistentVolumeClaimRules,
  }),
  define<PersistentVolume>(group, version, {
    kind: 'PersistentVolume',
    resource: 'persistentvolumes',
    shortNames: ['pv'],
    namespaced: false,
    status: true,
    ...persistentVolumeRules,
  }),
  define<Pod>(group, version, {
    kind: 'Pod',
    resource: 'pods',
    shortNames: ['po'],
    categories: ['all'],
    status: true,
    subresources: [
      subresource('attach', 'PodAttachOptions', 'create', 'get'),
      subresource('binding', 'Binding', 'create'),
      subresource('ephemeralcontainers', 'Pod'),
      { name: 'eviction', group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
      subresource('exec', 'PodExecOptions', 'create', 'get'),
      subresource('log', 'Pod', 'get'),
      subresource('portforward', 'PodPortForwardOptions', 'create', 'get'),
      subresource('proxy', 'PodProxyOptions', 'create', 'delete', 'get', 'patch', 'update'),
      subresource('resize', 'Pod'),
    ],
    resetFields: {
      status: { all: ['spec', 'metadata.deletionTimestamp', 'metadata.ownerReferences'] },
      ephemeralcontainers: { allBut: ['spec.ephemeralContainers'] },
      resize: {
        allBut: ['containers', 'initContainers'].flatMap((list) => [`spec.${list}.*.resources`, `spec.${list}.*.resizePolicy`]),
      },
    },
    tracksGeneration: true,
    ...podRules,
  }),
  define<PodTemplate>(group, version, { kind: 'PodTemplate', resource: 'podtemplates', tracksGeneration: true, ...podTemplateRules }),
  define<ReplicationController>(group, version, {
    kind: 'ReplicationController',
    resource: 'replicationcontrollers',
    shortNames: ['rc'],
    categories: ['all'],
    status: true,
    subresources: [scale],
    tracksGeneration: true,
    ...replicationControllerRules,
  }),
  define<ResourceQuota>(group, version, {
    kind: 'ResourceQuota',
    resource: 'resourcequotas',
    shortNames: ['quota'],
    status: true,
    ...resourceQuotaRules,
  }),
  define<Secret>(group, version, { kind: 'Secret', resource: 'secrets', ...secretRules }),
  define<ServiceAccount>(group, version, {
    kind: 'ServiceAccount',
    resource: 'serviceaccounts',
    shortNames: ['sa'],
    subresources: [{ name: 'token', group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', verbs: ['create'] }],
    ...serviceAccountRules,
  }),
  define<Service>(group, version, {
    kind: 'Service',
    resource: 'services',
    shortNames: ['svc'],
    categories: ['all'],
    status: true,
    subresources: [subresource('proxy', 'ServiceProxyOptions', 'create', 'delete', 'get', 'patch', 'update')],
    allowCreateOnUpdate: true,
    ...serviceRules,
  }),
]
