import type { Fields } from './specimen.ts'

const then = '2026-01-01T00:00:00Z'
const condition = { type: 'Ready', status: 'True', lastTransitionTime: then, reason: 'Fine', message: 'it is' }
const quantities = { cpu: '2', memory: '4Gi' }
const balanced = { loadBalancer: { ingress: [{ ip: '192.0.2.1', ipMode: 'VIP', ports: [{ port: 80, protocol: 'TCP' }] }] } }

const pod = {
  phase: 'Running',
  observedGeneration: 1,
  conditions: [{ ...condition, observedGeneration: 1, lastProbeTime: then }],
  message: 'm',
  reason: 'R',
  hostIP: '10.0.0.9',
  hostIPs: [{ ip: '10.0.0.9' }],
  podIP: '10.244.0.5',
  podIPs: [{ ip: '10.244.0.5' }],
  startTime: then,
  qosClass: 'BestEffort',
  containerStatuses: [
    {
      name: 'main',
      state: { running: { startedAt: then } },
      lastState: { terminated: { exitCode: 1, reason: 'Error', startedAt: then, finishedAt: then } },
      ready: true,
      restartCount: 1,
      image: 'nginx:1.27',
      imageID: 'sha256:1',
      containerID: 'containerd://1',
      started: true,
    },
  ],
}

const replicas = { replicas: 2, fullyLabeledReplicas: 2, readyReplicas: 1, availableReplicas: 1, observedGeneration: 1 }

const node = {
  capacity: { ...quantities, pods: '110' },
  allocatable: quantities,
  conditions: [{ ...condition, lastHeartbeatTime: then }],
  addresses: [{ type: 'InternalIP', address: '10.0.0.9' }],
  images: [{ names: ['nginx:1.27'], sizeBytes: 5 }],
  nodeInfo: { kubeletVersion: 'v1.34.4', machineID: 'm', operatingSystem: 'linux', architecture: 'amd64' },
  volumesInUse: ['kubernetes.io/csi/a^b'],
  volumesAttached: [{ name: 'kubernetes.io/csi/a^b', devicePath: '' }],
  daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
}

const scaled = {
  observedGeneration: 1,
  lastScaleTime: then,
  currentReplicas: 1,
  desiredReplicas: 2,
  currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 50, averageValue: '100m' } } }],
  conditions: [{ ...condition, type: 'AbleToScale' }],
}

/**
 * By kind what a controller might write as the status of its specimen. Kinds are left out whose status the API server itself writes
 * at any time.
 */
export const statuses: Record<string, Fields> = {
  Namespace: { phase: 'Active', conditions: [{ ...condition, type: 'NamespaceDeletionContentFailure', status: 'False' }] },
  Node: node,
  PersistentVolume: { phase: 'Bound', message: 'm', reason: 'R' },
  PersistentVolumeClaim: {
    phase: 'Bound',
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: '1Gi' },
    conditions: [{ ...condition, type: 'Resizing', lastProbeTime: then }],
    allocatedResources: { storage: '1Gi' },
    allocatedResourceStatuses: { storage: 'NodeResizePending' },
  },
  Pod: pod,
  ReplicationController: { ...replicas, conditions: [{ ...condition, type: 'ReplicaFailure' }] },
  ResourceQuota: { hard: { pods: '4', 'requests.cpu': '1' }, used: { pods: '1', 'requests.cpu': '500m' } },
  Service: { ...balanced, conditions: [{ ...condition, observedGeneration: 1 }] },
  DaemonSet: {
    currentNumberScheduled: 1,
    numberMisscheduled: 0,
    desiredNumberScheduled: 2,
    numberReady: 1,
    observedGeneration: 1,
    updatedNumberScheduled: 1,
    numberAvailable: 1,
    numberUnavailable: 1,
    collisionCount: 1,
    conditions: [condition],
  },
  Deployment: {
    observedGeneration: 1,
    replicas: 2,
    updatedReplicas: 2,
    readyReplicas: 1,
    availableReplicas: 1,
    unavailableReplicas: 1,
    collisionCount: 1,
    conditions: [{ ...condition, type: 'Available', lastUpdateTime: then }],
  },
  ReplicaSet: { ...replicas, conditions: [{ ...condition, type: 'ReplicaFailure' }] },
  StatefulSet: {
    observedGeneration: 1,
    replicas: 2,
    readyReplicas: 1,
    currentReplicas: 1,
    updatedReplicas: 1,
    currentRevision: 'one-1',
    updateRevision: 'one-2',
    collisionCount: 0,
    availableReplicas: 1,
    conditions: [condition],
  },
  Job: {
    startTime: then,
    active: 1,
    ready: 1,
    succeeded: 1,
    failed: 1,
    terminating: 0,
    uncountedTerminatedPods: { succeeded: ['a'], failed: ['b'] },
  },
  CronJob: {
    active: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'one-1', namespace: 'default', uid: 'u' }],
    lastScheduleTime: then,
    lastSuccessfulTime: then,
  },
  HorizontalPodAutoscaler: scaled,
  'HorizontalPodAutoscaler (v1)': {
    observedGeneration: 1,
    lastScaleTime: then,
    currentReplicas: 1,
    desiredReplicas: 2,
    currentCPUUtilizationPercentage: 50,
  },
  PodDisruptionBudget: {
    observedGeneration: 1,
    disruptedPods: { one: then },
    disruptionsAllowed: 1,
    currentHealthy: 2,
    desiredHealthy: 1,
    expectedPods: 2,
    conditions: [{ ...condition, type: 'DisruptionAllowed', observedGeneration: 1 }],
  },
  Ingress: { loadBalancer: { ingress: [{ ip: '192.0.2.1', ports: [{ port: 80, protocol: 'TCP', error: 'example.com/Failed' }] }] } },
  ServiceCIDR: { conditions: [condition] },
  VolumeAttachment: { attached: true, attachmentMetadata: { a: 'b' }, detachError: { time: then, message: 'm' } },
  PriorityLevelConfiguration: { conditions: [condition] },
  ValidatingAdmissionPolicy: {
    observedGeneration: 1,
    typeChecking: { expressionWarnings: [{ fieldRef: 'spec.validations[0].expression', warning: 'w' }] },
    conditions: [{ ...condition, observedGeneration: 1 }],
  },
  CertificateSigningRequest: { certificate: '', conditions: [{ ...condition, type: 'Failed', lastUpdateTime: then }] },
  ResourceClaim: {
    allocation: { devices: { results: [{ request: 'gpu', driver: 'gpu.example.com', pool: 'p', device: 'gpu-1' }] } },
    reservedFor: [{ resource: 'pods', name: 'one', uid: 'u' }],
  },
}
